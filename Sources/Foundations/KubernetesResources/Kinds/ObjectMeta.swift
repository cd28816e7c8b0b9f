public import JSONValue

/// What every object says about itself, as far as the operator reads it.
public struct ObjectMeta: Hashable, Sendable {
  public var name = ""
  public var namespace = ""
  public var labels: [String: String] = [:]
  public var annotations: [String: String] = [:]
  public var finalizers: [String] = []
  /// Different for every object that ever was, also for one with the same name.
  public var uid: String?
  public var resourceVersion: String?
  /// Rises with every change of the spec.
  public var generation = 0
  /// RFC 3339; these texts compare as the times do.
  public var creationTimestamp: String?
  /// Set once somebody has asked for the deletion.
  public var deletionTimestamp: String?

  public init(name: String, namespace: String = "", labels: [String: String] = [:]) {
    self.name = name
    self.namespace = namespace
    self.labels = labels
  }

  public init(_ object: JSON) {
    let meta = object["metadata"]
    name = meta["name"].string ?? ""
    namespace = meta["namespace"].string ?? ""
    labels = meta["labels"].texts ?? [:]
    annotations = meta["annotations"].texts ?? [:]
    finalizers = meta["finalizers"].strings ?? []
    uid = meta["uid"].string
    resourceVersion = meta["resourceVersion"].string
    generation = meta["generation"].int ?? 0
    creationTimestamp = meta["creationTimestamp"].string
    deletionTimestamp = meta["deletionTimestamp"].string
  }

  /// What a writer states: neither uid nor versions.
  public var json: JSON {
    var json: JSON = ["name": .string(name)]
    if !namespace.isEmpty { json["namespace"] = .string(namespace) }
    if !labels.isEmpty { json["labels"] = JSON(labels) }
    if !annotations.isEmpty { json["annotations"] = JSON(annotations) }
    if !finalizers.isEmpty { json["finalizers"] = JSON(finalizers) }
    return json
  }

  public var isBeingDeleted: Bool { deletionTimestamp != nil }
}

/// Labels, annotations and finalizers that the operator reads and writes.
public enum Marks {
  public static let group = "kafka.swiftwater.dev"
  public static let apiVersion = "kafka.swiftwater.dev/v1alpha1"
  /// The one name under which the operator applies.
  public static let fieldManager = "swiftwater-operator"
  /// On a copy: the member in which people edit the object.
  public static let origin = "kafka.swiftwater.dev/origin"
  /// On a copy: when the original was created.
  public static let originCreated = "kafka.swiftwater.dev/origin-created"
  /// On a copy: the generation of the original that it is a copy of.
  public static let originGeneration = "kafka.swiftwater.dev/origin-generation"
  public static let cluster = "kafka.swiftwater.dev/cluster"
  public static let region = "kafka.swiftwater.dev/region"
  public static let node = "kafka.swiftwater.dev/node"
  /// `true` on nodes that serve clients.
  public static let broker = "kafka.swiftwater.dev/broker"
  /// `true` on nodes that vote.
  public static let controller = "kafka.swiftwater.dev/controller"
  /// On volume claims: the id of the cluster whose records are on the volume.
  public static let clusterID = "kafka.swiftwater.dev/cluster-id"
  /// On pods: a change of it needs a restart.
  public static let revision = "kafka.swiftwater.dev/revision"
  /// On pods that wait for their configuration: what it says by now. Its kubelet looks at once, and not within a minute.
  public static let told = "kafka.swiftwater.dev/told"
  /// On everything applied: what was applied, so that a field that is no longer wanted is noticed.
  public static let applied = "kafka.swiftwater.dev/applied"
  /// On a resource: while `true` nothing restarts, moves or shrinks.
  public static let pause = "kafka.swiftwater.dev/pause"
  /// On the original: keeps it until its copies, and what has to go with it, are gone.
  public static let finalizer = "kafka.swiftwater.dev/copies"
  /// On the record of a member that was given up: its name.
  public static let left = "kafka.swiftwater.dev/left"
  public static let managedBy = "app.kubernetes.io/managed-by"
  public static let managedByValue = "swiftwater"
}

/// A resource of the group `kafka.swiftwater.dev`.
public protocol Resource: Hashable, Sendable {
  associatedtype Spec: Fields
  associatedtype Status: Fields
  static var kind: String { get }
  static var plural: String { get }
  static var shortNames: [String] { get }
  static var about: String { get }
  static var columns: [PrinterColumn] { get }
  var metadata: ObjectMeta { get set }
  var spec: Spec { get set }
  var status: Status { get set }
  init()
}

/// What `kubectl get` shows.
public struct PrinterColumn: Hashable, Sendable {
  public let name: String
  public let path: String
  public let type: String
  public let about: String
  /// 0 is always shown, 1 with `-o wide`.
  public let priority: Int
  public init(_ name: String, _ path: String, type: String = "string", priority: Int = 0, _ about: String) {
    self.name = name
    self.path = path
    self.type = type
    self.priority = priority
    self.about = about
  }
  /// The message of one condition.
  public static func condition(_ name: String, _ type: String, _ about: String) -> PrinterColumn {
    PrinterColumn(name, ".status.conditions[?(@.type==\"\(type)\")].status", about)
  }
}

extension Resource {
  /// Reads an object. Mistakes in the spec are returned; what a status has that this version does not know is left out.
  public static func read(_ object: JSON) -> (resource: Self, mistakes: [Mistake]) {
    var resource = Self()
    var mistakes: [Mistake] = []
    if let kind = object["kind"].string, kind != Self.kind {
      mistakes.append(Mistake("kind", "is '\(kind)', and has to be \(Self.kind)."))
    }
    resource.metadata = ObjectMeta(object)
    resource.spec = Spec(reading: object["spec"], at: "spec", mistakes: &mistakes)
    var ignored: [Mistake] = []
    resource.status = Status(reading: object["status"], at: "status", mistakes: &ignored)
    return (resource, mistakes)
  }

  /// The object as people apply it: without status.
  public var json: JSON {
    [
      "apiVersion": .string(Marks.apiVersion), "kind": .string(Self.kind), "metadata": metadata.json, "spec": spec.json,
    ]
  }
}
