import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary

@testable import Operator

/// What is deleted and cannot go yet says what it waits for.
@Suite(.serialized) struct DeletionWaitsTests {
  @Test func aRegionThatAClusterNamesSaysSoOnceAndGoesWithoutIt() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let client = try stage.client("a")
    func object(_ kind: String, _ name: String, _ spec: JSON) -> JSON {
      [
        "apiVersion": JSON(Marks.apiVersion), "kind": JSON(kind),
        "metadata": ["name": JSON(name), "namespace": JSON(Stage.namespace)], "spec": spec,
      ]
    }
    try await stage.apply(object(Region.kind, "a", ["provider": "local"]), in: "a")
    try await stage.apply(
      object(
        KafkaCluster.kind, "orders",
        ["durability": ["survive": "Broker"], "regions": [["name": "a", "brokers": 1, "controllers": 1]]]), in: "a")
    let writer = try Writer("first", stage)
    try await writer.await { $0[ObjectID(.kafkaCluster, Stage.namespace, "orders")] != nil }
    try await writer.lead()
    let key = ObjectKey(namespace: Stage.namespace, name: "a")
    var completed = 0
    func rounds(_ what: String, until isRight: (JSON?) -> Bool) async throws {
      let deadline = monotonicNow() + .seconds(30)
      while !isRight(try await client.find(Kinds.regions, key)) {
        try #require(monotonicNow() < deadline, "\(what) did not come true")
        if (try? await writer.reconciler.reconcile(.region(key))) != nil { completed += 1 }
        try await Task.sleep(nanoseconds: 5_000_000)
      }
    }
    try await rounds("Ready") { $0?.isReady == true && $0?["metadata"]["finalizers"].elements.isEmpty == false }
    try await client.delete(Kinds.regions, key)
    try await rounds("words about what it waits for") {
      let ready = $0?.condition("Ready") ?? .null
      return ready["reason"].string == "Deleting"
        && ready["message"].string?.contains("KafkaCluster kafka/orders has the Region in spec.regions") == true
    }
    let events = try await client.list(.events, .init(namespace: Stage.namespace)).objects
    #expect(events.count { $0["reason"].string == "Deleting" } == 1)
    let before = try await stage.everything(in: ["a"])
    completed = 0
    try await rounds("five more rounds") { _ in completed >= 5 }
    #expect(try await stage.everything(in: ["a"]) == before)
    try await client.delete(Kinds.clusters, ObjectKey(namespace: Stage.namespace, name: "orders"))
    try await rounds("no Region") { $0 == nil }
    writer.close()
    await stage.end()
  }
}
