public import Vocabulary

/// A key of a topic, with the broker keys that give its default, the strongest first.
public struct TopicConfigDefinition: Sendable {
  public let definition: ConfigDefinition
  /// Empty for a key that is set on topics alone.
  public let brokerKeys: [BrokerKey]

  /// A broker key, and how many of the topic's units one of its own units is (`log.retention.hours`).
  public struct BrokerKey: Sendable {
    public let name: String
    public let scale: Int64
  }

  public var name: String { definition.name }
}

/// Every key that a topic can have. A key is here when it has an effect; any other is refused.
public enum TopicConfigs {
  public static let all: [TopicConfigDefinition] = [
    topic(
      "cleanup.policy", .list(of: ["delete", "compact"]), "delete", from: "log.cleanup.policy",
      "What happens to old segments: they are deleted, or compacted to the last value of each key."),
    topic(
      "compression.gzip.level", .int(-1...9), "-1", "Level when compression.type is gzip; -1 is the codec's default."),
    topic("compression.lz4.level", .int(1...17), "9", "Level when compression.type is lz4."),
    topic(
      "compression.type", .choice(["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), "producer",
      "How batches are stored; producer keeps them as they came."),
    topic("compression.zstd.level", .int(-131_072...22), "3", "Level when compression.type is zstd."),
    topic(
      "delete.retention.ms", .long(0...Int64.max), "86400000", from: "log.cleaner.delete.retention.ms",
      "How long tombstones stay in a compacted topic."),
    topic(
      "file.delete.delay.ms", .long(0...Int64.max), "60000", from: "log.segment.delete.delay.ms",
      "How long a deleted segment's files stay on disk."),
    topic(
      "flush.messages", .long(1...Int64.max), "9223372036854775807", from: "log.flush.interval.messages",
      "1 acknowledges a record only once it is on disk; one sync serves all producers that wait."),
    topic(
      "flush.ms", .long(0...Int64.max), "9223372036854775807", from: "log.flush.interval.ms",
      "The longest time that a record stays only in memory."),
    topicOnly(
      "follower.replication.throttled.replicas", .throttledReplicas, "",
      "Which replicas copy under follower.replication.throttled.rate while they are not in sync (KIP-73): "
        + "partition:follower, or * for all."),
    topic(
      "index.interval.bytes", .int(0...Int64(Int32.max)), "4096", from: "log.index.interval.bytes",
      "Bytes of log between two entries of the offset index."),
    topicOnly(
      "leader.replication.throttled.replicas", .throttledReplicas, "",
      "From which replicas those that are not in sync copy under leader.replication.throttled.rate (KIP-73): "
        + "partition:leader, or * for all."),
    topic(
      "max.compaction.lag.ms", .long(1...Int64.max), "9223372036854775807", from: "log.cleaner.max.compaction.lag.ms",
      "The longest time that a record stays out of reach of compaction."),
    topic(
      "max.message.bytes", .int(0...Int64(Int32.max)), "1048588", from: "message.max.bytes",
      "The largest batch that is accepted, its header included."),
    topic(
      "message.timestamp.after.max.ms", .long(0...Int64.max), "3600000", from: "log.message.timestamp.after.max.ms",
      "How far a record's time may be ahead of the broker's."),
    topic(
      "message.timestamp.before.max.ms", .long(0...Int64.max), "9223372036854775807",
      from: "log.message.timestamp.before.max.ms", "How far a record's time may be behind the broker's."),
    topic(
      "message.timestamp.type", .choice(["CreateTime", "LogAppendTime"]), "CreateTime",
      from: "log.message.timestamp.type", "Whose time a record carries."),
    topic(
      "min.cleanable.dirty.ratio", .double(0...1), "0.5", from: "log.cleaner.min.cleanable.ratio",
      "The part of a log that must be dirty before it is compacted."),
    topic(
      "min.compaction.lag.ms", .long(0...Int64.max), "0", from: "log.cleaner.min.compaction.lag.ms",
      "The shortest time that a record stays out of reach of compaction."),
    own(
      "min.insync.regions", .int(1...Int64(Int32.max)), "1",
      "Regions that must have a record before acks=all is answered. Refused where the replicas are in fewer."),
    topic(
      "min.insync.replicas", .int(1...Int64(Int32.max)), "1",
      "Replicas that must have a record before acks=all is answered."),
    own(
      "mirror.fence", .freeList, nil,
      "Clusters that are taking the topic over, each with the number of its attempt: while there is one, clients "
        + "write nothing. Set by a switchover."),
    own(
      "mirror.fence.commits", .freeList, nil,
      "Those of mirror.fence that have all records by now: while there is one in both, groups commit no offsets for the "
        + "topic. Set by a switchover."),
    own(
      "mirror.link", .string, nil,
      "The mirror that writes this topic: clients cannot. Set by the mirror, never by hand."),
    own(
      "mirror.opened", .freeList, nil,
      "Of each partition that a mirror has let go of, the first leader epoch in which clients write: transactions that "
        + "were copied without an outcome are aborted then. Set by the mirror, never by hand."),
    own(
      "mirror.path", .freeList, nil,
      "The clusters that the topic has come through, the first writer first. Set by the mirror, never by hand."),
    own(
      "mirror.report", .string, nil,
      "What a failover found: the generation, and for each partition where the copy ended and what was known of the "
        + "source. Set by the mirror, never by hand."),
    own(
      "placement.allowed.regions", .regions, nil,
      "The only Regions that may hold a replica; every Region when not set."),
    own(
      "placement.leader.regions", .regions, nil,
      "Where the leader shall be, the most wanted Region first; anywhere when not set."),
    own(
      "placement.observers.per.region", .regionCounts, nil,
      "Replicas that only copy, by Region: never in sync, never leader, and not part of the replication factor."),
    own(
      "placement.replicas.per.region", .regionCounts, nil,
      "Replicas by Region; they replace the replication factor. Spread evenly when not set."),
    topic(
      "retention.bytes", .long(-1...Int64.max), "-1", from: "log.retention.bytes",
      "The size at which a partition's oldest segments are deleted; -1 is no limit."),
    TopicConfigDefinition(
      definition: ConfigDefinition(
        name: "retention.ms", kind: .long(-1...Int64.max), defaultValue: "604800000",
        documentation: "The age at which segments are deleted; -1 is for ever."),
      brokerKeys: [
        .init(name: "log.retention.ms", scale: 1), .init(name: "log.retention.minutes", scale: 60_000),
        .init(name: "log.retention.hours", scale: 3_600_000),
      ]),
    topic(
      "segment.bytes", .int(14...Int64(Int32.max)), "1073741824", from: "log.segment.bytes",
      "The size at which a segment is closed and the next begun."),
    topic(
      "segment.index.bytes", .int(4...Int64(Int32.max)), "10485760", from: "log.index.size.max.bytes",
      "The size of an index at which its segment is closed."),
    TopicConfigDefinition(
      definition: ConfigDefinition(
        name: "segment.ms", kind: .long(1...Int64.max), defaultValue: "604800000",
        documentation: "The age at which a segment is closed even if it is not full."),
      brokerKeys: [.init(name: "log.roll.ms", scale: 1), .init(name: "log.roll.hours", scale: 3_600_000)]),
    topic(
      "unclean.leader.election.enable", .boolean, "false",
      "Whether a replica that is not in sync may lead when no other can; what only the others had is lost."),
  ]

  public static let byName: [String: TopicConfigDefinition] = Dictionary(
    uniqueKeysWithValues: all.map { ($0.name, $0) })

  private static func topic(
    _ name: String, _ kind: ConfigKind, _ value: String, from brokerKey: String? = nil, _ documentation: String
  ) -> TopicConfigDefinition {
    TopicConfigDefinition(
      definition: ConfigDefinition(name: name, kind: kind, defaultValue: value, documentation: documentation),
      brokerKeys: [.init(name: brokerKey ?? name, scale: 1)])
  }

  /// A key that brokers give no default for.
  private static func topicOnly(
    _ name: String, _ kind: ConfigKind, _ value: String?, _ documentation: String
  ) -> TopicConfigDefinition {
    TopicConfigDefinition(
      definition: ConfigDefinition(name: name, kind: kind, defaultValue: value, documentation: documentation),
      brokerKeys: [])
  }

  /// A key of our own, which brokers give no default for.
  private static func own(
    _ name: String, _ kind: ConfigKind, _ value: String?, _ documentation: String
  ) -> TopicConfigDefinition {
    topicOnly(name, kind, value, documentation + " Not a key of Kafka's.")
  }

  /// Refuses a key that does not exist, a null value and a value that the key does not take.
  public static func check(_ name: String, _ value: String?) -> Refusal? {
    guard let known = byName[name] else { return Refusal(.invalidConfig, "Unknown topic config name: \(name)") }
    guard let value else { return Refusal(.invalidConfig, "The value of the topic config \(name) is null") }
    return known.definition.kind.complaint(about: value).map {
      Refusal(.invalidConfig, "Invalid value \(value) for configuration \(name): it \($0)")
    }
  }
}
