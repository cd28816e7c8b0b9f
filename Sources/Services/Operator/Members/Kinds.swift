import JSONValue
import KubernetesAPI
import KubernetesResources

/// Where API servers keep the kinds that the operator reads and writes.
enum Kinds {
  static let regions = resource(Region.self)
  static let clusters = resource(KafkaCluster.self)
  static let topics = resource(KafkaTopic.self)
  static let mirrors = resource(KafkaMirror.self)
  static let pods = ResourceType("", "v1", "pods", kind: "Pod")
  static let services = ResourceType("", "v1", "services", kind: "Service")
  static let configMaps = ResourceType("", "v1", "configmaps", kind: "ConfigMap")
  static let secrets = ResourceType("", "v1", "secrets", kind: "Secret")
  static let accounts = ResourceType("", "v1", "serviceaccounts", kind: "ServiceAccount")
  static let claims = ResourceType("", "v1", "persistentvolumeclaims", kind: "PersistentVolumeClaim")
  static let sets = ResourceType("apps", "v1", "statefulsets", kind: "StatefulSet")
  static let policies = ResourceType("networking.k8s.io", "v1", "networkpolicies", kind: "NetworkPolicy")
  static let budgets = ResourceType("policy", "v1", "poddisruptionbudgets", kind: "PodDisruptionBudget")
  static let oldBudgets = budgets.at(version: "v1beta1")
  static let exports = ResourceType("multicluster.x-k8s.io", "v1alpha1", "serviceexports", kind: "ServiceExport")
  static let machines = ResourceType("", "v1", "nodes", kind: "Node", scope: .cluster)

  /// What people apply.
  static let applied = [regions, clusters, topics, mirrors]
  /// What the operator makes of it, on every API server.
  static let owned = [services, configMaps, accounts, claims, sets, policies]

  private static func resource<R: Resource>(_ type: R.Type) -> ResourceType {
    ResourceType(Marks.group, "v1alpha1", R.plural, kind: R.kind)
  }

  private static let byKind: [ObjectKind: ResourceType] = Dictionary(
    uniqueKeysWithValues: (applied + owned + [pods, budgets, oldBudgets, exports]).map {
      (ObjectKind($0.apiVersion, $0.kind), $0)
    })

  static func type(of kind: ObjectKind) -> ResourceType? { byKind[kind] }
}

extension ObjectID {
  var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
}

extension ResourceType {
  var objectKind: ObjectKind { ObjectKind(apiVersion, kind) }
}

extension JSON {
  /// An object without what nobody here reads and what makes it large.
  var trimmed: JSON {
    var object = self
    var metadata = object["metadata"]
    metadata.remove("managedFields")
    if !metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].isNull {
      metadata["annotations"].remove("kubectl.kubernetes.io/last-applied-configuration")
    }
    object["metadata"] = metadata
    // What a machine has images of is tens of kilobytes.
    if !object["status"]["images"].isNull { object["status"].remove("images") }
    return object
  }
}
