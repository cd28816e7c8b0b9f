import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary

@testable import Operator

/// The kubeconfig of a Region changes: the Kubernetes cluster behind it is the same one, or the Region stands still.
@Suite(.serialized) struct RotationTests {
  struct Other: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What its marker says; nil where it has none.
    let name: String?
  }
  static let others = [
    Other(testDescription: "a cluster of another name", name: "staging"),
    Other(testDescription: "another cluster of the same name", name: "b"),
    Other(testDescription: "a cluster without a name", name: nil),
  ]
  private static let marker = ObjectKey(namespace: Stage.namespace, name: "swiftwater-member")
  private static let leases = ResourceType("coordination.k8s.io", "v1", "leases", kind: "Lease")

  private static func topic(_ name: String) -> JSON {
    [
      "apiVersion": JSON(Marks.apiVersion), "kind": "KafkaTopic",
      "metadata": ["name": JSON(name), "namespace": JSON(Stage.namespace)],
      "spec": ["cluster": ["name": "nowhere"], "partitions": 1],
    ]
  }

  /// Regions a, b and c with an operator in a, and a topic that is in all of them.
  private func stage(and more: [String] = []) async throws -> Stage {
    let stage = try await Stage(["a", "b", "c"] + more, runsPods: false)
    try stage.startOperator(in: "a")
    for name in ["a", "b", "c"] { try await stage.apply(UnreadSecretTests.region(name), in: "a") }
    try await stage.apply(Self.topic("ours"), in: "a")
    for name in ["a", "b", "c"] { try await stage.waitUntilReady(Kinds.regions, name, in: "b") }
    try await stage.wait(Kinds.topics, "ours", in: "b", "a copy") {
      $0?.condition("Stalled")["status"].string == "True"
    }
    return stage
  }

  private func isAnother(_ region: JSON?) -> Bool {
    region?.condition("Stalled")["reason"].string == "AnotherCluster"
      && region?.condition("Ready")["status"].string == "False"
  }

  @Test(arguments: others) func aKubeconfigOfAnotherClusterTouchesNothingInEither(other: Other) async throws {
    let stage = try await stage(and: ["staging"])
    if let name = other.name {
      _ = try await stage.client("staging").create(
        Kinds.configMaps,
        ["metadata": ["name": "swiftwater-member", "namespace": "kafka"], "data": ["name": JSON(name)]])
    }
    try await stage.apply(Self.topic("theirs"), in: "staging")
    let key = ObjectKey(namespace: Stage.namespace, name: "b-kubeconfig")
    let staging = try #require(stage.cluster["staging"])
    let theirs = try await stage.version(of: "staging", Kinds.applied + Kinds.owned + [Self.leases])
    let ours = try await stage.version(of: "b", Kinds.owned + [Kinds.topics])
    _ = try await stage.client("a").mergePatch(
      Kinds.secrets, key, ["data": stage.secret(staging, caller: "a")["data"]])
    try await stage.wait(Kinds.regions, "b", in: "a", "that it is another cluster") { region in
      let message = region?.condition("Stalled")["message"].string ?? ""
      return self.isAnother(region) && message.contains("kafka/swiftwater-member") && message.contains("back")
    }
    // What is applied meanwhile reaches those that are known, and not the other one.
    try await stage.apply(Self.topic("later"), in: "a")
    try await stage.wait(Kinds.topics, "later", in: "c", "a copy") { $0 != nil }
    #expect(try await stage.version(of: "staging", Kinds.applied + Kinds.owned + [Self.leases]) == theirs)
    #expect(
      try await stage.version(of: "b", Kinds.owned + [Kinds.topics]) == ours)
    #expect(try await stage.client("a").find(Kinds.topics, ObjectKey(namespace: "kafka", name: "theirs")) == nil)
    let b = try #require(stage.cluster["b"])
    _ = try await stage.client("a").mergePatch(Kinds.secrets, key, ["data": stage.secret(b, caller: "a")["data"]])
    try await stage.waitUntilReady(Kinds.regions, "b", in: "a")
    try await stage.wait(Kinds.topics, "later", in: "b", "a copy") { $0 != nil }
    await stage.end()
  }

  @Test func otherCredentialsForTheSameClusterGoOn() async throws {
    let stage = try await stage()
    let b = try #require(stage.cluster["b"])
    // Only those who come as somebody else are let in from here on.
    b.server?.setRefused("a", true)
    try await stage.wait(Kinds.regions, "b", in: "a", "no answer") {
      $0?.condition("Reachable")["status"].string == "False"
    }
    let key = ObjectKey(namespace: Stage.namespace, name: "b-kubeconfig")
    _ = try await stage.client("a").mergePatch(Kinds.secrets, key, ["data": stage.secret(b, caller: "else")["data"]])
    try await stage.waitUntilReady(Kinds.regions, "b", in: "a")
    try await stage.apply(Self.topic("later"), in: "a")
    try await stage.wait(Kinds.topics, "later", in: "b", "a copy") { $0 != nil }
    await stage.end()
  }

  @Test func aKubeconfigIsChangedWithoutAMomentInWhichTheRegionIsUnreachable() async throws {
    let stage = try await stage()
    let b = try #require(stage.cluster["b"])
    let region = ObjectKey(namespace: Stage.namespace, name: "b")
    let before = try await stage.client("a").get(Kinds.regions, region)["status"]["conditions"]
    b.server?.inject(Fault(.slow(.milliseconds(300))))
    let key = ObjectKey(namespace: Stage.namespace, name: "b-kubeconfig")
    let listing = try await stage.client("a").list(Kinds.regions, .init(namespace: Stage.namespace))
    _ = try await stage.client("a").mergePatch(Kinds.secrets, key, ["data": stage.secret(b, caller: "else")["data"]])
    try await stage.awaitWords("goes on with another kubeconfig")
    // Every version that was written meanwhile is looked at.
    let watch = try await stage.client("a").watch(
      Kinds.regions, .init(namespace: Stage.namespace), from: listing.resourceVersion, lasting: .seconds(1))
    defer { watch.cancel() }
    while let event = try await watch.next() {
      guard case .modified(let object) = event, ObjectKey(of: object) == region else { continue }
      #expect(object["status"]["conditions"] == before)
    }
    await stage.end()
  }

  /// The operator itself is in a, and knows that it has not moved.
  @Test(arguments: ["a", "b"])
  func aClusterThatWasBuiltAnewBehindTheSameAddressIsAnotherUntilItIsSaidToBeTheSame(name: String) async throws {
    let stage = try await stage()
    let client = try stage.client(name)
    // Twice: whoever has not looked again since the first time does not know the second.
    for _ in 0..<2 {
      let uid = try await client.get(Kinds.configMaps, Self.marker)["metadata"]["uid"]
      try await client.delete(Kinds.configMaps, Self.marker)
      try await stage.wait(Kinds.regions, name, in: "a", "that its marker is gone") { self.isAnother($0) }
      #expect(try await client.find(Kinds.configMaps, Self.marker) == nil)
      var marker: JSON = [
        "metadata": ["name": "swiftwater-member", "namespace": "kafka"], "data": ["name": JSON(name)],
      ]
      _ = try await client.create(Kinds.configMaps, marker)
      try await stage.wait(Kinds.regions, name, in: "a", "another marker") {
        self.isAnother($0) && $0?.condition("Stalled")["message"].string?.contains(uid.string ?? "none") == true
      }
      marker["metadata"] = ["annotations": ["kafka.swiftwater.dev/replaces": uid]]
      _ = try await client.mergePatch(Kinds.configMaps, Self.marker, marker)
      try await stage.waitUntilReady(Kinds.regions, name, in: "a")
    }
    await stage.end()
  }
}
