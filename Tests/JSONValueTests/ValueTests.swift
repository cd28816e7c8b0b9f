import JSONValue
import Testing

@Suite struct ValueTests {
  @Test func theOrderOfKeysDoesNotMatter() throws {
    let a = try JSON(parsing: "{\"b\":{\"y\":1,\"x\":2},\"a\":1}")
    let b = try JSON(parsing: "{\"a\":1,\"b\":{\"x\":2,\"y\":1}}")
    #expect(a == b)
    #expect(a.hashValue == b.hashValue)
    #expect(a.text() == b.text())
  }

  @Test func aWholeNumberIsTheSameHoweverItIsWritten() {
    #expect(JSON.integer(1) == JSON.number(1))
    #expect(JSON.integer(1).hashValue == JSON.number(1).hashValue)
    #expect(JSON.number(3).int == 3)
    #expect(JSON.number(3.5).int == nil)
    #expect(JSON.number(1e300).int64 == nil)
    #expect(JSON.integer(1) != JSON.string("1"))
    #expect(JSON.integer(.max) != JSON.number(9223372036854775808))
  }

  @Test func twoSpellingsOfOneLetterAreTwoKeys() throws {
    let value = try JSON(parsing: "{\"\\u00e9\":1,\"e\\u0301\":2}")
    #expect(value.members.count == 2)
    #expect(value["\u{e9}"] == 1)
    #expect(value["e\u{301}"] == 2)
  }

  @Test func aPathCanBeFollowedThroughWhatIsMissing() {
    let pod: JSON = ["spec": ["replicas": 3, "names": ["a", "b"]]]
    #expect(pod["spec"]["replicas"].int == 3)
    #expect(pod["status"]["ready"]["count"].isNull)
    #expect(pod["spec"]["names"][1].string == "b")
    #expect(pod["spec"]["names"][2].isNull)
    #expect(pod["spec"]["names"]["x"].isNull)
    #expect(pod["spec"]["names"].strings == ["a", "b"])
    #expect(JSON(["a": "b"]).texts == ["a": "b"])
    #expect(pod.texts == nil)
  }

  @Test func aPathCanBeSet() {
    var value: JSON = .null
    value["metadata"]["labels"]["b"] = "2"
    value["metadata"]["labels"]["a"] = "1"
    value["metadata"]["labels"]["b"] = .null
    #expect(value.text() == "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":null}}}")
    #expect(value.withoutNulls().text() == "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}")
    #expect(value["metadata"].remove("labels") != nil)
    #expect(value.text() == "{\"metadata\":{}}")
  }

  @Test func ofManyMembersWithOneKeyTheLastCounts() {
    let object = JSON.Object((0..<1000).map { ("k\($0 % 7)", JSON.integer(Int64($0))) })
    #expect(object.keys == ["k0", "k1", "k2", "k3", "k4", "k5", "k6"])
    #expect(object["k0"] == 994)
    #expect(object["k5"] == 999)
  }

  @Test(
    arguments: [
      (.null, "null"), (1.5, "1.5"), (.number(2), "2"), (.number(.infinity), "null"), (.number(1e21), "1e+21"),
      ("a\"\\\n\u{1}\u{7f}é", "\"a\\\"\\\\\\n\\u0001\\u007fé\""),
      ([1, [], [:], ["b": true, "a": false]], "[1,[],{},{\"a\":false,\"b\":true}]"),
    ] as [(JSON, String)])
  func aValueIsWritten(value: JSON, text: String) {
    #expect(value.text() == text)
  }

  @Test func prettyTextIsIndented() {
    let value: JSON = ["a": [1, ["b": .null]], "c": [:], "d": []]
    let text = """
      {
        "a": [
          1,
          {
            "b": null
          }
        ],
        "c": {},
        "d": []
      }
      """
    #expect(value.text(.pretty) == text)
  }

  @Test(arguments: 0..<200) func whatIsWrittenIsReadBack(seed: UInt64) throws {
    var inventor = Inventor(seed: seed)
    let value = inventor.value(depth: 5)
    #expect(try JSON(parsing: value.text()) == value)
    #expect(try JSON(parsing: value.text(.pretty)) == value)
  }
}
