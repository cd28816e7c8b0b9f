public import JSONValue
public import KubernetesResources
public import Vocabulary

/// What to do, in order, until the next look at the world.
///
/// Steps are performed in their order. One that fails ends the rest for its member alone, or for the brokers alone:
/// other members go on. One that is refused ends what builds on it (`Step.dependants`), and never statuses. After a crash between two steps the next plan begins with what is left.
public struct Plan: Hashable, Sendable {
  public var steps: [Step] = []
  /// What is waited for, one sentence each. Nothing has to be done for these; the next change of the world brings the
  /// next plan.
  public var waits: [String] = []
  public init() {}
}

public enum Step: Hashable, Sendable {
  /// Server-side apply under `Marks.fieldManager`, with force: it is the operator's own object.
  case apply(JSON, member: String)
  /// With the uid as a precondition, in the background.
  case delete(ObjectID, uid: String?, member: String)
  /// Deletes a pod that its StatefulSet makes again, with the uid as a precondition.
  case restart(pod: ObjectID, uid: String, node: NodeID, member: String)
  /// Writes on a pod what its configuration says by now, with the uid as a precondition. Nothing depends on it but how
  /// soon the pod sees it.
  case tell(pod: ObjectID, uid: String, String, member: String)
  /// Replaces the whole status.
  case writeStatus(ObjectID, JSON, member: String)
  /// Replaces the finalizers of an original.
  case setFinalizers(ObjectID, [String], member: String)
  case event(ObjectID, Severity, reason: String, message: String)
  case ask(BrokerRequest)

  public enum Severity: String, Sendable { case normal = "Normal", warning = "Warning" }
}

extension Step {
  /// The object that it is about; nil for what is asked of the brokers.
  public var object: ObjectID? {
    switch self {
    case .apply(let object, _): ObjectID(object)
    case .delete(let id, _, _), .restart(let id, _, _, _), .tell(let id, _, _, _), .writeStatus(let id, _, _),
      .setFinalizers(let id, _, _),
      .event(let id, _, _, _):
      id
    case .ask: nil
    }
  }
}

extension Step {
  /// An object as it is applied, with what the API server shall hold it against. What was seen is changed only as it was
  /// seen. What people apply, and was not seen, is made only where there is none: API servers ask for a version where
  /// there is an object, and no object has this one. Other kinds are seen by their labels alone, so that one that was not
  /// seen may be ours after all, and is taken.
  public static func fenced(_ object: JSON, seen: JSON?) -> JSON {
    var object = object
    if let seen {
      for field in ["resourceVersion", "uid"] { object["metadata"][field] = seen["metadata"][field] }
    } else if object["apiVersion"].string?.hasPrefix("\(Marks.group)/") == true,
      PlantedMistake.planted != .lateCopyOverwrites
    {
      object["metadata"]["resourceVersion"] = .string(versionOfNone)
    }
    return object
  }

  /// The version that a store has before anything is written to it.
  private static let versionOfNone = "1"
}

extension BrokerRequest {
  /// Whether the steps after it mean something else where the brokers have not heard of it: it is asked before anything
  /// is written anywhere. What is asked for in vain holds up nobody.
  public var comesFirst: Bool { if case .setHandingOver(false) = self { true } else { false } }

  /// The names of the topics that it is about.
  public var topics: [String] {
    switch self {
    case .addVoter, .removeVoter, .unregister, .setHandingOver, .alterMirror: []
    case .reassign(let moves): moves.map(\.topic)
    case .createTopics(let topics): topics.map(\.name)
    case .addPartitions(let topics): topics.map(\.topic)
    case .alterTopics(let topics): topics.map(\.topic)
    case .deleteTopics(let topics): topics.map(\.topic)
    }
  }
}

