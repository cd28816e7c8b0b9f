/// What setting a broker key does.
public enum BrokerKeyEffect: Sendable, Equatable {
  /// Read once, at the start.
  case atStart
  /// Can be changed while the broker runs, by IncrementalAlterConfigs.
  case dynamic
  /// Known from Kafka's own files and accepted there, but nothing here depends on it. The reason is logged.
  case none(because: String)
}

public struct BrokerConfigDefinition: Sendable {
  public let definition: ConfigDefinition
  public let effect: BrokerKeyEffect
  public var name: String { definition.name }
}

/// Every key that server.properties may hold. A key that is not here is refused: a typing error must not pass silently.
public enum BrokerConfigs {
  private static let int32: ClosedRange<Int64> = 0...Int64(Int32.max)
  private static let positive: ClosedRange<Int64> = 1...Int64(Int32.max)
  private static let anyLong: ClosedRange<Int64> = 0...Int64.max
  private static let loops = "event loops do the work: see num.network.threads"
  private static let noShareGroups = "there are no share groups"

  public static let all: [BrokerConfigDefinition] =
    identity + connections + cluster + topics + groups + transactions + replication + upkeep + accepted

  private static let identity: [BrokerConfigDefinition] = [
    key("node.id", .int(int32), "1", "This node's id, unique in the cluster."),
    key("broker.id", .int(int32), nil, "The older name of node.id."),
    key("process.roles", .list(of: ["broker", "controller"]), "broker,controller", "What this process is."),
    key(
      "listeners", .freeList, "PLAINTEXT://localhost:9092", "Where to listen: NAME://host:port, separated by commas."),
    key("advertised.listeners", .freeList, nil, "What clients are told to connect to; as listeners when not set."),
    key("listener.security.protocol.map", .freeList, nil, "Which protocol each listener name speaks."),
    key("controller.listener.names", .freeList, nil, "Listeners that are for controllers only."),
    key(
      "inter.broker.listener.name", .string, nil,
      "The listener that brokers use among themselves; the first if not set."),
    key("controller.quorum.voters", .freeList, nil, "The voters of the metadata quorum: id@host:port."),
    key(
      "controller.quorum.bootstrap.servers", .freeList, nil,
      "Where to find the metadata quorum, whose voters are in the metadata log (KIP-853)."),
    key("broker.rack", .string, nil, "The Region or zone of this broker."),
    key("log.dirs", .freeList, nil, "Where records are kept: one folder, or several on disks of their own."),
    key(
      "metadata.log.dir", .string, nil,
      "Where the metadata log is kept; the first folder of log.dirs if not set. It may be a folder of its own."),
    key("log.dir", .string, "./swiftwater-data", "Where records are kept, when log.dirs is not set."),
    key(
      "cluster.id", .string, nil,
      "The cluster's id when the data folder is new; made up when not set. Not a key of Kafka's."),
    key(
      "metrics.listener", .string, nil,
      "host:port of /metrics, /livez and /readyz; off when not set. Not a key of Kafka's."),
    key("metrics.port", .int(0...65535), nil, "As metrics.listener, on every address. Not a key of Kafka's."),
  ]

  private static let connections: [BrokerConfigDefinition] = [
    key("num.network.threads", .int(1...256), nil, "Event loops; one for each core when not set."),
    key("background.threads", .int(1...1024), "10", "Threads for work that may block: syncs, cold reads, deletions."),
    key("socket.request.max.bytes", .int(positive), "104857600", "A larger request closes its connection."),
    key(
      "socket.listen.backlog.size", .int(positive), nil, "Connections that wait to be accepted.",
      .none(because: "1,024 may wait, or as many as the kernel allows")),
    key("connections.max.idle.ms", .long(0...Int64.max), "600000", "A connection that is idle for longer is closed."),
    key("max.connections", .int(int32), "2147483647", "Connections in all."),
    key("max.connections.per.ip", .int(int32), "2147483647", "Connections from one address."),
  ]

  private static let cluster: [BrokerConfigDefinition] = [
    key(
      "broker.session.timeout.ms", .int(positive), "2000",
      "A broker of which the controller hears nothing for so long is fenced. Kafka's is 9000."),
    key(
      "broker.heartbeat.interval.ms", .int(positive), "400",
      "How often a broker tells the controller that it lives. Kafka's is 2000."),
    key(
      "controlled.shutdown.enable", .boolean, "true",
      "Whether leaders are moved away before a broker stops. The operator turns it off in a cluster that is being deleted.",
      .dynamic),
    key(
      "auto.leader.rebalance.enable", .boolean, "true",
      "Whether leadership goes back to the preferred leaders by itself."),
    key(
      "leader.imbalance.check.interval.seconds", .int(positive), "300",
      "How often leadership is given back to the preferred leaders."),
    key(
      "controller.quorum.election.timeout.ms", .int(positive), "500",
      "How long a controller waits before it asks for votes again; a random part is added. Kafka's is 1000."),
    key(
      "controller.quorum.fetch.timeout.ms", .int(positive), "1000",
      "How long a controller hears nothing from the leader before it wants to be elected. Kafka's is 2000."),
    key(
      "controller.quorum.election.backoff.max.ms", .int(positive), "1000",
      "The longest pause after an election that nobody won."),
    key(
      "controller.quorum.request.timeout.ms", .int(positive), "1000",
      "How long a request to a controller may take. Kafka's is 2000."),
    key("controller.quorum.retry.backoff.ms", .int(int32), "20", "The pause before a controller is asked again."),
    key(
      "metadata.log.max.record.bytes.between.snapshots", .long(1...Int64.max), "20971520",
      "Bytes of the metadata log after which a snapshot takes its place."),
  ]

