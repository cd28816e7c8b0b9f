import Testing
import Vocabulary

@testable import CommandLine

@Suite struct OutputTests {
  @Test func columnsAreAsWideAsTheyMustBeAndNumbersEndTogether() {
    var table = Table("TOPIC", "PARTITIONS")
    table.add("a", "3")
    table.add("longer-name", "12")
    #expect(table.text == "TOPIC        PARTITIONS\na                     3\nlonger-name          12\n")
  }

  @Test func jsonKeepsTheOrderAndEscapesWhatItMust() {
    let value = JSON.object([
      "name": .string("a\"b\\c\n\u{1}é"), "n": .number(-5), "none": .null, "yes": .bool(true),
      "list": .array([.number(1), .number(2)]), "empty": .array([]),
    ])
    #expect(
      value.compact
        == #"{"name":"a\"b\\c\n\u0001é","n":-5,"none":null,"yes":true,"list":[1,2],"empty":[]}"#)
  }

  @Test func prettyJSONIsIndentedByTwo() {
    #expect(JSON.array([.object(["a": .number(1)])]).pretty == "[\n  {\n    \"a\": 1\n  }\n]\n")
  }

  @Test func progressAppearsAfterASecondAndGoesAway() {
    let heard = Heard()
    let console = heard.console(isErrorATerminal: true)
    let start = Instant(nanoseconds: 0)
    var progress = Progress(console, now: start)
    progress.show("early", now: start + .milliseconds(900))
    #expect(heard.errors == "")
    progress.show("1 of 2", now: start + .milliseconds(1000))
    progress.show("too soon", now: start + .milliseconds(1100))
    progress.end()
    #expect(heard.errors == "\r1 of 2\r      \r")
  }

  @Test func progressIsOnlyForTerminals() {
    let heard = Heard()
    var progress = Progress(heard.console(), now: Instant(nanoseconds: 0))
    progress.show("1 of 2", now: .never)
    progress.end()
    #expect(heard.errors == "")
  }

  @Test func linesAreCutAtNewlinesAlone() {
    var lines = LineSplitter()
    #expect(lines.add(Array("one\ntw".utf8)) == [Array("one".utf8)])
    #expect(lines.add(Array("o\r\n\nthr".utf8)) == [Array("two\r".utf8), []])
    #expect(lines.finish() == Array("thr".utf8))
    #expect(lines.finish() == nil)
  }

  @Test func aKeyEndsAtTheFirstSeparator() {
    let (key, value) = splitKey(Array("a::b::c".utf8), at: Array("::".utf8))
    #expect(key == Array("a".utf8) && value == Array("b::c".utf8))
    #expect(splitKey(Array("abc".utf8), at: Array("::".utf8)).key == nil)
    #expect(splitKey(Array("a".utf8), at: []).key == nil)
  }

  @Test func whatIsNoTextIsShownInDigits() {
    #expect(printable(Array("héllo".utf8)) == "héllo")
    #expect(printable([0xff, 0x00]) == "0xff00")
    #expect(printable(Array("a\u{1b}[2J".utf8)) == "0x611b5b324a")
    #expect(printable(nil) == "null")
  }
}
