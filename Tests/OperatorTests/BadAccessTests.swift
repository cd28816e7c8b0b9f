import JSONValue
import KubernetesAPI
import KubernetesResources
import LocalKubernetes
import Testing

@testable import Operator

/// A Region whose kubeconfig does not do: its condition says what is missing, and goes on when it is there.
@Suite(.serialized) struct BadAccessTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let fault: Fault
    let words: String
  }
  static let refusals = [
    Refusal(
      testDescription: "a right is missing",
      fault: Fault(.refuse(code: 403), verb: "list", resource: ResourceName("apps", "statefulsets")),
      words: "may not list statefulsets.apps in namespace kafka"),
    Refusal(
      testDescription: "a token that is over", fault: Fault(.refuse(code: 401)), words: "could not"),
  ]

  private func region(_ name: String) -> JSON {
    var region = Region()
    region.metadata = ObjectMeta(name: name, namespace: Stage.namespace)
    var object = region.json
    object["spec"]["access"] = ["kubeconfigSecret": ["name": JSON("\(name)-kubeconfig")]]
    return object
  }

  @Test(arguments: refusals) func aRegionSaysWhatItsAPIServerRefuses(refusal: Refusal) async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    stage.cluster["b"]?.server?.inject(refusal.fault)
    try stage.startOperator(in: "a")
    for name in ["a", "b", "c"] { try await stage.apply(region(name), in: "a") }
    try await stage.wait(Kinds.regions, "b", in: "a", "what is refused") {
      let reachable = $0?.condition("Reachable")
      return reachable?["status"].string == "False" && reachable?["message"].string?.contains(refusal.words) == true
    }
    stage.cluster["b"]?.server?.heal()
    try await stage.wait(Kinds.regions, "b", in: "a", "Reachable") { $0?.isReady == true }
    await stage.end()
  }

  @Test func aCertificateOfNobodyIsNamed() async throws {
    let stage = try await Stage(["a", "b", "c"], runsPods: false)
    let b = try #require(stage.cluster["b"])
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": "it",
      "clusters": [
        [
          "name": "it",
          "cluster": ["server": JSON("https" + b.url.dropFirst(4)), "certificate-authority-data": "bm9uZQ=="],
        ]
      ],
      "users": [["name": "it", "user": ["token": "region:a"]]],
      "contexts": [["name": "it", "context": ["cluster": "it", "user": "it"]]],
    ]
    let key = ObjectKey(namespace: Stage.namespace, name: "b-kubeconfig")
    _ = try await stage.client("a").mergePatch(
      Kinds.secrets, key, ["data": ["kubeconfig": JSON(Base64.encode(config.bytes()))]])
    try stage.startOperator(in: "a")
    for name in ["a", "b", "c"] { try await stage.apply(region(name), in: "a") }
    try await stage.wait(Kinds.regions, "b", in: "a", "what is wrong") {
      let reachable = $0?.condition("Reachable")
      return reachable?["status"].string == "False"
        && reachable?["message"].string?.lowercased().contains("certificate") == true
    }
    await stage.end()
  }
}
