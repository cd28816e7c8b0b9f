public import KubernetesResources
import MirrorPlanning

/// A KafkaTopic as the operator wants it, with what is recorded of it.
public struct WantedTopic: Sendable {
  public var topic: KafkaTopic
  public var mistakes: [Mistake]
  /// When the original was created.
  public var created: String
  public var copies: [String: View<RecordedCopy<KafkaTopicStatus>>]
  /// What API servers said no to about its copies.
  public var refused: [String] = []
  public init(
    _ topic: KafkaTopic, mistakes: [Mistake] = [], created: String,
    copies: [String: View<RecordedCopy<KafkaTopicStatus>>]
  ) {
    self.topic = topic
    self.mistakes = mistakes
    self.created = created
    self.copies = copies
  }
  public var id: ObjectID { ObjectID(.kafkaTopic, topic.metadata.namespace, topic.metadata.name) }
}

/// Who has a topic's name.
public struct TopicClaim: Hashable, Sendable {
  public let id: ObjectID
  /// When the original was created: the older of two has the name.
  public let created: String
  public init(id: ObjectID, created: String) {
    self.id = id
    self.created = created
  }
}

/// A KafkaMirror that makes the topics that its source has.
public struct TopicMaker: Sendable {
  public let id: ObjectID
  private let topics: NameSelection
  /// Nil for one that makes no topics: the target owns them, the resource goes, or has a mistake in it.
  public init?(_ mirror: KafkaMirror) {
    guard mirror.spec.role == .standby, !mirror.metadata.isBeingDeleted,
      mirror.status.conditions["Stalled"]?.status != .yes
    else { return nil }
    id = ObjectID(.kafkaMirror, mirror.metadata.namespace, mirror.metadata.name)
    topics = NameSelection(mirror.spec.topics.joined(separator: ","))
  }
  func makes(_ topic: String) -> Bool { topics.contains(topic) }
}

/// All KafkaTopics of one KafkaCluster at one moment: they are planned together, so that twenty thousand of them are
/// a few requests.
public struct TopicSituation: Sendable {
  public var cluster: KafkaCluster
  public var regions: [Region]
  public var brokers: View<BrokerFacts>
  public var topics: [WantedTopic] = []
  /// The KafkaMirrors into the cluster that make topics there.
  public var makers: [TopicMaker] = []
  /// The names of topics that are in order and not planned now.
  public var claims: [String: TopicClaim] = [:]
  /// What was refused when it was last tried.
  public var refused = RefusedSteps()
  /// Partitions that began to move since the brokers were asked.
  public var movesBegun = 0
  public var now: String
  public init(cluster: KafkaCluster, regions: [Region], brokers: View<BrokerFacts>, now: String) {
    self.cluster = cluster
    self.regions = regions
    self.brokers = brokers
    self.now = now
  }
}
