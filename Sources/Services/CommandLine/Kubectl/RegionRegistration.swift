import JSONValue
import KubernetesAPI
import KubernetesResources
import Operator
import Processes
import YAML

/// A value of the Kubernetes API; the module's own `JSON` is what commands print.
typealias KubernetesObject = JSONValue.JSON

/// What makes a Kubernetes cluster a Region: an account there with the rights of an operator and no others, and here a
/// Secret with its kubeconfig and the Region that names it.
struct RegionRegistration: Sendable {
  static let manager = "kubectl-swiftwater"
  static let options: [Option] = [
    .value("from", "CONTEXT", "the context of the Kubernetes cluster that becomes a Region"),
    .values("also", "CONTEXT", "another member that gets the Secret; may be there several times, for all of them"),
    .value("server", "URL", "where the other operators reach its API server (that of the context)"),
    .value("provider", "NAME", "spec.provider"), .value("location", "NAME", "spec.location"),
    .values("sovereignty", "TAG", "one of spec.sovereignty; may be there several times"),
    .value("network", "TYPE", "spec.network.type (PodIP)"),
    .flag("all-namespaces", "operators there look after every namespace, which takes a ClusterRole"),
    .flag("machines", "operators may read the addresses of machines, as NodePort needs"),
    .value("output", short: "o", "yaml", "prints what would be applied, for a GitOps repository, and asks nobody"),
  ]

  let name: String
  let namespace: String
  var provider: String?
  var location: String?
  var sovereignty: [String] = []
  var network: String?
  var watchesAll = false
  var seesMachines = false

  var secretName: String { "\(name)-kubeconfig" }
  private static let group = "rbac.authorization.k8s.io"
  private var account: String { OperatorRights.peerName }
  private var labels: KubernetesObject { ["app.kubernetes.io/name": "swiftwater-operator"] }

  private func object(
    _ apiVersion: String, _ kind: String, _ name: String, in namespace: String?, _ rest: [(String, KubernetesObject)]
  ) -> KubernetesObject {
    var metadata: KubernetesObject = ["name": KubernetesObject(name)]
    if let namespace { metadata["namespace"] = KubernetesObject(namespace) }
    metadata["labels"] = labels
    var object: KubernetesObject = [
      "apiVersion": KubernetesObject(apiVersion), "kind": KubernetesObject(kind), "metadata": metadata,
    ]
    for (key, value) in rest { object[key] = value }
    return object
  }

  /// What is applied in the Kubernetes cluster that becomes a Region, in this order.
  var peer: [KubernetesObject] {
    let rules = OperatorRights.own + (watchesAll ? [] : OperatorRights.watched)
    let wide = (watchesAll ? OperatorRights.watched : []) + (seesMachines ? OperatorRights.machines : [])
    var token = object(
      "v1", "Secret", account, in: namespace, [("type", "kubernetes.io/service-account-token")])
    token["metadata"]["annotations"] = ["kubernetes.io/service-account.name": KubernetesObject(account)]
    var objects = [
      object("v1", "ServiceAccount", account, in: namespace, [("automountServiceAccountToken", false)]), token,
    ]
    objects += bound("Role", account, in: namespace, rules)
    if !wide.isEmpty { objects += bound("ClusterRole", "\(namespace)-\(account)", in: nil, wide) }
    return objects
  }

  private func bound(
    _ kind: String, _ name: String, in place: String?, _ rules: [KubernetesObject]
  ) -> [KubernetesObject] {
    [
      object("\(Self.group)/v1", kind, name, in: place, [("rules", .array(rules))]),
      object(
        "\(Self.group)/v1", "\(kind)Binding", name, in: place,
        [
          (
            "roleRef",
            ["apiGroup": KubernetesObject(Self.group), "kind": KubernetesObject(kind), "name": KubernetesObject(name)]
          ),
          (
            "subjects",
            [
              [
                "kind": "ServiceAccount", "name": KubernetesObject(account),
                "namespace": KubernetesObject(namespace),
              ]
            ]
          ),
        ]),
    ]
  }

  /// What people apply in one member.
  var region: KubernetesObject {
    var spec: KubernetesObject = [
      "access": ["kubeconfigSecret": ["name": KubernetesObject(secretName), "key": "kubeconfig"]]
    ]
    if let provider { spec["provider"] = KubernetesObject(provider) }
    if let location { spec["location"] = KubernetesObject(location) }
    if !sovereignty.isEmpty { spec["sovereignty"] = KubernetesObject(sovereignty) }
    if let network { spec["network"] = ["type": KubernetesObject(network)] }
    return [
      "apiVersion": KubernetesObject(Marks.apiVersion), "kind": "Region",
      "metadata": ["name": KubernetesObject(name), "namespace": KubernetesObject(namespace)], "spec": spec,
    ]
  }

  /// With it operators come as the account. It carries everything itself: files and programs of whoever registers are
  /// not there where it is read.
  func kubeconfig(_ target: ServerTarget, url: String, token: String, authority: String?) throws(Failure)
    -> KubernetesObject
  {
    var cluster: KubernetesObject = ["server": KubernetesObject(url)]
    switch target.authorities {
    case .data(let bytes): cluster["certificate-authority-data"] = KubernetesObject(Base64.encode(bytes))
    case .file(let path):
      guard let bytes = File.read(path) else { throw Failure("\(target.origin): \(path) cannot be read") }
      cluster["certificate-authority-data"] = KubernetesObject(Base64.encode(bytes))
    case nil:
      if let authority, target.isVerified { cluster["certificate-authority-data"] = KubernetesObject(authority) }
    }
    if !target.isVerified { cluster["insecure-skip-tls-verify"] = true }
    if let name = target.serverName { cluster["tls-server-name"] = KubernetesObject(name) }
    if let proxy = target.proxy { cluster["proxy-url"] = KubernetesObject(proxy) }
    let name = KubernetesObject(self.name)
    return [
      "apiVersion": "v1", "kind": "Config", "current-context": name, "clusters": [["name": name, "cluster": cluster]],
      "users": [["name": KubernetesObject(account), "user": ["token": KubernetesObject(token)]]],
      "contexts": [
        [
          "name": name,
          "context": [
            "cluster": name, "user": KubernetesObject(account), "namespace": KubernetesObject(namespace),
          ],
        ]
      ],
    ]
  }

  /// What every other member gets.
  func secret(_ kubeconfig: KubernetesObject) -> KubernetesObject {
    object(
      "v1", "Secret", secretName, in: namespace,
      [
        ("type", "Opaque"),
        ("data", ["kubeconfig": KubernetesObject(Base64.encode(Array(kubeconfig.yamlText().utf8)))]),
      ])
  }
}
