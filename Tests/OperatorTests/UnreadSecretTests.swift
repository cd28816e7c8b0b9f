import EventLoop
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Telemetry
import Testing
import Vocabulary

@testable import Operator

/// A Region whose kubeconfig cannot be read, or could not for a while.
@Suite(.serialized) struct UnreadSecretTests {
  static func region(_ name: String) -> JSON {
    [
      "apiVersion": JSON(Marks.apiVersion), "kind": "Region",
      "metadata": ["name": JSON(name), "namespace": JSON(Stage.namespace)],
      "spec": ["provider": "local", "access": ["kubeconfigSecret": ["name": JSON("\(name)-kubeconfig")]]],
    ]
  }

  @Test func anOperatorThatMayNotReadKubeconfigsNeverLeadsAlone() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    try stage.startOperator(in: "a")
    for name in ["a", "b", "c"] { try await stage.apply(Self.region(name), in: "a") }
    for name in ["a", "b", "c"] { try await stage.waitUntilReady(Kinds.regions, name, in: "b") }
    stage.kill("a")
    let server = try #require(stage.cluster["b"]?.server)
    server.inject(Fault(.refuse(code: 403), verb: "list", resource: ResourceName("", "secrets")))
    let lonely = try stage.startOperator(in: "b")
    // It counts those whose kubeconfigs it cannot read, and has one Lease of three at most.
    let deadline = monotonicNow() + .seconds(30)
    while !["a", "c"].allSatisfy(lonely.counts) {
      try #require(!lonely.isLeading, "it leads alone")
      try #require(monotonicNow() < deadline, "it does not count the members whose kubeconfigs it may not read")
      try await Task.sleep(nanoseconds: 20_000_000)
    }
    try stage.startOperator(in: "c")
    #expect(try await stage.leader() == "c")
    #expect(!lonely.isLeading)
    await stage.end()
  }

  @Test func aRegionSaysWhichVerbOnWhichSecretIsRefused() async throws {
    let stage = try await Stage(["eu-west", "eu-central", "eu-north"], runsPods: false, hasRights: true)
    let role = ObjectKey(namespace: Stage.namespace, name: "operator")
    let fewer =
      OperatorRights.own + OperatorRights.watched
      + OperatorRights.secrets(["eu-west-kubeconfig", "eu-central-kubeconfig"])
    _ = try await stage.client("eu-west").mergePatch(Stage.roles, role, ["rules": .array(fewer)])
    try stage.startOperator(in: "eu-west")
    for region in stage.cluster.regions { try await stage.apply(Self.region(region.name), in: "eu-west") }
    try await stage.wait(Kinds.regions, "eu-north", in: "eu-west", "which right is missing") {
      let message = $0?.condition("Reachable")["message"].string ?? ""
      return message.contains("the Secret kafka/eu-north-kubeconfig cannot be read")
        && message.contains("may not list secrets")
    }
    _ = try await stage.client("eu-west").mergePatch(Stage.roles, role, ["rules": .array(Stage.rules)])
    try await stage.waitUntilReady(Kinds.regions, "eu-north", in: "eu-west")
    await stage.end()
  }

  @Test func aSecretThatIsDeletedAndMadeAgainAsItWasIsRead() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    try stage.startOperator(in: "a")
    for name in ["a", "b", "c"] { try await stage.apply(Self.region(name), in: "a") }
    try await stage.waitUntilReady(Kinds.regions, "b", in: "a")
    let key = ObjectKey(namespace: Stage.namespace, name: "b-kubeconfig")
    try await stage.client("a").delete(Kinds.secrets, key)
    try await stage.wait(Kinds.regions, "b", in: "a", "what is missing") {
      $0?.condition("Reachable")["message"].string?.contains("the Secret kafka/b-kubeconfig is not there") == true
    }
    _ = try await stage.client("a").create(Kinds.secrets, stage.secret(try #require(stage.cluster["b"]), caller: "a"))
    try await stage.waitUntilReady(Kinds.regions, "b", in: "a")
    await stage.end()
  }
}

extension OperatorService {
  /// Whether it knows that there is a member, and does not see it.
  fileprivate func counts(_ member: String) -> Bool {
    String(decoding: metrics.exposition(), as: UTF8.self).contains("operator_member_seen{member=\"\(member)\"} 0")
  }
}
