import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary

@testable import Operator

/// A member that was cut off, whose Region was deleted, and that comes back with its operator and all it had.
@Suite(.serialized) struct ReturnTests {
  private static func key(_ name: String) -> ObjectKey { ObjectKey(namespace: Stage.namespace, name: name) }

  private static func region(_ name: String) -> JSON {
    [
      "apiVersion": JSON(Marks.apiVersion), "kind": "Region",
      "metadata": ["name": JSON(name), "namespace": JSON(Stage.namespace)],
      "spec": ["provider": "local", "access": ["kubeconfigSecret": ["name": JSON("\(name)-kubeconfig")]]],
    ]
  }

  private static let topic: JSON = [
    "apiVersion": JSON(Marks.apiVersion), "kind": "KafkaTopic",
    "metadata": ["name": "old", "namespace": JSON(Stage.namespace)],
    "spec": ["cluster": ["name": "nowhere"], "partitions": 1],
  ]

  /// The cluster that came in its place has its name, and is not it.
  @Test func itsOperatorDoesNotLeadWhileAnotherClusterHasItsName() async throws {
    let stage = try await Stage(["a", "b", "c", "d"], runsPods: false)
    for region in ["a", "b", "c"] { try stage.startOperator(in: region) }
    for region in ["a", "b", "c"] { try await stage.apply(Self.region(region), in: "b") }
    for member in ["a", "c"] { try await stage.waitUntilReady(Kinds.regions, "c", in: member) }
    stage.cluster.cut("a")
    try await stage.client("b").delete(Kinds.regions, Self.key("a"))
    for member in ["b", "c"] {
      try await stage.wait(Kinds.regions, "a", in: member, "no Region a in \(member)") { $0 == nil }
    }
    let other = try #require(stage.cluster["d"])
    for member in ["b", "c"] {
      _ = try await stage.client(member).mergePatch(
        Kinds.secrets, Self.key("a-kubeconfig"), ["data": stage.secret(other, caller: member)["data"]])
    }
    try await stage.apply(Self.region("a"), in: "b")
    for member in ["b", "c"] { try await stage.waitUntilReady(Kinds.regions, "a", in: member) }
    #expect(try await stage.client("b").find(Kinds.regions, Self.key("a"))?["status"]["member"].string == "a")
    for name in ["b", "c"] { stage.kill(name) }
    stage.cluster.heal("a")
    try await stage.awaitWords("this member was given up")
    #expect(stage.leaders == [])
    await stage.end()
  }

  @Test func itsOperatorDoesNotLeadAndWhatItHadBringsNothingBack() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    for region in ["a", "b", "c"] { try stage.startOperator(in: region) }
    for region in ["a", "b", "c"] { try await stage.apply(Self.region(region), in: "b") }
    try await stage.apply(Self.topic, in: "b")
    for member in ["a", "c"] {
      try await stage.wait(Kinds.topics, "old", in: member, "a copy with a status in \(member)") {
        $0?.condition("Stalled")["reason"].string == "NoSuchCluster"
      }
      try await stage.wait(Kinds.regions, "c", in: member, "a Region that is reachable") {
        $0?.condition("Reachable")["status"].string == "True"
      }
    }
    stage.cluster.cut("a")
    try await stage.client("b").delete(Kinds.regions, Self.key("a"))
    for member in ["b", "c"] {
      try await stage.wait(Kinds.regions, "a", in: member, "no Region a in \(member)") { $0 == nil }
    }
    try await stage.client("b").delete(Kinds.topics, Self.key("old"))
    try await stage.wait(Kinds.topics, "old", in: "b", "no topic in b") { $0 == nil }
    // The others are gone, and it is back: nobody holds a Lease.
    for name in ["b", "c"] { stage.kill(name) }
    stage.cluster.heal("a")
    try await stage.awaitWords("this member was given up")
    #expect(stage.leaders == [])
    // A Region leads to it again: what it had is cleared up, and it is a member like all others.
    try stage.startOperator(in: "b", named: "b-two")
    try await stage.apply(Self.region("a"), in: "b")
    try await stage.wait(Kinds.topics, "old", in: "a", "no topic in a") { $0 == nil }
    try await stage.wait(Kinds.regions, "a", in: "a", "a copy of the new Region") {
      $0?.condition("Reachable")["status"].string == "True" && $0?["metadata"]["labels"][Marks.origin].string == "b"
    }
    #expect(try await stage.client("b").find(Kinds.topics, Self.key("old")) == nil)
    #expect(try await stage.client("c").find(Kinds.topics, Self.key("old")) == nil)
    stage.kill("b-two")
    #expect(try await stage.leader() == "a")
    await stage.end()
  }
}

extension Stage {
  /// Returns once an operator has said so in its log.
  func awaitWords(_ words: String) async throws {
    let deadline = monotonicNow() + .seconds(30)
    while true {
      let text = try String(decoding: readBytes("\(folder)/operators.log"), as: UTF8.self)
      if text.contains(words) { return }
      try #require(monotonicNow() < deadline, "nobody says '\(words)'")
      try await Task.sleep(nanoseconds: 50_000_000)
    }
  }
}

private func readBytes(_ path: String) throws -> [UInt8] {
  let file = try #require(fopen(path, "r"), "\(path) is not there")
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
  return bytes
}
