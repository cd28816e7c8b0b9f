import JSONValue
import KubernetesAPI
import Testing
import Vocabulary

@testable import LocalKubernetes

@Suite struct SchemaTests {
  static let topics = ResourceName("kafka.swiftwater.dev", "kafkatopics")

  static let definition: JSON = {
    let spec: JSON = [
      "type": "object", "required": ["cluster"],
      "properties": [
        "partitions": ["type": "integer", "minimum": 1, "maximum": 100, "default": 1],
        "cluster": [
          "type": "object", "required": ["name"], "properties": ["name": ["type": "string", "pattern": "^[a-z]+$"]],
        ],
        "deletionPolicy": ["type": "string", "enum": ["Retain", "Delete"], "default": "Retain"],
        "config": ["type": "object", "additionalProperties": ["type": "string"]],
        "size": ["x-kubernetes-int-or-string": true],
        "free": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
        "listeners": [
          "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "maxItems": 2,
          "items": [
            "type": "object", "required": ["name"],
            "properties": ["name": ["type": "string"], "tls": ["type": "boolean", "default": false]],
          ],
        ],
      ],
    ]
    let schema: JSON = [
      "type": "object", "required": ["spec"],
      "properties": ["spec": spec, "status": ["type": "object", "x-kubernetes-preserve-unknown-fields": true]],
    ]
    let version: JSON = [
      "name": "v1alpha1", "served": true, "storage": true, "subresources": ["status": [:]],
      "schema": ["openAPIV3Schema": schema],
    ]
    return [
      "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
      "metadata": ["name": "kafkatopics.kafka.swiftwater.dev"],
      "spec": [
        "group": "kafka.swiftwater.dev", "scope": "Namespaced",
        "names": ["plural": "kafkatopics", "kind": "KafkaTopic"], "versions": [version],
      ],
    ]
  }()

  static func topic(_ spec: JSON) -> JSON {
    ["apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": "KafkaTopic", "metadata": ["name": "t"], "spec": spec]
  }

  private func world() throws -> World {
    var world = World()
    _ = try world.store.create(.definitions, version: "v1", namespace: nil, Self.definition, world.options("tests"))
    return world
  }

  private func refusal(_ spec: JSON) throws -> APIFailure? {
    var world = try world()
    return failure { () throws(APIFailure) in try world.create(Self.topics, Self.topic(spec), version: "v1alpha1") }
  }

  @Test func aDefinitionIsServedAtOnceAndSaysSo() throws {
    let world = try world()
    let definition = world.store.objects(.definitions)[0]
    #expect(definition["status"]["conditions"].elements.map(\.["type"]) == ["NamesAccepted", "Established"])
    #expect(definition["status"]["storedVersions"] == ["v1alpha1"])
    let served = Discovery.resources(world.store, group: "kafka.swiftwater.dev", version: "v1alpha1")
    #expect(served?["resources"].elements.map(\.["name"]) == ["kafkatopics", "kafkatopics/status"])
  }

  @Test func whatIsNotSaidGetsItsDefault() throws {
    var world = try world()
    let spec: JSON = ["cluster": ["name": "c"], "listeners": [["name": "x"]]]
    let made = try world.create(Self.topics, Self.topic(spec), version: "v1alpha1")
    #expect(made["spec"]["partitions"] == 1 && made["spec"]["deletionPolicy"] == "Retain")
    #expect(made["spec"]["listeners"] == [["name": "x", "tls": false]])
  }

  @Test func whatIsNotKnownIsLeftOutOrRefused() throws {
    var world = try world()
    let spec: JSON = ["cluster": ["name": "c", "odd": 1], "free": ["any": 1], "other": 2]
    var options = world.options("tests")
    let made = try world.store.create(
      Self.topics, version: "v1alpha1", namespace: "a", Self.topic(spec), options)
    #expect(made.object["spec"]["cluster"] == ["name": "c"] && made.object["spec"]["free"] == ["any": 1])
    #expect(made.warnings == ["unknown field \"spec.cluster.odd\"", "unknown field \"spec.other\""])
    options.unknownFields = .strict
    var fresh = try self.world()
    let strict = failure { () throws(APIFailure) in
      _ = try fresh.store.create(Self.topics, version: "v1alpha1", namespace: "a", Self.topic(spec), options)
    }
    #expect(strict?.code == 400 && strict?.message.contains("unknown field \"spec.other\"") == true)
  }

