import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Reconciliation
import Telemetry
import Testing
import Vocabulary

@testable import Operator

/// Two operators that both believe to lead: one slept, and the other was given its Lease meanwhile.
@Suite(.serialized) struct FenceTests {
  /// What of an operator writes.
  private struct Writer {
    let membership: Membership
    let leadership: Leadership
    let performer: Performer

    init(_ name: String, _ stage: Stage) throws {
      let region = try #require(stage.cluster["a"])
      let home = try Kubeconfig(files: [region.insideKubeconfigPath]).target()
      let doors = Door.Settings(
        namespace: Stage.namespace, watched: Stage.namespace, grace: .seconds(60), probePeriod: .milliseconds(100))
      let metrics = MetricRegistry()
      membership = try Membership(
        home: home, named: "a", doors, patience: .seconds(2), log: stage.log, metrics: metrics
      ) { _, _ in }
      leadership = Leadership(
        .init(
          key: ObjectKey(namespace: Stage.namespace, name: "swiftwater-operator"), identity: name,
          duration: .seconds(300)), log: stage.log, onChange: { _ in })
      performer = Performer(leadership, identity: name, log: stage.log, metrics: metrics)
      membership.start()
    }

    /// Returns once its caches say so.
    func await(_ isSo: (Caches) -> Bool) async throws {
      let deadline = monotonicNow() + .seconds(20)
      while Sights(membership).doors["a"]?.caches.map({ $0.isSynced && isSo($0) }) != true {
        try #require(monotonicNow() < deadline, "the caches do not show it")
        try await Task.sleep(nanoseconds: 20_000_000)
      }
    }

    func lead() async throws {
      let door = try #require(membership.members["a"])
      await leadership.attend(["a": door.server], of: 1)
    }

    func perform(_ step: Step) async -> Bool {
      let key = WorkKey.cluster(ObjectKey(namespace: Stage.namespace, name: "orders"))
      return await performer.perform([step], for: key, Sights(membership)) { _ in }
    }
  }

  private static let id = ObjectID(.configMap, Stage.namespace, "orders-a-0")

  private static func map(_ value: String) -> JSON {
    [
      "apiVersion": "v1", "kind": "ConfigMap",
      "metadata": [
        "name": JSON(id.name), "namespace": JSON(id.namespace),
        "labels": [Marks.managedBy: JSON(Marks.managedByValue), Marks.cluster: "orders"],
      ], "data": ["value": JSON(value)],
    ]
  }

  /// The first has written and its caches hear no more; the second leads since then, and has written too.
  private func withTwoLeaders(_ body: (_ first: Writer, _ uid: String, _ stage: Stage) async throws -> Void)
    async throws
  {
    let stage = try await Stage(["a"], runsPods: false)
    let (first, second) = (try Writer("first", stage), try Writer("second", stage))
    for writer in [first, second] { try await writer.await { _ in true } }
    try await first.lead()
    #expect(await first.perform(.apply(Self.map("old"), member: "a")))
    for writer in [first, second] { try await writer.await { $0[Self.id] != nil } }
    stage.cluster["a"]?.server?.setWatchesStale(true)
    // The Lease is taken from the one that sleeps.
    let lease = ObjectKey(namespace: Stage.namespace, name: "swiftwater-operator")
    _ = try await stage.client("a").mergePatch(.leases, lease, ["spec": ["holderIdentity": ""]])
    try await second.lead()
    #expect(first.leadership.isLeading && second.leadership.isLeading)
    #expect(second.leadership.mandate.epoch > first.leadership.mandate.epoch)
    #expect(await second.perform(.apply(Self.map("new"), member: "a")))
    let written = try await stage.client("a").get(Kinds.configMaps, Self.id.key)
    try await body(first, written["metadata"]["uid"].string ?? "", stage)
    stage.cluster["a"]?.server?.heal()
    // It hears of the newer epoch with its next look, and believes no longer.
    try await first.await { $0[Self.id]?["data"]["value"].string == "new" }
    #expect(await !first.perform(.apply(Self.map("old"), member: "a")))
    #expect(!first.leadership.isLeading)
    for writer in [first, second] { writer.membership.close() }
    await stage.end()
  }

  @Test func theOneWithTheOlderEpochOverwritesNothing() async throws {
    try await withTwoLeaders { first, _, stage in
      #expect(await !first.perform(.apply(Self.map("old"), member: "a")))
      let present = try await stage.client("a").get(Kinds.configMaps, Self.id.key)
      #expect(present["data"]["value"].string == "new")
      #expect(present["metadata"]["annotations"][Leadership.epochMark].string == "2")
    }
  }

  @Test func theOneWithTheOlderEpochDeletesNothing() async throws {
    try await withTwoLeaders { first, uid, stage in
      #expect(await !first.perform(.delete(Self.id, uid: uid, member: "a")))
      _ = try await stage.client("a").get(Kinds.configMaps, Self.id.key)
    }
  }

  @Test func whoeverDoesNotLeadWritesNothing() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let writer = try Writer("first", stage)
    try await writer.await { _ in true }
    await writer.leadership.end()
    #expect(await !writer.perform(.apply(Self.map("old"), member: "a")))
    #expect(try await stage.client("a").find(Kinds.configMaps, Self.id.key) == nil)
    writer.membership.close()
    await stage.end()
  }
}