/// What is asked of the brokers. Lists are sorted, and as long as they have to be: the operator splits them.
public enum BrokerRequest: Hashable, Sendable {
  /// AddRaftVoter (KIP-853), for a controller that follows already.
  case addVoter(ReplicaKey)
  /// RemoveRaftVoter (KIP-853).
  case removeVoter(ReplicaKey)
  /// UnregisterBroker: it holds nothing any more.
  case unregister(NodeID)
  /// IncrementalAlterConfigs of all brokers: whether they hand over their leaders before they stop, and wait for one
  /// another until they may (`controlled.shutdown.enable`). True takes the setting away.
  case setHandingOver(Bool)
  /// AlterPartitionReassignments.
  case reassign([Reassignment])
  /// CreateTopics.
  case createTopics([TopicCreation])
  /// CreatePartitions: the topic and how many it shall have.
  case addPartitions([PartitionIncrease])
  /// IncrementalAlterConfigs of topics; nil takes a setting away.
  case alterTopics([TopicAlteration])
  /// DeleteTopics, by name and only while the id is this one.
  case deleteTopics([TopicDeletion])
  /// IncrementalAlterConfigs of a mirror, all keys at once. A mirror that is not there is made by its
  /// `bootstrap.servers`.
  case alterMirror(MirrorAlteration)
}

/// One replica of the metadata log: a node, and the directory that it keeps the log in.
public struct ReplicaKey: Hashable, Sendable, CustomStringConvertible {
  public let id: NodeID
  public let directory: UniqueID
  public init(id: NodeID, directory: UniqueID) {
    self.id = id
    self.directory = directory
  }
  public var description: String { "\(id)" }
}

public struct MirrorAlteration: Hashable, Sendable {
  public let mirror: String
  public let changes: [String: String]
  public init(mirror: String, changes: [String: String]) {
    self.mirror = mirror
    self.changes = changes
  }
}

public struct Reassignment: Hashable, Sendable {
  public let topic: String
  public let partition: Int
  public let replicas: [NodeID]
  public init(topic: String, partition: Int, replicas: [NodeID]) {
    self.topic = topic
    self.partition = partition
    self.replicas = replicas
  }
}

public struct TopicCreation: Hashable, Sendable {
  public let name: String
  public let partitions: Int
  /// Nil where `placement.replicas.per.region` among the settings says it.
  public let replicationFactor: Int?
  public let config: [String: String]
}

public struct PartitionIncrease: Hashable, Sendable {
  public let topic: String
  public let partitions: Int
}

public struct TopicAlteration: Hashable, Sendable {
  public let topic: String
  /// By key; nil takes the topic's own setting away.
  public let changes: [String: String?]
  public init(topic: String, changes: [String: String?]) {
    self.topic = topic
    self.changes = changes
  }
}

public struct TopicDeletion: Hashable, Sendable {
  public let topic: String
  public let id: String
}

/// How much is done at once.
public enum ReconciliationLimits {
  /// Partitions that are moved at one time, over all Regions: the throttle of moves.
  public static let partitionsMovingMax = 20
  /// A pod that is not ready for so long is stuck.
  public static let comingUpSpan = TimeSpan.seconds(600)
  /// After so many crashes a pod is not taken for one that comes up as soon as it runs again.
  public static let crashesMin = 2
  /// Names in a sentence; the others are counted.
  public static let namesInSentenceMax = 5
}

/// Mistakes that tests plant, to show that other tests would see them.
public enum PlantedMistake: Sendable, CaseIterable {
  case unknownIsAbsent
  case secondClusterFromPartialView
  case rollWithoutGate
  case drainWithoutWaiting
  case conditionsWithoutOrder
  case deletesVolumes
  case voterRemovedTooEarly
  case finalizerBeforeCopies
  case lateCopyVouches
  case goneIsForgotten
  case returnedIsFollowed
  case oldWayGoesFirst
  case lateCopyOverwrites
  /// Set by tests alone, for one task and what it calls.
  @TaskLocal public static var planted: PlantedMistake?
}

func listed(_ names: [String]) -> String {
  let shown = names.prefix(ReconciliationLimits.namesInSentenceMax).joined(separator: ", ")
  let rest = names.count - ReconciliationLimits.namesInSentenceMax
  return rest > 0 ? "\(shown) and \(rest) more" : shown
}

extension ObjectKind {
  func id(_ metadata: ObjectMeta) -> ObjectID { ObjectID(self, metadata.namespace, metadata.name) }
}
