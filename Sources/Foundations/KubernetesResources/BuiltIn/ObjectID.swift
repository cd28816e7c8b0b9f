public import JSONValue

/// A kind of object, as `apiVersion` and `kind` name it.
public struct ObjectKind: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let apiVersion: String
  public let kind: String
  public init(_ apiVersion: String, _ kind: String) {
    self.apiVersion = apiVersion
    self.kind = kind
  }
  public static let service = ObjectKind("v1", "Service")
  public static let configMap = ObjectKind("v1", "ConfigMap")
  public static let serviceAccount = ObjectKind("v1", "ServiceAccount")
  public static let claim = ObjectKind("v1", "PersistentVolumeClaim")
  public static let pod = ObjectKind("v1", "Pod")
  public static let statefulSet = ObjectKind("apps/v1", "StatefulSet")
  public static let networkPolicy = ObjectKind("networking.k8s.io/v1", "NetworkPolicy")
  public static let disruptionBudget = ObjectKind("policy/v1", "PodDisruptionBudget")
  /// API servers before 1.21 know only this one.
  public static let oldDisruptionBudget = ObjectKind("policy/v1beta1", "PodDisruptionBudget")
  /// Of the multi-cluster Services API (KEP-1645).
  public static let serviceExport = ObjectKind("multicluster.x-k8s.io/v1alpha1", "ServiceExport")
  public static let region = ObjectKind(Marks.apiVersion, Region.kind)
  public static let kafkaCluster = ObjectKind(Marks.apiVersion, KafkaCluster.kind)
  public static let kafkaMirror = ObjectKind(Marks.apiVersion, KafkaMirror.kind)
  public static let kafkaTopic = ObjectKind(Marks.apiVersion, KafkaTopic.kind)

  public static func < (a: Self, b: Self) -> Bool { (a.kind, a.apiVersion) < (b.kind, b.apiVersion) }
  public var description: String { kind }
}

/// Which object: everything but the Kubernetes cluster it is in.
public struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let kind: ObjectKind
  public let namespace: String
  public let name: String
  public init(_ kind: ObjectKind, _ namespace: String, _ name: String) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
  }
  /// Nil where the object does not say what it is.
  public init?(_ object: JSON) {
    guard let apiVersion = object["apiVersion"].string, let kind = object["kind"].string,
      let name = object["metadata"]["name"].string
    else { return nil }
    self.init(ObjectKind(apiVersion, kind), object["metadata"]["namespace"].string ?? "", name)
  }
  public static func < (a: Self, b: Self) -> Bool {
    (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name)
  }
  public var description: String { "\(kind) \(namespace)/\(name)" }
}
