import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Reconciliation
import Testing
import Vocabulary

@testable import Operator

/// What an API server or the brokers refuse is said on the object, and holds up nothing that does not build on it.
@Suite(.serialized) struct RefusedWriteTests {
  private static let key = ObjectKey(namespace: Stage.namespace, name: "orders")
  private static let claims = ResourceName("", "persistentvolumeclaims")

  private static func orders(image: String, size: String) -> JSON {
    [
      "apiVersion": JSON(Marks.apiVersion), "kind": JSON(KafkaCluster.kind),
      "metadata": ["name": "orders", "namespace": JSON(Stage.namespace)],
      "spec": [
        "image": JSON(image), "durability": ["survive": "Broker"],
        "regions": [["name": "a", "brokers": 1, "controllers": 1, "storage": ["size": JSON(size)]]],
      ],
    ]
  }

  private static let region: JSON = [
    "apiVersion": JSON(Marks.apiVersion), "kind": JSON(Region.kind),
    "metadata": ["name": "a", "namespace": JSON(Stage.namespace)], "spec": ["provider": "local"],
  ]

  /// Rounds about the cluster until the objects are as wished.
  private func rounds(
    _ writer: Writer, _ what: String, until isRight: () async throws -> Bool
  ) async throws {
    let deadline = monotonicNow() + .seconds(30)
    while try await !isRight() {
      try #require(monotonicNow() < deadline, "\(what) did not come true")
      _ = try? await writer.reconciler.reconcile(.cluster(Self.key))
      try await Task.sleep(nanoseconds: 5_000_000)
    }
  }