  static let broken: [(JSON, String, String)] = [
    (["cluster": ["name": "c"], "partitions": 0], "spec.partitions", "should be greater than or equal to 1"),
    (["cluster": ["name": "c"], "partitions": 101], "spec.partitions", "should be less than or equal to 100"),
    (["cluster": ["name": "c"], "partitions": "x"], "spec.partitions", "must be of type integer: \"string\""),
    ([:], "spec.cluster", "Required value"),
    (["cluster": ["name": "C1"]], "spec.cluster.name", "should match '^[a-z]+$'"),
    (
      ["cluster": ["name": "c"], "deletionPolicy": "Keep"], "spec.deletionPolicy",
      "supported values: \"Retain\", \"Delete\""
    ),
    (["cluster": ["name": "c"], "config": ["a": 1]], "spec.config.a", "must be of type string: \"integer\""),
    (["cluster": ["name": "c"], "size": true], "spec.size", "must be of type integer,string: \"boolean\""),
    (
      ["cluster": ["name": "c"], "listeners": [["name": "x"], ["name": "x"]]], "spec.listeners[1]",
      "Duplicate value: {\"name\":\"x\"}"
    ),
    (
      ["cluster": ["name": "c"], "listeners": [["name": "x"], ["name": "y"], ["name": "z"]]], "spec.listeners",
      "Too many: 3: must have at most 2 items"
    ),
  ]

  @Test(arguments: broken)
  func whatBreaksTheSchemaIsRefusedByItsField(spec: JSON, field: String, words: String) throws {
    let refused = try #require(try refusal(spec))
    #expect(refused.code == 422 && refused.reason == "Invalid")
    #expect(refused.message.hasPrefix("KafkaTopic.kafka.swiftwater.dev \"t\" is invalid: \(field): "))
    #expect(refused.details["causes"].elements.map(\.["field"].string) == [field])
    #expect(refused.message.hasSuffix(words))
  }

  @Test func severalFaultsAreToldAtOnce() throws {
    let refused = try #require(try refusal(["partitions": 0, "cluster": [:]]))
    #expect(refused.details["causes"].elements.count == 2)
    #expect(refused.message.contains("is invalid: ["))
  }

  @Test func whatADefinitionTakesWithItIsGone() throws {
    var world = try world()
    try world.create(Self.topics, Self.topic(["cluster": ["name": "c"]]), version: "v1alpha1")
    _ = try world.store.delete(
      .definitions, .init(name: "kafkatopics.kafka.swiftwater.dev"), DeleteOptions(), now: .init(milliseconds: 0))
    #expect(world.store.definition(Self.topics) == nil)
    #expect(failure { () throws(APIFailure) in _ = try world.store.list(Self.topics, Query()) }?.code == 404)
  }

  @Test(arguments: [
    (".spec.partitions", "3"), (".status.conditions[?(@.type==\"Ready\")].status", "True"),
    (".metadata.labels['a.b/c']", "x"), (".status.conditions[0].type", "Odd"), (".status.missing", ""),
  ])
  func aColumnFindsItsValue(path: String, value: String) {
    let object: JSON = [
      "metadata": ["labels": ["a.b/c": "x"]], "spec": ["partitions": 3],
      "status": ["conditions": [["type": "Odd", "status": "False"], ["type": "Ready", "status": "True"]]],
    ]
    #expect((ColumnPath(path).values(in: object).first.map { $0.string ?? $0.text() } ?? "") == value)
  }
}
