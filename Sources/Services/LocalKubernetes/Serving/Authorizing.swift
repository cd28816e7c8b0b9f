import HTTP
import JSONValue
import KubernetesAPI
import Synchronization

/// One verb on one resource, as roles grant it.
public struct RequestedRight: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var verb: String
  public var group: String
  /// With a subresource as `pods/log`.
  public var resource: String
  /// Nil for all of them, and for what belongs to none.
  public var namespace: String?
  /// Nil where no one object is meant.
  public var name: String?

  public var description: String {
    "\(verb) \(resource)\(group.isEmpty ? "" : ".\(group)")\(name.map { " \($0)" } ?? "")"
      + (namespace.map { " in \($0)" } ?? "")
  }
  public static func < (a: Self, b: Self) -> Bool { a.description < b.description }
}

/// A caller whose rights count: the token `serviceaccount:NAMESPACE:NAME` says that it is this one.
struct ServiceAccountName: Hashable, Sendable {
  let namespace: String
  let name: String
  static let tokenPrefix = "serviceaccount:"
  var token: String { "\(Self.tokenPrefix)\(namespace):\(name)" }
  var user: String { "system:serviceaccount:\(namespace):\(name)" }

  init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }

  /// Nil for every other caller: they may do everything.
  init?(authorization: String?) {
    let prefix = "Bearer " + Self.tokenPrefix
    guard let authorization, authorization.hasPrefix(prefix) else { return nil }
    let parts = authorization.dropFirst(prefix.count).split(separator: ":").map(String.init)
    guard parts.count == 2 else { return nil }
    self.init(namespace: parts[0], name: parts[1])
  }
}

/// What service accounts asked for, so that tests can hold it against what they were granted.
struct RightsAsked: Sendable {
  var granted: Set<RequestedRight> = []
  var refused: Set<RequestedRight> = []
}

extension LocalStore {
  /// Whether a role that is bound to the account grants it (rbac.authorization.k8s.io/v1, without aggregation).
  func grants(_ right: RequestedRight, to account: ServiceAccountName) -> Bool {
    for binding in objects(.clusterRoleBindings) where binds(binding, account) {
      if rules(binding).contains(where: { covers($0, right) }) { return true }
    }
    guard let namespace = right.namespace else { return false }
    for binding in objects(.roleBindings) where binding.namespace == namespace && binds(binding, account) {
      if rules(binding).contains(where: { covers($0, right) }) { return true }
    }
    return false
  }

  private func binds(_ binding: JSON, _ account: ServiceAccountName) -> Bool {
    binding["subjects"].elements.contains {
      $0["kind"].string == "ServiceAccount" && $0["name"].string == account.name
        && ($0["namespace"].string ?? binding.namespace) == account.namespace
    }
  }

  private func rules(_ binding: JSON) -> [JSON] {
    let name = binding["roleRef"]["name"].string ?? ""
    let role =
      binding["roleRef"]["kind"].string == "ClusterRole"
      ? object(.clusterRoles, ObjectKey(name: name))
      : object(.roles, ObjectKey(namespace: binding.namespace, name: name))
    return role?["rules"].elements ?? []
  }

  private func covers(_ rule: JSON, _ right: RequestedRight) -> Bool {
    func has(_ list: JSON, _ word: String) -> Bool { list.elements.contains { $0.string == word || $0.string == "*" } }
    guard has(rule["verbs"], right.verb), has(rule["apiGroups"], right.group), has(rule["resources"], right.resource)
    else { return false }
    let names = rule["resourceNames"].elements
    return names.isEmpty || names.contains { $0.string == right.name }
  }
}

extension LocalAPIServer {
  /// What service accounts asked for and got, and what they did not get.
  public var rightsAsked: (granted: Set<RequestedRight>, refused: Set<RequestedRight>) {
    state.withLock { ($0.rights.granted, $0.rights.refused) }
  }

  /// Refuses what a service account may not. Whoever comes without the token of one may do everything.
  func authorize(_ request: APIRequest, _ target: RequestPath.Target) throws(APIFailure) {
    guard let account = ServiceAccountName(authorization: request.http.header("authorization")) else { return }
    for right in rights(request, target) {
      let isGranted = state.withLock { state in
        let isGranted = state.store.grants(right, to: account)
        if isGranted { state.rights.granted.insert(right) } else { state.rights.refused.insert(right) }
        return isGranted
      }
      guard !isGranted else { continue }
      let place = right.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
      throw APIFailure(
        code: 403, reason: "Forbidden",
        message:
          "\(target.resource)\(right.name.map { " \"\($0)\"" } ?? "") is forbidden: User \"\(account.user)\" cannot "
          + "\(right.verb) resource \"\(right.resource)\" in API group \"\(right.group)\" \(place)",
        details: ["name": JSON(right.name ?? ""), "group": JSON(right.group), "kind": JSON(target.resource.plural)])
    }
  }

  private func rights(_ request: APIRequest, _ target: RequestPath.Target) -> [RequestedRight] {
    var name = target.name
    if name == nil, let fields = request.http.argument("fieldSelector"), fields.hasPrefix("metadata.name="),
      !fields.contains(",")
    {
      name = String(fields.dropFirst("metadata.name=".count))
    }
    let resource = target.resource.plural + (target.subresource.isEmpty ? "" : "/\(target.subresource)")
    let asked = RequestedRight(
      verb: request.verb, group: target.resource.group, resource: resource, namespace: target.namespace, name: name)
    // Applying what is not there makes it.
    guard request.verb == "patch", request.contentType == "application/apply-patch+yaml", let name,
      target.subresource.isEmpty,
      store.object(target.resource, ObjectKey(namespace: target.namespace ?? "", name: name)) == nil
    else { return [asked] }
    var making = asked
    making.verb = "create"
    making.name = nil
    return [asked, making]
  }

  /// Answers a SelfSubjectAccessReview.
  func isAllowed(_ review: JSON, _ request: APIRequest) -> Bool {
    guard let account = ServiceAccountName(authorization: request.http.header("authorization")) else { return true }
    let asked = review["spec"]["resourceAttributes"]
    func text(_ field: String) -> String? { asked[field].string.flatMap { $0.isEmpty ? nil : $0 } }
    let subresource = text("subresource").map { "/\($0)" } ?? ""
    let right = RequestedRight(
      verb: text("verb") ?? "", group: text("group") ?? "", resource: (text("resource") ?? "") + subresource,
      namespace: text("namespace"), name: text("name"))
    return store.grants(right, to: account)
  }
}