  private static let topics: [BrokerConfigDefinition] =
    [
      key("num.partitions", .int(positive), "1", "Partitions of a topic that does not say."),
      key("default.replication.factor", .int(1...32767), "1", "Replicas of a topic that does not say."),
      key("auto.create.topics.enable", .boolean, "true", "Whether asking for a topic makes it."),
      key("delete.topic.enable", .boolean, "true", "Whether topics can be deleted."),
      key("log.retention.minutes", .int(-1...Int64(Int32.max)), nil, "Minutes for which segments are kept."),
      key("log.retention.hours", .int(-1...Int64(Int32.max)), "168", "Hours for which segments are kept."),
      key("log.roll.hours", .int(positive), "168", "Hours after which a segment is closed."),
      key(
        "producer.id.expiration.ms", .int(positive), "86400000",
        "How long an idle producer's sequence numbers are kept."),
    ]
    + TopicConfigs.all.compactMap { topic in
      guard let first = topic.brokerKeys.first else { return nil }
      let takesAll = topic.brokerKeys.count == 1
      return key(
        first.name, topic.definition.kind, takesAll ? topic.definition.defaultValue : nil,
        "The default of the topic config \(topic.name).", .dynamic)
    }

  private static let groups: [BrokerConfigDefinition] = [
    key("group.min.session.timeout.ms", .int(positive), "6000", "The shortest session timeout of a classic group."),
    key("group.max.session.timeout.ms", .int(positive), "1800000", "The longest session timeout of a classic group."),
    key("group.initial.rebalance.delay.ms", .int(int32), "3000", "How long a new group waits for more members."),
    key("group.max.size", .int(positive), "2147483647", "Members of one classic group."),
    key("group.consumer.session.timeout.ms", .int(positive), "45000", "Session timeout of consumer groups (KIP-848)."),
    key(
      "group.consumer.min.session.timeout.ms", .int(positive), "45000", "The shortest session timeout that may be set."),
    key(
      "group.consumer.max.session.timeout.ms", .int(positive), "60000", "The longest session timeout that may be set."),
    key("group.consumer.heartbeat.interval.ms", .int(positive), "5000", "How often members are told to heartbeat."),
    key(
      "group.consumer.min.heartbeat.interval.ms", .int(positive), "5000",
      "The shortest heartbeat interval that may be set."),
    key(
      "group.consumer.max.heartbeat.interval.ms", .int(positive), "15000",
      "The longest heartbeat interval that may be set."),
    key("group.consumer.max.size", .int(positive), "2147483647", "Members of one consumer group."),
    key(
      "group.coordinator.rebalance.protocols", .list(of: ["classic", "consumer"]), "classic,consumer",
      "Which group protocols are on."),
    key("offsets.topic.num.partitions", .int(positive), "50", "Partitions of __consumer_offsets."),
    key("offsets.topic.replication.factor", .int(1...32767), "1", "Replicas of __consumer_offsets."),
    key("offsets.topic.segment.bytes", .int(positive), "104857600", "Segment size of __consumer_offsets."),
    key("offsets.retention.minutes", .int(positive), "10080", "How long offsets of an empty group are kept."),
    key(
      "offsets.retention.check.interval.ms", .long(1...Int64.max), "600000", "How often expired offsets are looked for."
    ),
    key("offset.metadata.max.bytes", .int(int32), "4096", "The longest metadata of a committed offset."),
  ]

  private static let transactions: [BrokerConfigDefinition] = [
    key("transaction.state.log.num.partitions", .int(positive), "50", "Partitions of __transaction_state."),
    key(
      "transaction.state.log.replication.factor", .int(1...32767), "1",
      "Replicas of __transaction_state. Kafka's is 3."),
    key(
      "transaction.state.log.min.isr", .int(positive), "1",
      "The min.insync.replicas of __transaction_state. Kafka's is 2."),
    key("transaction.state.log.segment.bytes", .int(positive), "104857600", "Segment size of __transaction_state."),
    key(
      "transaction.max.timeout.ms", .int(positive), "900000",
      "The longest time that a producer may set for its transactions."),
    key(
      "transactional.id.expiration.ms", .int(positive), "604800000",
      "How long a transactional id that is not used is kept."),
    key(
      "transaction.remove.expired.transaction.cleanup.interval.ms", .int(positive), "3600000",
      "How often expired transactional ids are looked for."),
    key(
      "transaction.abort.timed.out.transaction.cleanup.interval.ms", .int(positive), nil, "",
      .none(because: "a transaction is aborted when its own time is up")),
    key(
      "transaction.partition.verification.enable", .boolean, nil, "",
      .none(because: "a partition is written to only after its coordinator has said that it is part of the transaction")
    ),
  ]

