public import KubernetesResources

/// A KafkaTopic as the operator wants it, with what is recorded of it.
public struct WantedTopic: Sendable {
  public var topic: KafkaTopic
  public var mistakes: [Mistake]
  /// When the original was created.
  public var created: String
  public var copies: [String: View<RecordedCopy<KafkaTopicStatus>>]
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

/// All KafkaTopics of one KafkaCluster at one moment: they are planned together, so that twenty thousand of them are
/// a few requests.
public struct TopicSituation: Sendable {
  public var cluster: KafkaCluster
  public var regions: [Region]
  public var brokers: View<BrokerFacts>
  public var topics: [WantedTopic] = []
  public var now: String
  public init(cluster: KafkaCluster, regions: [Region], brokers: View<BrokerFacts>, now: String) {
    self.cluster = cluster
    self.regions = regions
    self.brokers = brokers
    self.now = now
  }
}
