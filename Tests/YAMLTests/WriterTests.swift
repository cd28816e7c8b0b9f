import JSONValue
import Testing
import YAML

@Suite struct WriterTests {
  @Test func aValueIsWrittenAsKubectlWritesIt() {
    let value: JSON = [
      "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "labels": [:], "finalizers": []],
      "data": [
        "server.properties": "a=1\nb=2\n", "port": "9092", "on": "yes", "plain": "some words: no", "time": "1:20",
      ],
      "list": [1, ["a": 1, "b": [2, [3, 4]]], "x"],
    ]
    let text = """
      apiVersion: v1
      data:
        "on": "yes"
        plain: "some words: no"
        port: "9092"
        server.properties: |
          a=1
          b=2
        time: "1:20"
      kind: ConfigMap
      list:
      - 1
      - a: 1
        b:
        - 2
        - - 3
          - 4
      - x
      metadata:
        finalizers: []
        labels: {}
        name: a

      """
    #expect(value.yamlText() == text)
  }

  @Test(arguments: 0..<1000) func whatIsWrittenIsReadBack(seed: UInt64) throws {
    var inventor = Inventor(seed: seed)
    let value = inventor.value(depth: 5)
    let text = value.yamlText()
    #expect(try JSON.documents(inYAML: text) == [value], "\(text)")
  }

  @Test(arguments: [
    "a\n", "a", "a\nb", "a\n\n", "a\n\n\nb\n", " a\nb", "\na", "a\n b\n", "a\n \nb", "a\n\tb", "a \nb ", "a\r\nb", "",
    " ", "-",
    "- a", "---", "...", "?", "a: b", "a:", "a #b", "~", "=", "<<", "&a", "*a", "!a", "%a", "@a", "`a", "{}", "0x1",
    "1e3",
    "y", "null", "\u{0}", "\u{85}", "\u{feff}", "é", "😀", "a\n...\nb", "a\n---\nb\n", "2001-01-01", "\\", "'", "\"",
    "\n", " \u{73a}c\n3\n", "a\n \u{301}\nb", " \u{301}", "a\n\t\u{301}b",
  ])
  func everyTextComesBackAsTheSameText(text: String) throws {
    let value: JSON = ["k": .string(text), text: 1, "l": [.string(text), [.string(text)]]]
    #expect(try JSON.documents(inYAML: value.yamlText()) == [value], "\(value.yamlText())")
    #expect(try JSON.documents(inYAML: JSON.string(text).yamlText()) == [.string(text)])
  }

  @Test func aKeyOfAnyLengthComesBack() throws {
    for length in [999, 1000, 1001, 1024, 5000] {
      let value: JSON = [
        String(repeating: "k", count: length): ["a": 1], "z": [[String(repeating: "é", count: length): [1]]],
      ]
      #expect(try JSON.documents(inYAML: value.yamlText()) == [value])
    }
  }

  @Test func severalDocumentsComeBack() throws {
    let documents: [JSON] = [["a": 1], .null, "x\n\n", [2], [:]]
    #expect(try JSON.documents(inYAML: JSON.yamlText(documents: documents)) == documents)
  }
}
