import Glibc
import Telemetry
import Testing
import Vocabulary

/// Runs `body` with an output into a pipe and returns what arrived.
private func captured(_ format: LogOutput.Format, _ body: (LogOutput) -> Void) throws -> String {
  var ends: [Int32] = [0, 0]
  try #require(pipe(&ends) == 0)
  defer { close(ends[0]) }
  body(LogOutput(descriptor: ends[1], format: format))
  close(ends[1])
  var all: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = read(ends[0], &part, part.count)
    if count <= 0 { return String(decoding: all, as: UTF8.self) }
    all += part[..<count]
  }
}

@Suite struct LogTests {
  @Test func aLineOfJSONKeepsNumbersAndTruthAndEscapesTheRest() throws {
    let text = try captured(.json) { output in
      Log("broker", to: output).info(
        "say \"hi\"\n",
        ["count": 3, "port": UInt16(9092), "ratio": 0.5, "is": true, "path": "C:\\x\u{1}", "none": Double.nan])
    }
    let time = try #require(text.firstRange(of: "\",\"level\""))
    #expect(
      String(text[time.lowerBound...])
        == #"","level":"info","part":"broker","message":"say \"hi\"\n","count":3,"port":9092,"ratio":0.5,"is":true,"#
        + #""path":"C:\\x\u0001","none":"nan"}"# + "\n")
    #expect(text.hasPrefix("{\"time\":\"20"))
  }

  @Test func aTextLineQuotesWhatWouldNotReadBack() throws {
    let text = try captured(.text) { output in
      Log("broker", to: output).warning("closed", ["peer": "10.0.0.1:5", "because": "two words", "empty": ""])
    }
    #expect(text.hasSuffix("Z WARNING broker: closed peer=10.0.0.1:5 because=\"two words\" empty=\"\"\n"))
  }

  @Test func aPeersWordsNeverMakeALineOfTheirOwn() throws {
    for format in [LogOutput.Format.text, .json] {
      let text = try captured(format) { output in
        Log("x", to: output).error("a\nb\u{1b}[0m", ["k\n": "v\r\n\u{7f}"])
      }
      #expect(text.utf8.filter { $0 < 0x20 || $0 == 0x7f }.count == 1)
      #expect(text.hasSuffix("\n"))
    }
  }

  @Test func linesBelowTheLevelAreNotEvenComputed() throws {
    let text = try captured(.text) { output in
      let log = Log("x", to: output)
      log.debug("\(unreachable())")
      output.level = .error
      log.warning("not this", ["a": unreachable()])
      log.error("this")
      output.level = .trace
      log.trace("and this")
    }
    #expect(text.split(separator: "\n").map { $0.split(separator: ": ")[1] } == ["this", "and this"])
  }
  private func unreachable() -> String {
    Issue.record("computed for nothing")
    return ""
  }

  @Test func aRepeatedMessageIsWrittenOnceAndCounted() throws {
    let text = try captured(.text) { output in
      let log = Log("x", to: output)
      for _ in 0..<50 { log.log(.info, atMostEvery: .seconds(3600), "refused") }
      for _ in 0..<3 { log.log(.info, atMostEvery: .zero, "each") }
    }
    #expect(text.split(separator: "\n").map { $0.split(separator: ": ")[1] } == ["refused", "each", "each", "each"])
  }

  @Test func everyLevelIsKnownByItsName() {
    for level in LogLevel.allCases { #expect(LogLevel(level.name) == level) }
    #expect(LogLevel("warn") == .warning)
    #expect(LogLevel("loud") == nil)
  }
}
