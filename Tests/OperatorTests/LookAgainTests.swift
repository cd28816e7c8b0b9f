import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary

@testable import Operator

/// Brokers may take seconds to answer. What changes meanwhile is what the plan is about, and not what was seen before
/// they were asked.
@Suite(.serialized) struct LookAgainTests {
  /// A broker that somebody connects to and that says nothing until it is closed.
  private final class SilentBroker {
    private let listener: Int32
    private var connection: Int32 = -1
    let address: String

    init() throws {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isBound = withUnsafeMutablePointer(to: &place) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          bind(listener, address, length) == 0 && listen(listener, 8) == 0
            && getsockname(listener, address, &length) == 0
        }
      }
      try #require(isBound)
      self.listener = listener
      address = "127.0.0.1:\(UInt16(bigEndian: place.sin_port))"
    }

    /// Returns once somebody has asked.
    func awaitQuestion() async throws {
      let deadline = monotonicNow() + .seconds(20)
      while connection < 0 {
        try #require(monotonicNow() < deadline, "nobody asks the broker")
        connection = accept(listener, nil, nil)
        try await Task.sleep(nanoseconds: 5_000_000)
      }
    }

    func end() {
      if connection >= 0 { Glibc.close(connection) }
      Glibc.close(listener)
    }
  }

  private static let cluster = ObjectKey(namespace: Stage.namespace, name: "orders")

  private static func object(_ kind: String, _ name: String, _ spec: JSON) -> JSON {
    [
      "apiVersion": JSON(Marks.apiVersion), "kind": JSON(kind),
      "metadata": ["name": JSON(name), "namespace": JSON(Stage.namespace)], "spec": spec,
    ]
  }

  private static func orders(image: String) -> JSON {
    object(
      KafkaCluster.kind, "orders",
      [
        "image": JSON(image), "durability": ["survive": "Broker"],
        "regions": [["name": "a", "brokers": 1, "controllers": 1]],
      ])
  }

  /// One round about a key, with a change of the world while the brokers are being asked.
  private func round(
    _ key: WorkKey, before: [JSON] = [], meanwhile change: (Stage) async throws -> Void,
    shows: (Caches) -> Bool, then check: (Stage) async throws -> Void
  ) async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let broker = try SilentBroker()
    try await stage.apply(Self.object(Region.kind, "a", ["provider": "local"]), in: "a")
    try await stage.apply(Self.orders(image: "one"), in: "a")
    for object in before { try await stage.apply(object, in: "a") }
    var cluster = try await stage.client("a").get(Kinds.clusters, Self.cluster)
    cluster["status"] = [
      "clusterID": "AAAAAAAAAAcAAAAAAAAAAQ", "nodeIDBlocks": [["region": "a", "first": 100]], "initialVoters": [100],
      "bootstrapServers": [JSON(broker.address)],
    ]
    _ = try await stage.client("a").update(Kinds.clusters, cluster, .status)
    let writer = try Writer("first", stage)
    let id = ObjectID(.kafkaCluster, Stage.namespace, "orders")
    try await writer.await { $0[id]?["status"]["clusterID"].string != nil }
    try await writer.lead()
    let reconciler = writer.reconciler
    let working = Task { try? await reconciler.reconcile(key) }
    try await broker.awaitQuestion()
    try await change(stage)
    try await writer.await(shows)
    broker.end()
    _ = await working.value
    try await check(stage)
    writer.close()
    await stage.end()
  }

  @Test func aClusterThatIsEditedWhileItsBrokersAreAskedComesUpAsItIsNow() async throws {
    let id = ObjectID(.kafkaCluster, Stage.namespace, "orders")
    try await round(.cluster(Self.cluster)) { stage in
      try await stage.apply(Self.orders(image: "two"), in: "a")
    } shows: {
      $0[id]?["spec"]["image"].string == "two"
    } then: { stage in
      let key = ObjectKey(namespace: Stage.namespace, name: "orders-a-0")
      let set = try await stage.client("a").get(Kinds.sets, key)
      #expect(set["spec"]["template"]["spec"]["containers"][0]["image"].string == "two")
    }
  }

  @Test func topicsOfAClusterThatGoesWhileItsBrokersAreAskedSaySo() async throws {
    let topic = Self.object(KafkaTopic.kind, "payments", ["cluster": ["name": "orders"], "partitions": 3])
    let id = ObjectID(.kafkaCluster, Stage.namespace, "orders")
    try await round(.topics(of: Self.cluster), before: [topic]) { stage in
      try await stage.client("a").delete(Kinds.clusters, Self.cluster)
    } shows: {
      $0[id] == nil
    } then: { stage in
      let found = try await stage.client("a").get(
        Kinds.topics, ObjectKey(namespace: Stage.namespace, name: "payments"))
      #expect(found.condition("Ready")["reason"].string == "NoSuchCluster")
    }
  }

  @Test func aMirrorThatIsEditedWhileBrokersAreAskedIsWhatItIsNow() async throws {
    func mirror(_ name: String, _ topics: String) -> JSON {
      Self.object(
        KafkaMirror.kind, name,
        ["target": "orders", "source": ["bootstrapServers": ["127.0.0.1:1"]], "topics": [JSON(topics)]])
    }
    let key = ObjectKey(namespace: Stage.namespace, name: "first")
    try await round(.mirrors(into: Self.cluster), before: [mirror("first", "a*")]) { stage in
      try await stage.apply(mirror("first", "b*"), in: "a")
    } shows: { caches in
      caches[ObjectID(.kafkaMirror, key.namespace, key.name)]?["spec"]["topics"][0].string == "b*"
    } then: { stage in
      let found = try await stage.client("a").get(Kinds.mirrors, key)
      #expect(found["metadata"]["generation"].int == 2)
      #expect(found["status"]["observedGeneration"].int == 2)
      #expect(found.condition("Ready")["observedGeneration"].int == 2)
    }
  }
}
