/// One topic of a KafkaCluster.
public struct KafkaTopic: Resource {
  public static let kind = "KafkaTopic"
  public static let plural = "kafkatopics"
  public static let shortNames = ["kt"]
  public static let about = "One topic of a KafkaCluster."
  public static let columns = [
    PrinterColumn("Cluster", ".spec.cluster.name", "The cluster that it is in."),
    PrinterColumn("Partitions", ".spec.partitions", type: "integer", "Partitions that it should have."),
    .condition("Ready", "Ready", "Whether the topic is as it should be."),
    PrinterColumn("Status", ".status.conditions[?(@.type==\"Ready\")].message", "What is going on, in one sentence."),
    PrinterColumn("Topic", ".status.topicName", priority: 1, "Its name in Kafka."),
    PrinterColumn("Age", ".metadata.creationTimestamp", type: "date", "When it was applied."),
  ]
  public var metadata = ObjectMeta(name: "")
  public var spec = KafkaTopicSpec()
  public var status = KafkaTopicStatus()
  public init() {}
  /// The name in Kafka.
  public var topicName: String { spec.topicName ?? metadata.name }
}

public struct KafkaTopicSpec: Fields {
  public enum Deletion: String, Choice { case retain = "Retain", delete = "Delete" }
  public var cluster = ClusterReference()
  public var topicName: String?
  public var partitions = 1
  public var placement = Placement()
  public var config: [String: String] = [:]
  public var deletionPolicy = Deletion.retain
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.part("cluster", &cluster, .required, "The KafkaCluster that it is in.")
    c.text("topicName", &topicName, .topic, "Its name in Kafka; left out, the name of this object.")
    c.number(
      "partitions", &partitions, 1...ResourceLimits.partitionsMax, .defaulted,
      "How many partitions; more can be added, none taken away.")
    c.part(
      "placement", &placement, .defaulted, "Where replicas and leaders are; left out, the cluster's durability decides."
    )
    c.textMap(
      "config", &config, .any, "Kafka's own topic settings. What is not here goes back to the cluster's default.")
    c.choice(
      "deletionPolicy", &deletionPolicy, .defaulted,
      "Whether the topic and its records stay (Retain) or go (Delete) when this object is deleted.")
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule("self.partitions >= oldSelf.partitions", "partitions can be added and never taken away"),
      SchemaRule("self.cluster == oldSelf.cluster", "a topic cannot move to another cluster; make a new KafkaTopic"),
      SchemaRule(
        "has(self.topicName) == has(oldSelf.topicName) && (!has(self.topicName) || self.topicName == oldSelf.topicName)",
        "a topic cannot be renamed; make a new KafkaTopic"),
    ]
  }
}

public struct ClusterReference: Fields {
  public var name = ""
  public var namespace: String?
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("name", &name, .name, .required, "The name of the KafkaCluster.")
    c.text("namespace", &namespace, .label, "Its namespace; left out, that of this object.")
  }
}

public struct Placement: Fields {
  public var replicas: [String: Int] = [:]
  public var observers: [String: Int] = [:]
  public var leaders: [String] = []
  public var minInSyncRegions: Int?
  public var requires: [String] = []
  public init() {}

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.numberMap(
      "replicas", &replicas, 1...ResourceLimits.nodesPerRegionMax,
      "How many replicas in which Region, such as eu-west: 2.")
    c.numberMap(
      "observers", &observers, 1...ResourceLimits.nodesPerRegionMax, "Replicas on top that only copy, by Region.")
    c.texts(
      "leaders", &leaders, .label, max: ResourceLimits.itemsMax,
      "Regions where the leader shall be, the most wanted first.")
    c.number(
      "minInSyncRegions", &minInSyncRegions, 1...ResourceLimits.itemsMax,
      "How many Regions need to have a record before acks=all is answered.")
    c.texts(
      "requires", &requires, .any, max: ResourceLimits.itemsMax,
      "Tags that a Region's sovereignty needs to have: never a replica, an observer or a mirror elsewhere.")
  }
  public static var rules: [SchemaRule] {
    [
      SchemaRule(
        "!has(self.minInSyncRegions) || !has(self.replicas) || size(self.replicas) >= self.minInSyncRegions",
        "minInSyncRegions is more than the Regions in replicas")
    ]
  }
}

public struct KafkaTopicStatus: Fields {
  public var observedGeneration = 0
  public var topicName: String?
  public var topicID: String?
  public var partitions: Int?
  public var conditions: [Condition] = []
  public init() {}
  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.number(
      "observedGeneration", &observedGeneration, 0...Int.max, .defaulted,
      "The generation of the spec that this is about.")
    c.text("topicName", &topicName, .any, "Its name in Kafka.")
    c.text("topicID", &topicID, .any, "Kafka's id of the topic: a topic that was deleted and made again has another.")
    c.number("partitions", &partitions, 0...ResourceLimits.partitionsMax, "How many partitions it has.")
    c.parts("conditions", &conditions, key: "type", max: ResourceLimits.itemsMax, "What holds, in sentences.")
  }
}
