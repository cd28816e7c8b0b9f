public import JSONValue
import KubernetesResources

/// What an operator asks of an API server, as rules of a role (rbac.authorization.k8s.io/v1).
///
/// The chart's templates state the same rules, and tests hold that they are the same, that an operator needs no other
/// right, and that it uses each of them.
public enum OperatorRights {
  /// The account, role and token with which operators of other members come.
  public static let peerName = "swiftwater-peer"

  private static let making: JSON = ["list", "watch", "create", "patch", "delete"]

  private static func rule(_ group: String, _ resources: [String], _ verbs: JSON, only name: String? = nil) -> JSON {
    var rule: JSON = ["apiGroups": [JSON(group)], "resources": JSON(resources)]
    if let name { rule["resourceNames"] = [JSON(name)] }
    rule["verbs"] = verbs
    return rule
  }

  /// In every namespace that is looked after. Server-side apply is `patch`, and `create` where nothing is.
  public static let watched: [JSON] = [
    rule(Marks.group, ["regions", "kafkaclusters", "kafkatopics", "kafkamirrors"], making),
    rule(
      Marks.group, ["regions/status", "kafkaclusters/status", "kafkatopics/status", "kafkamirrors/status"], ["update"]),
    rule("", ["services", "configmaps", "serviceaccounts", "persistentvolumeclaims"], making),
    rule("apps", ["statefulsets"], making),
    rule("networking.k8s.io", ["networkpolicies"], making),
    rule("policy", ["poddisruptionbudgets"], making),
    rule("multicluster.x-k8s.io", ["serviceexports"], making),
    rule("", ["pods"], ["list", "watch", "patch", "delete"]),
    rule("", ["events"], ["create", "patch"]),
  ]

  /// In the operator's own namespace besides: the member's name, and the Lease.
  public static let own: [JSON] = [
    rule("", ["configmaps"], ["get"], only: "swiftwater-member"),
    rule("coordination.k8s.io", ["leases"], ["create"]),
    rule("coordination.k8s.io", ["leases"], ["get", "update"], only: "swiftwater-operator"),
  ]

  /// Addresses of machines, for Regions whose network is NodePort. They belong to no namespace.
  public static let machines: [JSON] = [rule("", ["nodes"], ["list", "watch"])]

  /// Kubeconfigs of other members, by their names. No names are no rules: a rule without names would be about all.
  public static func secrets(_ names: [String]) -> [JSON] {
    guard !names.isEmpty else { return [] }
    var rule = rule("", ["secrets"], ["list", "watch"])
    rule["resourceNames"] = JSON(names)
    return [rule]
  }
}
