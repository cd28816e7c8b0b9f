import JSONValue
import Testing

@testable import Operator

/// What caches keep of an object is the object, and little of it.
@Suite struct PackedObjectTests {
  /// A topic as an API server has it.
  static func topic(_ number: Int) -> JSON {
    func condition(_ type: String, _ reason: String, _ message: String) -> JSON {
      [
        "lastTransitionTime": "2026-11-22T05:11:58Z", "message": .string(message), "observedGeneration": 1,
        "reason": .string(reason), "status": "True", "type": .string(type),
      ]
    }
    let digits = String(number + 10_000)
    return [
      "apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": "KafkaTopic",
      "metadata": [
        "annotations": [
          "kafka.swiftwater.dev/epoch": "1", "kafka.swiftwater.dev/origin-created": "2026-11-22T05:11:56Z",
          "kafka.swiftwater.dev/origin-generation": "1",
        ],
        "creationTimestamp": "2026-11-22T05:11:56Z", "generation": 1,
        "labels": ["kafka.swiftwater.dev/origin": "eu-west"], "name": .string("topic-\(digits)"),
        "namespace": "kafka", "resourceVersion": .string(digits),
        "uid": .string("b1dbb03e-e8db-4bdf-3301-d07c224\(digits)"),
      ],
      "spec": [
        "cluster": ["name": "orders"], "deletionPolicy": "Retain", "partitions": JSON(number), "placement": [:],
      ],
      "status": [
        "conditions": [
          condition("Ready", "AsWanted", "The topic is as it should be."),
          condition("Reconciling", "UpToDate", "Nothing is being done."),
          condition("Stalled", "Works", "Nothing is in the way."),
        ],
        "observedGeneration": 1, "partitions": 1, "topicID": "wh-udiNVS74V6V0Q458-Ow",
        "topicName": .string("topic-\(digits)"),
      ],
    ]
  }

  @Test func whatIsPackedComesOutAsItWasAndTakesASeventh() {
    let table = StringTable()
    let topics = (0..<50).map(Self.topic)
    let packed = topics.map { PackedObject($0, table) }
    for (topic, packed) in zip(topics, packed) { #expect(packed.json(table) == topic) }
    #expect(topics[49].text().utf8.count > 1000)
    #expect(packed[49].byteCount < 150)
  }

  @Test func objectsThatAreLaidTogetherComeOutAsTheyWereAlsoASecondTime() {
    let table = StringTable()
    // More than one piece holds, and one that is larger than a piece.
    var topics = (0..<3000).map(Self.topic)
    topics.insert(.string(String(repeating: "long ", count: PackedObject.pieceSize)), at: 7)
    let alone = topics.map { PackedObject($0, table) }
    let together = PackedObject.together(alone)
    #expect(together.map { $0.json(table) } == topics)
    #expect(together.map { $0.byteCount } == alone.map { $0.byteCount })
    let mixed = PackedObject.together(Array(together.prefix(100) + alone.suffix(100)))
    #expect(mixed.map { $0.json(table) } == topics.prefix(100) + topics.suffix(100))
    #expect(PackedObject.together([]).isEmpty)
  }

  @Test func objectsOfEveryKindComeOutAsTheyWere() {
    let odd: [JSON] = [
      .null, true, false, 0, -1, .integer(.min), .integer(.max), .number(-1.5e300), "", "é", [], [:], [[], [:], .null],
      ["": ["": [1, "1", 1.5]]], .object(JSON.Object((0..<200).map { ("field \($0)", JSON($0)) })),
      .string(String(repeating: "long ", count: 1000)),
    ]
    let table = StringTable()
    for json in odd + odd { #expect(PackedObject(json, table).json(table) == json) }
  }

  @Test func textsThatLookTheSameKeepTheirBytes() {
    let table = StringTable()
    for text in ["caf\u{e9}", "cafe\u{301}"] {
      let json: JSON = ["metadata": ["name": "caf\u{e9}"], "spec": [.string(text), .string("an \(text)")]]
      let named: JSON = .object(JSON.Object([(text, JSON(1))]))
      for json in [json, json, named, named] {
        #expect(Array(PackedObject(json, table).json(table).text().utf8) == Array(json.text().utf8))
      }
    }
  }

  @Test func aFullTableOnlyMakesObjectsLarger() {
    let table = StringTable()
    for number in 0..<StringTable.Limits.shapesMax + 10 { _ = table.shape(of: ["field \(number)"]) }
    for number in 0..<StringTable.Limits.textsMax + 10 {
      for _ in 0..<2 { _ = table.place(of: "text \(number)") }
    }
    let json: JSON = ["a new shape": "a new text", "and": ["a new shape": "a new text"]]
    for _ in 0..<3 { #expect(PackedObject(json, table).json(table) == json) }
  }

  @Test(arguments: [
    "2026-11-22T05:11:56Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:60Z", "140e06dd-40cf-4219-84b2-8014ebcb5e5d",
    "wh-udiNVS74V6V0Q458-Ow", "AAAAAAAAAAAAAAAAAAAAAA", "0", "7", "999999999999999999",
  ])
  func aTextOfACommonFormIsWhatItSays(_ text: String) {
    #expect(PackedText(text)?.text == text)
  }

  @Test(arguments: [
    "", "2026-13-22T05:11:56Z", "2026-11-22T24:11:56Z", "2026-11-22 05:11:56Z", "2026-11-22T05:11:5xZ",
    "2026-11-22T05:11:56z", "140E06DD-40cf-4219-84b2-8014ebcb5e5d", "140e06dd-40cf-4219-84b28-014ebcb5e5d",
    "140e06dd-40cf-4219-84b2-8014ebcb5e5", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAA==", "07", "-7", "1.5",
    "1000000000000000000", "\u{661}",
  ])
  func aTextThatIsNotQuiteOfAFormIsKeptAsItIs(_ text: String) {
    #expect(PackedText(text) == nil)
    let table = StringTable()
    #expect(PackedObject(.string(text), table).json(table) == .string(text))
  }
}
