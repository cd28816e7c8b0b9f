import JSONValue

/// What a server says of itself and of what it has.
enum Discovery {
  /// The version of Kubernetes whose behaviour is spoken here.
  static let version: JSON = [
    "major": "1", "minor": "33", "gitVersion": "v1.33.0+swiftwater", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swiftc", "platform": "linux/amd64",
  ]

  /// Kinds that are only asked and kept nowhere.
  static let reviews: [(group: String, plural: String, kind: String)] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authentication.k8s.io", "tokenreviews", "TokenReview"),
  ]

  static func versions(address: String) -> JSON {
    [
      "kind": "APIVersions", "versions": ["v1"],
      "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": JSON(address)]],
    ]
  }

  /// Groups with their versions, the preferred one first.
  static func groups(_ store: LocalStore) -> [(name: String, versions: [String])] {
    var found: [String: [String]] = [:]
    for definition in store.kinds.values.map(\.definition).sorted(by: { $0.name.description < $1.name.description })
    where !definition.name.group.isEmpty {
      for version in definition.versions where version.isServed {
        if found[definition.name.group, default: []].contains(version.name) { continue }
        found[definition.name.group, default: []].append(version.name)
      }
    }
    for review in reviews { found[review.group] = ["v1"] }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  static func group(_ name: String, _ versions: [String]) -> JSON {
    let listed: [JSON] = versions.map { ["groupVersion": JSON("\(name)/\($0)"), "version": JSON($0)] }
    var group: JSON = ["kind": "APIGroup", "apiVersion": "v1", "name": JSON(name), "versions": .array(listed)]
    group["preferredVersion"] = listed.first ?? .null
    return group
  }

  static func groupList(_ store: LocalStore) -> JSON {
    [
      "kind": "APIGroupList", "apiVersion": "v1",
      "groups": .array(
        groups(store).map {
          var group = group($0.name, $0.versions)
          group.remove("kind")
          group.remove("apiVersion")
          return group
        }),
    ]
  }

  /// Nil when there is no such group and version.
  static func resources(_ store: LocalStore, group: String, version: String) -> JSON? {
    var found: [JSON] = []
    let definitions = store.kinds.values.map(\.definition).filter { $0.name.group == group }
    for definition in definitions.sorted(by: { $0.name.plural < $1.name.plural }) {
      if let declared = definition.version(version) { found += resources(definition, declared) }
    }
    for review in reviews where review.group == group && version == "v1" {
      found.append([
        "name": JSON(review.plural), "singularName": JSON(review.kind.lowercased()), "namespaced": false,
        "kind": JSON(review.kind), "verbs": ["create"],
      ])
    }
    if found.isEmpty { return nil }
    return [
      "kind": "APIResourceList", "apiVersion": "v1", "resources": .array(found),
      "groupVersion": JSON(group.isEmpty ? version : "\(group)/\(version)"),
    ]
  }

  private static func resources(_ definition: ResourceDefinition, _ version: ResourceDefinition.Version) -> [JSON] {
    let verbs: JSON = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    var main: JSON = [
      "name": JSON(definition.name.plural), "singularName": JSON(definition.singular),
      "namespaced": JSON(definition.isNamespaced), "kind": JSON(definition.kind), "verbs": verbs,
    ]
    if !definition.shortNames.isEmpty { main["shortNames"] = JSON(definition.shortNames) }
    if !definition.categories.isEmpty { main["categories"] = JSON(definition.categories) }
    var found = [main]
    func subresource(_ name: String, _ kind: String, _ verbs: JSON, group: String? = nil) {
      var entry: JSON = [
        "name": JSON("\(definition.name.plural)/\(name)"), "singularName": "",
        "namespaced": JSON(definition.isNamespaced), "kind": JSON(kind), "verbs": verbs,
      ]
      if let group {
        entry["group"] = JSON(group)
        entry["version"] = "v1"
      }
      found.append(entry)
    }
    if version.hasStatus { subresource("status", definition.kind, ["get", "patch", "update"]) }
    if version.scale != nil { subresource("scale", "Scale", ["get", "patch", "update"], group: "autoscaling") }
    if definition.name == .pods {
      subresource("log", "Pod", ["get"])
      subresource("eviction", "Eviction", ["create"], group: "policy")
    }
    if definition.name.plural == "serviceaccounts" {
      subresource("token", "TokenRequest", ["create"], group: "authentication.k8s.io")
    }
    return found
  }
}
