import JSONValue
import Testing
import YAML

@Suite struct ReaderTests {
  func value(_ text: String) throws -> JSON {
    let documents = try JSON.documents(inYAML: text)
    #expect(documents.count == 1)
    return documents.first ?? .null
  }

  @Test func aManifestIsRead() throws {
    let text = """
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: a, labels: {app: "1", on: yes}}
      data:
        script: |
          echo hello
            twice
        folded: >-
          one
          two
        empty:
        list:
        - 1
        - - 2
          - 3
        - name: x
          value: 'it''s'
      """
    #expect(
      try value(text) == [
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "labels": ["app": "1", "true": true]],
        "data": [
          "script": "echo hello\n  twice\n", "folded": "one two", "empty": .null,
          "list": [1, [2, 3], ["name": "x", "value": "it's"]],
        ],
      ])
  }

  @Test(
    arguments: [
      ("yes", true), ("No", false), ("on", true), ("OFF", false), ("y", true), ("n", false), ("True", true),
      ("tRUE", "tRUE"),
      ("~", .null), ("null", .null), ("Null", .null), ("nULL", "nULL"), ("\"yes\"", "yes"), ("'null'", "null"),
      ("\"1\"", "1"),
      ("1", 1), ("+1", 1), ("-1", -1), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("017", 15), ("0b101", 5),
      ("-0b11", -3),
      ("08", 8), ("0", 0), ("-0", 0), ("1.5", 1.5), (".5", 0.5), ("1.", 1), ("1e3", 1000), ("1e", "1e"),
      ("1.2.3", "1.2.3"),
      ("100m", "100m"), ("10Gi", "10Gi"), ("1:20", "1:20"), ("2001-12-14", "2001-12-14"), ("_1", "_1"), ("0x", "0x"),
      ("--1", "--1"), ("+-1", "+-1"), ("9223372036854775807", .integer(.max)), ("1e999", "1e999"),
      ("18446744073709551615", .number(18_446_744_073_709_551_616)), ("!!str 1", "1"), ("!!str yes", "yes"),
      ("!!int 7", 7),
      ("!!float 7", 7), ("!!bool yes", true), ("! 12", "12"), ("a#b", "a#b"), ("a #b", "a"), ("é", "é"),
      ("0.0.0.0/0", "0.0.0.0/0"),
    ] as [(String, JSON)])
  func aScalarMeansWhatKubectlTakesItFor(text: String, meaning: JSON) throws {
    #expect(try value("a: \(text)\n") == ["a": meaning])
  }

  @Test func severalDocumentsAreSeveralValues() throws {
    #expect(try JSON.documents(inYAML: "") == [])
    #expect(try JSON.documents(inYAML: "# nothing\n") == [])
    #expect(try JSON.documents(inYAML: "a: 1\n---\n---\nb: 2\n...\n---\n- 3\n") == [["a": 1], .null, ["b": 2], [3]])
  }

  @Test func jsonIsYAML() throws {
    #expect(
      try value("{\"a\": [1, \"yes\", null, true], \"b\\u00e9\": {}}") == ["a": [1, "yes", .null, true], "bé": [:]])
  }

  @Test func aliasesAndMergedMappingsAreFollowed() throws {
    let text = """
      base: &base {a: 1, b: 2}
      more: &more {b: 3, c: 4}
      one: {<<: *base, b: 9}
      two: {<<: [*base, *more]}
      same: *base
      """
    let read = try value(text)
    #expect(read["one"] == ["a": 1, "b": 9])
    #expect(read["two"] == ["a": 1, "b": 2, "c": 4])
    #expect(read["same"] == ["a": 1, "b": 2])
  }

  @Test func numbersAndBooleansAsKeysBecomeText() throws {
    #expect(try value("1: a\n1.5: b\nyes: c\n\"2\": d\n") == ["1": "a", "1.5": "b", "true": "c", "2": "d"])
  }

  @Test func aliasesOfAliasesDoNotGrowWithoutBound() throws {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<12 {
      let names = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(names)]\n"
    }
    let error = #expect(throws: YAMLError.self) { try JSON.documents(inYAML: text) }
    #expect(error?.message.contains("2000000 values") == true)
  }

  @Test func depthIsBoundedAlsoBehindAliases() {
    let deep = String(repeating: "[", count: 200_000)
    #expect(throws: YAMLError.self) { try JSON.documents(inYAML: deep) }
    var text = "a0: &a0 [[[[[[[[[[1]]]]]]]]]]\n"
    for level in 1..<12 { text += "a\(level): &a\(level) [[[[[[[[[[*a\(level - 1)]]]]]]]]]]\n" }
    let error = #expect(throws: YAMLError.self) { try JSON.documents(inYAML: text) }
    #expect(error?.message.contains("within each other") == true)
  }

  @Test(
    arguments: [
      ("a: 1\na: 2\n", 2, 1, "the key \"a\" stands twice in one mapping"),
      ("a: *x\n", 1, 4, "*x names nothing that came before it"),
      ("a: .inf\n", 1, 4, ".inf cannot be said in JSON; put quotation marks around it if text is meant"),
      ("a: !secret b\n", 1, 4, "the tag !secret is not known here"),
      ("? [a]\n: b\n", 1, 3, "a key has to be text, and a sequence or mapping stands there"),
      ("~: b\n", 1, 1, "a key has to be text, and null stands there"),
      ("a: !!int b\n", 1, 4, "\"b\" is no int, although its tag says so"),
      ("<<: 1\n", 1, 5, "<< takes a mapping, and an integer stands there"),
    ] as [(String, Int, Int, String)])
  func aRefusalNamesLineAndColumn(text: String, line: Int, column: Int, message: String) {
    let error = #expect(throws: YAMLError.self) { try JSON.documents(inYAML: text) }
    #expect(error?.line == line)
    #expect(error?.column == column)
    #expect(error?.message == message)
  }

  @Test(arguments: [
    "a: [1\n", "a: b: c\n", "\tx: 1\n", "a:\n  b: 1\n c: 2\n", "\"a", "a: \0", "- a\nb: 1\n", "%YAML 3.0\n---\na\n",
    "&a &b c", "a: |\u{1}",
  ])
  func whatIsNoYAMLIsRefusedWithItsPlace(text: String) {
    let error = #expect(throws: YAMLError.self) { try JSON.documents(inYAML: text) }
    #expect(error?.description.hasPrefix("line ") == true)
  }
}
