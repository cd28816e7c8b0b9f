import JSONValue
import Testing

@Suite struct ParserTests {
  @Test(
    arguments: [
      ("null", .null), (" true\n", true), ("false", false), ("0", 0), ("-0", 0), ("[]", []), ("{}", [:]),
      ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9223372036854775808", .number(9223372036854775808)), ("1.5e3", .number(1500)), ("1E-2", .number(0.01)),
      ("-0.0", .number(-0.0)), ("123.456e+2", .number(12345.6)), ("\"\"", ""),
      ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{c}\n\r\t"),
      ("\"\\u00e9\\u20ac\\ud83d\\ude00\"", "é€😀"), ("\"\\u0000\"", "\0"), ("\"\u{7f}é😀\"", "\u{7f}é😀"),
      ("[1, [2, {\"a\": [null]}]]", [1, [2, ["a": [.null]]]]), ("\t[ ]\r\n", []),
      ("{\"a\":1,\"a\":2}", ["a": 2]), ("{\"\":0}", ["": 0]), ("{\"b\":1,\"a\":2}", ["a": 2, "b": 1]),
      ("1e-400", .number(0)), ("\"\\uDBFF\\uDFFF\"", "\u{10FFFF}"), ("\"\u{2028}\"", "\u{2028}"),
    ] as [(String, JSON)])
  func whatIsJSONIsRead(text: String, value: JSON) throws {
    #expect(try JSON(parsing: text) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "nullx", "True", "[1,]", "[,1]", "[1 2]", "[1", "[", "]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1",
    "{\"a\":1,}", "{a:1}", "{1:1}", "{'a':1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{,}", "[1],", "1 2", "[]]", "01",
    "-01",
    "00", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "1ee1", "0x1", "1_000", "NaN", "Infinity", "-Infinity", "1e400",
    "-1e999", "--1", "1.2.3", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\uD800\"",
    "\"\\uDC00\"", "\"\\uD800\\u0041\"", "\"\\uD800\\uD800\"", "\"\\uD800x\"", "\"\n\"", "\"\t\"", "\"\0\"",
    "\u{feff}[]",
    "[1]//", "/**/1", "\u{a0}1", "\u{c}1", "[\"a\"x]", "[1\0]", "\"\\uD83D\\", "\"\\uD83D\\u", "\"\\uD83D\\uDE0",
    "'a'", "[1,,2]", "{\"a\":1,,\"b\":2}", "tru", "[-]", "[1e1.5]", "{\"a\":}", "{:1}", "\\u0031", "１",
  ])
  func whatIsNoJSONIsRefused(text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
      [0x22, 0x5C, 0x6E, 0xFF, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0xFF, 0xFE, 0x5B], [0x5B, 0x80, 0x5D],
    ] as [[UInt8]])
  func bytesThatAreNoUTF8AreRefused(bytes: [UInt8]) {
    #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
  }

  @Test func everyBeginningOfATextIsRefusedAndNoneIsACrash() throws {
    let text = Array("{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\",true,null,{}],\"b\":\"é\"}".utf8)
    _ = try JSON(parsing: text)
    for count in 0..<text.count {
      #expect(throws: JSONError.self) { try JSON(parsing: Array(text.prefix(count))) }
    }
  }

  @Test func depthIsBounded() throws {
    var limits = JSONLimits()
    limits.depthMax = 10
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSON(parsing: nested(10), limits: limits)
    #expect(throws: JSONError.self) { try JSON(parsing: nested(11), limits: limits) }
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 1_000_000)) }
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "{\"a\":", count: 1_000_000)) }
  }

  @Test func lengthIsBounded() {
    var limits = JSONLimits()
    limits.bytesMax = 4
    #expect(throws: JSONError.self) { try JSON(parsing: "[1,2]", limits: limits) }
  }

  @Test func anErrorNamesItsPlace() {
    let error = #expect(throws: JSONError.self) { try JSON(parsing: "{\n  \"a\": 1,\n  \"b\" 2\n}") }
    #expect(error?.description == "line 3, column 7: '2' stands where ':' was expected")
    #expect(error?.offset == 18)
  }
}