  @Test func aVolumeThatMayNotGrowIsSaidAndTheRestOfItsMemberGoesOn() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let client = try stage.client("a")
    for object in [Self.region, Self.orders(image: "one", size: "1Gi")] { try await stage.apply(object, in: "a") }
    let writer = try Writer("first", stage)
    let id = ObjectID(.kafkaCluster, Stage.namespace, "orders")
    try await writer.await { $0[id] != nil }
    try await writer.lead()
    let node = ObjectKey(namespace: Stage.namespace, name: "orders-a-0")
    try await rounds(writer, "the first StatefulSet") { try await client.find(Kinds.sets, node) != nil }
    stage.cluster["a"]?.server?.inject(Fault(.refuse(code: 403), verb: "write", resource: Self.claims))
    try await stage.apply(Self.orders(image: "two", size: "2Gi"), in: "a")
    try await rounds(writer, "a condition that says so") {
      let stalled = try await client.get(Kinds.clusters, Self.key).condition("Stalled")
      return stalled["reason"].string == "Refused" && stalled["observedGeneration"].int == 2
    }
    let found = try await client.get(Kinds.clusters, Self.key)
    let words = found.condition("Stalled")["message"].string ?? ""
    #expect(words.contains("data-orders-a-0") && words.contains("403"), "\(words)")
    let set = try await client.get(Kinds.sets, node)
    #expect(set["spec"]["template"]["spec"]["containers"][0]["image"].string == "two")
    // At rest with that: nothing is written any more, and nothing is asked for either.
    let before = try await stage.everything(in: ["a"])
    var completed = 0
    try await rounds(writer, "five more rounds") {
      if (try? await writer.reconciler.reconcile(.cluster(Self.key))) != nil { completed += 1 }
      return completed == 5
    }
    #expect(try await stage.everything(in: ["a"]) == before)
    // What is asked for anew is tried at once.
    stage.cluster["a"]?.server?.heal()
    try await stage.apply(Self.orders(image: "two", size: "3Gi"), in: "a")
    try await rounds(writer, "a volume that grows") {
      let stalled = try await client.get(Kinds.clusters, Self.key).condition("Stalled")
      return stalled["status"].string == "False" && stalled["observedGeneration"].int == 3
    }
    writer.close()
    await stage.end()
  }

  @Test func whatIsRefusedIsNotTriedAgainAtOnceAndSomethingElseIs() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let writer = try Writer("first", stage)
    try await writer.await { _ in true }
    try await writer.lead()
    let server = try #require(stage.cluster["a"]?.server)
    func map(_ value: String) -> Step {
      .apply(
        [
          "apiVersion": "v1", "kind": "ConfigMap",
          "metadata": ["name": "orders-a-0", "namespace": JSON(Stage.namespace)], "data": ["value": JSON(value)],
        ], member: "a")
    }
    let work = WorkKey.cluster(Self.key)
    func perform(_ step: Step) async -> Performed {
      await writer.performer.perform([step], for: work, Sights(writer.membership)) { _ in }
    }
    server.inject(Fault(.refuse(code: 422), verb: "write"))
    var performed = await perform(map("one"))
    #expect(performed.isRefused && performed.didSomething && !performed.hasFailed)
    #expect(writer.performer.refusals(of: work).words.count == 1)
    server.heal()
    performed = await perform(map("one"))
    #expect(performed.isRefused && !performed.didSomething, "it waits for its time")
    performed = await perform(map("two"))
    #expect(performed.isDone && performed.didSomething)
    writer.performer.endRound(work)
    writer.performer.endRound(work)
    #expect(writer.performer.refusals(of: work).words.isEmpty)
    writer.close()
    await stage.end()
  }

  /// A step that is not tried because another one before it was refused is no reason to look again at once.
  @Test func whatWaitsBehindARefusalIsNotLookedAtAllTheTime() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let pause = TimeSpan.milliseconds(20)
    let writer = try Writer("first", stage, retries: pause)
    let work = WorkKey.cluster(Self.key)
    let set = Step.delete(ObjectID(.statefulSet, Stage.namespace, "orders-a-0"), uid: nil, member: "a")
    _ = writer.performer.refuse(set, "no", work)
    try await Task.sleep(nanoseconds: UInt64(2 * pause.nanoseconds))
    #expect(!writer.performer.isHeld(set, work))
    #expect(writer.performer.nextTry(of: work) == pause)
    let id = ObjectID(.kafkaCluster, Stage.namespace, "orders")
    _ = writer.performer.refuse(.writeStatus(id, ["a": 1], member: "a"), "no", work)
    let again = writer.performer.refuse(.writeStatus(id, ["a": 2], member: "a"), "no", work)
    #expect(!again.didSomething, "it was refused before")
    writer.performer.forget(.writeStatus(id, ["a": 3], member: "a"), work)
    #expect(writer.performer.refusals(of: work).words.count == 1)
    writer.close()
    await stage.end()
  }

  /// Who cannot be reached, or is too busy, is not refusing.
  @Test(arguments: [500, 503, 429]) func aServerThatIsInTroubleRefusesNothing(code: Int) async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let writer = try Writer("first", stage)
    try await writer.await { _ in true }
    try await writer.lead()
    stage.cluster["a"]?.server?.inject(Fault(.refuse(code: code), verb: "write"))
    let map: JSON = [
      "apiVersion": "v1", "kind": "ConfigMap",
      "metadata": ["name": "orders-a-0", "namespace": JSON(Stage.namespace)],
    ]
    let work = WorkKey.cluster(Self.key)
    let performed = await writer.performer.perform(
      [.apply(map, member: "a")], for: work, Sights(writer.membership)
    ) { _ in }
    #expect(performed.hasFailed && !performed.isRefused)
    #expect(writer.performer.refusals(of: work).words.isEmpty)
    #expect(throws: Reconciler.Undone.self) { try writer.reconciler.pause(after: performed, [], work) }
    // What others wait for shows on no watch.
    #expect(try writer.reconciler.pause(after: performed, ["a drain"], work) == writer.reconciler.pauses.whileWaiting)
    writer.close()
    await stage.end()
  }

  @Test(.enabled(if: Stage.program != nil, "brokers need the built program"))
  func aTopicThatBrokersRefuseSaysSoUntilItIsCorrected() async throws {
    let stage = try await Stage.withExamples()
    func topic(_ value: String) -> JSON {
      [
        "apiVersion": JSON(Marks.apiVersion), "kind": JSON(KafkaTopic.kind),
        "metadata": ["name": "refused", "namespace": JSON(Stage.namespace)],
        "spec": ["cluster": ["name": "orders"], "partitions": 1, "config": ["retention.ms": JSON(value)]],
      ]
    }
    try await stage.apply(topic("abc"), in: "eu-west")
    for region in ["eu-west", "eu-north"] {
      try await stage.wait(Kinds.topics, "refused", in: region, "Stalled in \(region)") {
        let stalled = $0?.condition("Stalled") ?? .null
        return stalled["reason"].string == "Refused" && stalled["message"].string?.contains("retention.ms") == true
      }
    }
    try await stage.apply(topic("86400000"), in: "eu-west")
    try await stage.waitUntilReady(Kinds.topics, "refused", in: "eu-north")
    let made = try await stage.client("eu-west").get(
      Kinds.topics, ObjectKey(namespace: Stage.namespace, name: "refused"))
    #expect(made.condition("Stalled")["status"].string == "False")
    await stage.end()
  }
}
