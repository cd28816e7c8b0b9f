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
  private func withTwoLeaders(
    _ body: (_ first: Writer, _ second: Writer, _ uid: String, _ stage: Stage) async throws -> Void
  ) async throws {
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
    try await body(first, second, written["metadata"]["uid"].string ?? "", stage)
    stage.cluster["a"]?.server?.heal()
    // It hears of the newer epoch with its next look, and believes no longer.
    if try await stage.client("a").find(Kinds.configMaps, Self.id.key) == nil {
      try await second.await { $0[Self.id] == nil }
      #expect(await second.perform(.apply(Self.map("new"), member: "a")))
    }
    try await first.await { $0[Self.id]?["data"]["value"].string == "new" }
    #expect(await !first.perform(.apply(Self.map("old"), member: "a")))
    #expect(!first.leadership.isLeading)
    for writer in [first, second] { writer.close() }
    await stage.end()
  }

  @Test func theOneWithTheOlderEpochOverwritesNothing() async throws {
    try await withTwoLeaders { first, _, _, stage in
      #expect(await !first.perform(.apply(Self.map("old"), member: "a")))
      let present = try await stage.client("a").get(Kinds.configMaps, Self.id.key)
      #expect(present["data"]["value"].string == "new")
      #expect(present["metadata"]["annotations"][Leadership.epochMark].string == "2")
    }
  }

  @Test func theOneWithTheOlderEpochDeletesNothing() async throws {
    try await withTwoLeaders { first, _, uid, stage in
      #expect(await !first.perform(.delete(Self.id, uid: uid, member: "a")))
      _ = try await stage.client("a").get(Kinds.configMaps, Self.id.key)
    }
  }

  /// An apply that named the version alone would make the object anew.
  @Test func theOneWithTheOlderEpochBringsNothingBackThatWasDeleted() async throws {
    try await withTwoLeaders { first, _, uid, stage in
      try await stage.client("a").delete(Kinds.configMaps, Self.id.key, uid: uid)
      #expect(await !first.perform(.apply(Self.map("old"), member: "a")))
      #expect(try await stage.client("a").find(Kinds.configMaps, Self.id.key) == nil)
    }
  }

  @Test func whoeverDoesNotLeadWritesNothing() async throws {
    let stage = try await Stage(["a"], runsPods: false)
    let writer = try Writer("first", stage)
    try await writer.await { _ in true }
    await writer.leadership.end()
    #expect(await !writer.perform(.apply(Self.map("old"), member: "a")))
    #expect(try await stage.client("a").find(Kinds.configMaps, Self.id.key) == nil)
    writer.close()
    await stage.end()
  }
}
