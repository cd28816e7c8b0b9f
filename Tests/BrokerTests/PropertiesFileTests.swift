import Testing

@testable import Broker

@Suite struct PropertiesFileTests {
  private func parse(_ text: String) throws -> [String: String] {
    try PropertiesFile.parse(text, named: "server.properties")
  }

  private func complaint(about text: String) -> String? {
    do {
      _ = try parse(text)
      return nil
    } catch { return "\(error)" }
  }

  @Test func commentsAndEmptyLinesSayNothing() throws {
    #expect(try parse("# a=1\n! b=2\n\n   # c=3\n \t \nd=4\n") == ["d": "4"])
  }

  @Test func aCommentBeginsALineAndNotAValue() throws {
    #expect(try parse("a=1 # one\n") == ["a": "1 # one"])
  }

  @Test(arguments: ["a=b", "a = b", "a:b", "a : b", "a b", "a\tb", "  a=b  ", "a=  b"])
  func everySeparatorOfJavaIsUnderstood(line: String) throws {
    #expect(try parse(line) == ["a": "b"])
  }

  @Test func onlyTheFirstSeparatorSeparates() throws {
    #expect(
      try parse("listeners=PLAINTEXT://localhost:9092\na==b\n")
        == ["listeners": "PLAINTEXT://localhost:9092", "a": "=b"])
  }

  @Test func aBackslashAtTheEndContinuesALine() throws {
    #expect(try parse("a=1,\\\n   2,\\\n   3\nb=4\n") == ["a": "1,2,3", "b": "4"])
    #expect(try parse("a=1\\\n# not a comment\n") == ["a": "1# not a comment"])
    #expect(try parse("a=1\\\\\nb=2\n") == ["a": "1\\", "b": "2"])
    #expect(try parse("a=1\\") == ["a": "1"])
  }

  @Test func escapesStandForTheirCharacters() throws {
    #expect(try parse(#"a=x\ty\u0041\u00e9\=z"#) == ["a": "x\tyA\u{e9}=z"])
    #expect(try parse(#"a\ b\:c=1"#) == ["a b:c": "1"])
    #expect(try parse(#"a=\ud800"#) == ["a": "\u{fffd}"])
  }

  @Test func linesMayEndAsOnOtherSystems() throws {
    #expect(try parse("a=1\r\nb=2\rc=3\n") == ["a": "1", "b": "2", "c": "3"])
  }

  @Test func aKeyWithoutAValueIsEmpty() throws {
    #expect(try parse("a\nb=\n") == ["a": "", "b": ""])
  }

  @Test func aKeyThatStandsTwiceIsRefusedWithItsLine() {
    let sentence = complaint(about: "a=1\n# between\nb=2\na=3\n")
    #expect(sentence == "server.properties, line 4: a is set a second time; keep one of the two")
  }

  @Test func theLineOfAContinuedEntryIsItsFirst() {
    let sentence = complaint(about: "a=1\na=2,\\\n 3\n")
    #expect(sentence?.contains("line 2") == true)
  }

  @Test func aValueWithoutAKeyIsRefusedWithItsLine() {
    #expect(complaint(about: "a=1\n=2\n")?.contains("server.properties, line 2") == true)
  }
}