  private static let replication: [BrokerConfigDefinition] = [
    key(
      "replica.lag.time.max.ms", .long(1...Int64.max), "30000",
      "A follower that was not at its leader's end for so long is not in sync."),
    key("replica.fetch.max.bytes", .int(int32), "1048576", "Bytes of one partition in the answer to a follower."),
    key(
      "replica.fetch.response.max.bytes", .int(int32), "10485760",
      "Bytes of all partitions in the answer to a follower."
    ),
    key("replica.fetch.wait.max.ms", .int(int32), "500", "How long a leader holds back the answer to a follower."),
    key("replica.fetch.min.bytes", .int(int32), "1", "Bytes that a follower waits for."),
    key("replica.fetch.backoff.ms", .int(int32), "1000", "The pause after a fetch of a follower that failed."),
    key(
      "leader.replication.throttled.rate", .long(0...Int64.max), String(Int64.max),
      "Bytes a second that this broker sends to followers that are not in sync, of the replicas that the topic config "
        + "leader.replication.throttled.replicas names (KIP-73).", .dynamic),
    key(
      "follower.replication.throttled.rate", .long(0...Int64.max), String(Int64.max),
      "Bytes a second that this broker copies to where it is not in sync, of the replicas that the topic config "
        + "follower.replication.throttled.replicas names (KIP-73).", .dynamic),
    key(
      "mirror.fetch.buffer.bytes", .long(1...Int64.max), "67108864",
      "Bytes that all mirrors of this broker together may have fetched and not written yet. Each Fetch asks for its share, and "
        + "gets one batch at least. Not a key of Kafka's.", .dynamic),
    key(
      "mirror.log.dir.reserved.bytes", .long(0...Int64.max), "1073741824",
      "Room that mirrors leave on each disk, but no more than a tenth of it: where less is free they copy nothing to it, and "
        + "go on by themselves. Not a key of Kafka's.", .dynamic),
    key(
      "replica.socket.timeout.ms", .int(positive), "30000", "How long a leader may take to answer a follower."),
    key(
      "replica.selector.class", .choice(["", "org.apache.kafka.common.replica.RackAwareReplicaSelector"]), nil,
      "The rack-aware selector sends consumers to copies in their own Region (KIP-392)."),
  ]

  private static let upkeep: [BrokerConfigDefinition] = [
    key("log.retention.check.interval.ms", .long(1...Int64.max), "300000", "How often retention is applied."),
    key(
      "log.flush.scheduler.interval.ms", .long(1...Int64.max), nil, "How often flush.ms is looked at.",
      .none(because: "flush.ms is looked at every second")),
    key("log.flush.offset.checkpoint.interval.ms", .int(positive), "60000", "How often recovery points are written."),
    key("log.cleaner.enable", .boolean, "true", "Whether compacted topics are compacted."),
    key(
      "log.cleaner.backoff.ms", .long(0...Int64.max), "15000",
      "How long the cleaner rests when there is nothing to clean."),
    key("log.cleaner.dedupe.buffer.size", .long(1024...Int64.max), "134217728", "Memory of the cleaner's map of keys."),
    key("fetch.max.bytes", .int(1024...Int64(Int32.max)), "57671680", "The largest answer to a Fetch."),
    key("max.incremental.fetch.session.cache.slots", .int(int32), "1000", "Fetch sessions that are kept (KIP-227)."),
  ]

  private static let accepted: [BrokerConfigDefinition] = [
    key("num.io.threads", .int(positive), nil, "", .none(because: loops)),
    key("num.replica.fetchers", .int(positive), nil, "", .none(because: loops)),
    key("num.recovery.threads.per.data.dir", .int(positive), nil, "", .none(because: "recovery uses every core")),
    key(
      "socket.send.buffer.bytes", .int(-1...Int64(Int32.max)), nil, "",
      .none(because: "the kernel sizes socket buffers")),
    key(
      "socket.receive.buffer.bytes", .int(-1...Int64(Int32.max)), nil, "",
      .none(because: "the kernel sizes socket buffers")),
    key("share.coordinator.state.topic.replication.factor", .int(positive), nil, "", .none(because: noShareGroups)),
    key("share.coordinator.state.topic.min.isr", .int(positive), nil, "", .none(because: noShareGroups)),
  ]

  public static let byName: [String: BrokerConfigDefinition] = Dictionary(
    all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  private static func key(
    _ name: String, _ kind: ConfigKind, _ value: String?, _ documentation: String, _ effect: BrokerKeyEffect = .atStart
  ) -> BrokerConfigDefinition {
    BrokerConfigDefinition(
      definition: ConfigDefinition(name: name, kind: kind, defaultValue: value, documentation: documentation),
      effect: effect)
  }
}
