import FoundationEssentials
import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing
import Vocabulary
import YAML

@testable import Operator

@Suite(.serialized) struct RightsTests {
  /// A named template of the chart, as YAML. Those about rights have nothing to fill in.
  private func rules(_ name: String) throws -> [JSON] {
    let text = try String(contentsOfFile: "\(Stage.root)/charts/swiftwater/templates/_rules.tpl", encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let begin = try #require(lines.firstIndex { $0.hasPrefix("{{- define \"swiftwater.\(name)\"") })
    let body = lines[(begin + 1)...].prefix { $0 != "{{- end }}" }
    return try #require(try JSON.documents(inYAML: body.joined(separator: "\n")).first).elements
  }

  @Test func theChartGrantsWhatIsStatedHere() throws {
    #expect(try rules("rules") == OperatorRights.watched)
    #expect(try rules("ownRules") == OperatorRights.own)
  }

  @Test func noNamesAreNoRightToAllSecrets() {
    #expect(OperatorRights.secrets([]) == [])
    #expect(OperatorRights.secrets(["a"])[0]["resourceNames"] == ["a"])
  }

  @Test func aRightThatIsMissingIsNamed() async throws {
    let stage = try await Stage(["a"], runsPods: false, hasRights: true)
    let role = ObjectKey(namespace: Stage.namespace, name: "operator")
    var rules = Stage.rules
    rules.removeAll { $0["resources"][0].string == "pods" }
    _ = try await stage.client("a").mergePatch(Stage.roles, role, ["rules": .array(rules)])
    var home = try Kubeconfig(files: [try #require(stage.cluster["a"]).insideKubeconfigPath]).target()
    home.token = .fixed(Stage.operatorToken)
    let settings = OperatorService.Settings(home: home, namespace: Stage.namespace, identity: "it")
    let error = await #expect(throws: APIError.self) { try await OperatorCommand.checkRights(settings) }
    #expect(error?.description.contains("may not list pods in namespace kafka") == true)
    await stage.end()
  }

  @Test func theRightToReadMachinesMayBeGrantedLater() async throws {
    let names = ["eu-west", "eu-central", "eu-north"]
    let stage = try await Stage(names, runsPods: false, hasRights: true)
    let roles = ResourceType(
      "rbac.authorization.k8s.io", "v1", "clusterroles", kind: "ClusterRole", scope: .cluster)
    let role = ObjectKey(namespace: "", name: "operator")
    _ = try await stage.client("eu-west").mergePatch(roles, role, ["rules": []])
    try stage.startOperator(in: "eu-west")
    try await stage.apply(example: "laptop/regions.yaml", in: "eu-west") {
      $0["spec"]["network"] = ["type": "NodePort"]
    }
    try await stage.applyCluster { _ in }
    try await stage.wait(Kinds.clusters, "orders", in: "eu-west", "which right is missing") {
      let message = $0?.condition("Reconciling")["message"].string ?? ""
      return message.contains("orders-eu-west-0 starts once") && message.contains("may not list nodes")
        && message.contains("orders-eu-north-0 starts once its Service has an address")
    }
    _ = try await stage.client("eu-west").mergePatch(roles, role, ["rules": .array(OperatorRights.machines)])
    try await stage.wait(Kinds.clusters, "orders", in: "eu-west", "nothing of a right") {
      let message = $0?.condition("Reconciling")["message"].string ?? ""
      return message.contains("orders-eu-west-0 starts once its Service has an address")
    }
    await stage.end()
  }

  /// A whole life with the rights of the chart: what is refused is a right that is missing, and what was never asked
  /// for is one too many.
  @Test(.enabled(if: Stage.program != nil, "brokers need the built program"))
  func anOperatorLivesWithTheRightsOfTheChartAndUsesEachOfThem() async throws {
    let stage = try await Stage.withExamples(hasRights: true)
    try await stage.putBackTwice("payments", in: "eu-north")
    try await stage.mirrorOnce(in: "eu-west", copiedTo: "eu-north")
    let change: @Sendable (inout JSON) -> Void = { cluster in
      cluster["spec"]["config"]["num.network.threads"] = "3"
      cluster["spec"]["regions"] = .array(
        cluster["spec"]["regions"].elements.map { share in
          var share = share
          share["storage"]["deletionPolicy"] = "Delete"
          return share
        })
    }
    let before = try await stage.client("eu-west").get(Kinds.pods, stage.pod("eu-west"))["metadata"]["uid"].string
    try await stage.applyCluster(change)
    try await stage.wait(Kinds.pods, "orders-eu-west-0-0", in: "eu-west", upTo: .seconds(90), "another pod") {
      guard let pod = $0, pod["metadata"]["uid"].string != before else { return false }
      return Pod(pod).state == .ready
    }
    for (type, name) in [(Kinds.topics, "payments"), (Kinds.topics, "audit"), (Kinds.clusters, "orders")] {
      try await stage.client("eu-west").delete(type, ObjectKey(namespace: Stage.namespace, name: name))
      try await stage.wait(type, name, in: "eu-west", upTo: .seconds(120), "no \(name)") { $0 == nil }
    }
    try await stage.client("eu-west").delete(
      Kinds.regions, ObjectKey(namespace: Stage.namespace, name: "eu-north"))
    try await stage.wait(Kinds.regions, "eu-north", in: "eu-west", "no Region eu-north") { $0 == nil }
    var granted: Set<String> = []
    var refused: Set<String> = []
    for region in stage.cluster.regions {
      let asked = try #require(region.server).rightsAsked
      granted.formUnion(asked.granted.map { "\($0.verb) \($0.resource)" })
      refused.formUnion(asked.refused.map(\.description))
    }
    #expect(refused.sorted() == [])
    #expect(Stage.stated.subtracting(granted).sorted() == Stage.notHere.sorted())
    #expect(granted.subtracting(Stage.stated).sorted() == [])
    await stage.end()
  }
}

extension Stage {
  static let operatorToken = "serviceaccount:kafka:swiftwater-operator"
  static let peerToken = "serviceaccount:kafka:swiftwater-peer"
  private static let group = "rbac.authorization.k8s.io"
  static let roles = ResourceType(group, "v1", "roles", kind: "Role")

  static let rules =
    OperatorRights.own + OperatorRights.watched
    + OperatorRights.secrets(["eu-west-kubeconfig", "eu-central-kubeconfig", "eu-north-kubeconfig", "a-kubeconfig"])

  /// Every verb on every resource that some rule grants.
  static var stated: Set<String> {
    Set(
      (rules + OperatorRights.machines).flatMap { rule in
        rule["resources"].elements.flatMap { resource in
          rule["verbs"].elements.map { "\($0.string ?? "") \(resource.string ?? "")" }
        }
      })
  }
  /// Exports of Services are only for API servers that have the multi-cluster Services API.
  static let notHere = ["create", "delete", "list", "patch", "watch"].map { "\($0) serviceexports" }

  func grantRights(in region: String) async throws {
    let client = try client(region)
    for (name, rules) in [("operator", Self.rules), ("peer", OperatorRights.own + OperatorRights.watched)] {
      let metadata: JSON = ["name": JSON(name), "namespace": JSON(Self.namespace)]
      let subject: JSON = [
        "kind": "ServiceAccount", "name": JSON("swiftwater-\(name)"), "namespace": JSON(Self.namespace),
      ]
      try await client.create(Self.roles, ["metadata": metadata, "rules": .array(rules)]).discard()
      try await client.create(
        ResourceType(Self.group, "v1", "rolebindings", kind: "RoleBinding"),
        [
          "metadata": metadata, "subjects": [subject],
          "roleRef": ["apiGroup": JSON(Self.group), "kind": "Role", "name": JSON(name)],
        ]
      ).discard()
      try await client.create(
        ResourceType(Self.group, "v1", "clusterroles", kind: "ClusterRole", scope: .cluster),
        ["metadata": ["name": JSON(name)], "rules": .array(OperatorRights.machines)]
      ).discard()
      try await client.create(
        ResourceType(Self.group, "v1", "clusterrolebindings", kind: "ClusterRoleBinding", scope: .cluster),
        [
          "metadata": ["name": JSON(name)], "subjects": [subject],
          "roleRef": ["apiGroup": JSON(Self.group), "kind": "ClusterRole", "name": JSON(name)],
        ]
      ).discard()
    }
  }

  /// Applies a mirror whose source is nowhere, and takes it away again.
  func mirrorOnce(in region: String, copiedTo other: String) async throws {
    let mirror: JSON = [
      "apiVersion": JSON(Marks.apiVersion), "kind": JSON(KafkaMirror.kind),
      "metadata": ["name": "nowhere", "namespace": JSON(Self.namespace)],
      "spec": ["target": "orders", "source": ["bootstrapServers": ["127.0.0.1:1"]], "topics": ["none*"]],
    ]
    try await apply(mirror, in: region)
    try await wait(Kinds.mirrors, "nowhere", in: other, "a copy that says that the source is silent") {
      $0?.condition("Mirroring")["reason"].string == "Beginning"
    }
    try await client(region).delete(Kinds.mirrors, ObjectKey(namespace: Self.namespace, name: "nowhere"))
    for place in [region, other] { try await wait(Kinds.mirrors, "nowhere", in: place, "no mirror") { $0 == nil } }
  }

  /// Edits a copy twice: the same words about it are one Event that is counted up.
  func putBackTwice(_ topic: String, in region: String) async throws {
    let key = ObjectKey(namespace: Self.namespace, name: topic)
    let wanted = try await client(region).get(Kinds.topics, key)["spec"]["partitions"].int
    for _ in 0..<2 {
      _ = try await client(region).mergePatch(Kinds.topics, key, ["spec": ["partitions": 90]])
      try await wait(Kinds.topics, topic, in: region, "the copy as it was") {
        $0?["spec"]["partitions"].int == wanted
      }
    }
  }
}
