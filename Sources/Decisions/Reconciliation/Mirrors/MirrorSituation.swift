public import KubernetesResources
public import MirrorPlanning
public import Vocabulary

/// What the brokers of a target say about one mirror: each of them about the partitions that it leads.
public struct MirrorFacts: Hashable, Sendable {
  /// What was asked of the mirror and what it keeps about itself, with defaults.
  public var settings: [String: String] = [:]
  public var partitions: [TopicPartition: PartitionStatus] = [:]
  /// What stands in the way, by topic; an empty name is for the mirror as a whole.
  public var problems: [String: String] = [:]
  /// Brokers that did not answer: what they lead is missing above.
  public var silent: [NodeID] = []
  /// When every broker took the topics for this cluster's own (RFC 3339); nil while it is a mirror.
  public var promoted: String?
  public init() {}

  public enum State: String, Sendable { case running, paused, switchover, failover, failback }
  /// What was asked for last; a state that this version does not know is one that it waits for.
  var state: State? { settings["state"].flatMap(State.init) }
  public var generation: Int? { settings["generation"].flatMap { Int($0) } }
  var sourceID: String? { settings["source.cluster.id"] }
}

/// A KafkaMirror as the operator wants it, with what is recorded of it.
public struct WantedMirror: Sendable {
  /// Where the source is.
  public enum Source: Hashable, Sendable {
    /// A KafkaCluster, and where its brokers are asked, as far as that is known.
    case cluster(ObjectID, bootstrapServers: [String])
    case noSuchCluster(ObjectID)
    case given([String])
  }
  public var mirror: KafkaMirror
  public var mistakes: [Mistake]
  /// When the original was created: the older of two has a topic.
  public var created: String
  public var source: Source
  public var copies: [String: View<RecordedCopy<KafkaMirrorStatus>>]
  /// Whether figures that change all the time are written though nothing else has changed.
  public var mayMeasure = true
  public init(
    _ mirror: KafkaMirror, mistakes: [Mistake] = [], created: String, source: Source,
    copies: [String: View<RecordedCopy<KafkaMirrorStatus>>]
  ) {
    self.mirror = mirror
    self.mistakes = mistakes
    self.created = created
    self.source = source
    self.copies = copies
  }
  public var id: ObjectID { ObjectID(.kafkaMirror, mirror.metadata.namespace, mirror.metadata.name) }
  var spec: KafkaMirrorSpec { mirror.spec }
  /// What some member has recorded.
  public var recorded: KafkaMirrorStatus? {
    let all = copies.keys.sorted().compactMap { copies[$0]?.content?.status }
    return all.first { $0.mirrorName != nil } ?? all.first
  }
}

/// All KafkaMirrors into one KafkaCluster at one moment.
public struct MirrorSituation: Sendable {
  public var cluster: KafkaCluster
  public var brokers: View<BrokerFacts>
  /// By the names of the mirrors; those that are not there are left out.
  public var facts: View<[String: MirrorFacts]>
  public var mirrors: [WantedMirror] = []
  /// What was refused when it was last tried.
  public var refused = RefusedSteps()
  public var now: String
  public init(
    cluster: KafkaCluster, brokers: View<BrokerFacts>, facts: View<[String: MirrorFacts]>, now: String
  ) {
    self.cluster = cluster
    self.brokers = brokers
    self.facts = facts
    self.now = now
  }
}
