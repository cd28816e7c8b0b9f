import JSONValue

/// What has to be known of a place in an object to merge it: whether its members and items are merged one by one, and
/// by which keys. From a CRD's schema, or for built-in kinds from what is known of their fields' names.
struct Shape: Sendable {
  enum ListKind: Sendable, Hashable {
    case atomic
    case set
    case map(keys: [String])
  }
  private enum Source: Sendable {
    case builtIn(field: String, parent: String)
    case schema(JSON, isRoot: Bool)
  }
  private let source: Source

  private init(_ source: Source) { self.source = source }
  static let builtIn = Shape(.builtIn(field: "", parent: ""))

  init(_ definition: ResourceDefinition, _ version: String) {
    let schema = definition.version(version)?.schema ?? .null
    self.init(definition.isCustom ? .schema(schema, isRoot: true) : .builtIn(field: "", parent: ""))
  }

  func child(_ field: String) -> Shape {
    switch source {
    case .builtIn(let own, _): return Shape(.builtIn(field: field, parent: own))
    case .schema(let schema, let isRoot):
      if isRoot && field == "metadata" { return Shape(.builtIn(field: "metadata", parent: "")) }
      let declared = schema["properties"][field]
      return Shape(.schema(declared.isNull ? schema["additionalProperties"] : declared, isRoot: false))
    }
  }

  var items: Shape {
    switch source {
    case .builtIn(let field, let parent): Shape(.builtIn(field: field + "[]", parent: parent))
    case .schema(let schema, _): Shape(.schema(schema["items"], isRoot: false))
    }
  }

  /// Whether an object is one value, and not one for each member.
  var isAtomicMap: Bool {
    switch source {
    case .builtIn(let field, _): Self.atomicMaps.contains(field)
    case .schema(let schema, _): schema["x-kubernetes-map-type"] == "atomic"
    }
  }

  var list: ListKind {
    switch source {
    case .builtIn(let field, let parent):
      if field == "finalizers" { return .set }
      if field == "ports" && parent == "spec" { return .map(keys: ["port", "protocol"]) }
      // Of other things called ports, such as those of network policies, the keys are not known.
      if field == "ports" && !parent.lowercased().hasSuffix("containers[]") { return .atomic }
      return Self.listKeys[field].map { .map(keys: $0) } ?? .atomic
    case .schema(let schema, _):
      switch schema["x-kubernetes-list-type"].string {
      case "set": return .set
      case "map": return .map(keys: schema["x-kubernetes-list-map-keys"].strings ?? [])
      default: return .atomic
      }
    }
  }

  /// What stands for a key that an item does not say.
  func keyDefault(_ key: String) -> JSON? {
    switch source {
    case .builtIn: key == "protocol" ? "TCP" : nil
    case .schema(let schema, _):
      schema["items"]["properties"][key]["default"].isNull
        ? nil : schema["items"]["properties"][key]["default"]
    }
  }

  /// Which item of a list this is; nil when the list is atomic or the item lacks its keys.
  func element(_ item: JSON) -> FieldSet.Element? {
    switch list {
    case .atomic: return nil
    case .set: return .value(item)
    case .map(let keys):
      var found: [(String, JSON)] = []
      for key in keys {
        let value = item[key].isNull ? keyDefault(key) : item[key]
        if let value { found.append((key, value)) }
      }
      return found.isEmpty ? nil : .item(.object(JSON.Object(found)))
    }
  }

  private static let atomicMaps: Set<String> = [
    "selector", "nodeSelector", "labelSelector", "podSelector", "namespaceSelector", "fieldRef", "secretKeyRef",
    "configMapKeyRef", "resourceFieldRef", "roleRef",
  ]
  private static let listKeys: [String: [String]] = [
    "containers": ["name"], "initContainers": ["name"], "ephemeralContainers": ["name"], "env": ["name"],
    "volumes": ["name"], "volumeMounts": ["mountPath"], "volumeDevices": ["devicePath"],
    "ports": ["containerPort", "protocol"], "conditions": ["type"], "imagePullSecrets": ["name"],
    "ownerReferences": ["uid"], "hostAliases": ["ip"],
    "topologySpreadConstraints": ["topologyKey", "whenUnsatisfiable"],
    "podIPs": ["ip"], "secrets": ["name"],
  ]
}
