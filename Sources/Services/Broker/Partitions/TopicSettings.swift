import ClusterMetadata
import LogStorage
import Vocabulary

/// A topic's configs as the broker uses them.
struct TopicSettings: Equatable, Sendable {
  let log: LogSettings
  let durability: Durability
  let flushInterval: TimeSpan
  let minInSync: Int
  /// Of how many Regions in-sync replicas must have an acks=all write.
  let minRegions: Int
  let fileDeleteDelay: TimeSpan
  let leaderThrottle: ThrottledReplicas
  let followerThrottle: ThrottledReplicas
  /// The mirror that writes the topic; nil where clients do.
  let mirrorLink: String?
  /// Which clusters are taking the topic over; nil where none is.
  let mirrorFence: String?
  /// Of each partition that a mirror has let go of, the first epoch in which clients write.
  let mirrorOpened: [LeaderEpoch]

  /// The values have been checked when they were set.
  init(_ own: [String: String], inherited: ConfigResolution, producerExpiry: TimeSpan) {
    let values = TopicValues(own: own, inherited: inherited)
    var log = LogSettings()
    log.segmentBytes = ByteCount(values.int("segment.bytes"))
    log.segmentSpan = values.span("segment.ms")
    log.indexInterval = ByteCount(values.int("index.interval.bytes"))
    log.indexBytesMax = ByteCount(values.int("segment.index.bytes"))
    log.retentionSpan = values.limit("retention.ms").map { .milliseconds($0) }
    log.retentionBytes = values.limit("retention.bytes").map { ByteCount(Int($0)) }
    log.batchBytesMax = ByteCount(values.int("max.message.bytes"))
    log.compression = values.compression
    log.timestampType = values.text("message.timestamp.type") == "LogAppendTime" ? .logAppendTime : .createTime
    log.timestampBeforeMax = values.finite("message.timestamp.before.max.ms")
    log.timestampAfterMax = values.finite("message.timestamp.after.max.ms")
    let policies = commaSeparated(values.text("cleanup.policy"))
    log.cleanup = []
    if policies.contains("delete") { log.cleanup.insert(.delete) }
    if policies.contains("compact") { log.cleanup.insert(.compact) }
    log.dirtyRatioMin = Double(values.text("min.cleanable.dirty.ratio")) ?? 0.5
    log.compactionLagMin = values.span("min.compaction.lag.ms")
    log.compactionLagMax = values.finite("max.compaction.lag.ms")
    log.deleteRetention = values.span("delete.retention.ms")
    log.producerExpiration = producerExpiry
    self.log = log
    let flushMessages = values.int("flush.messages")
    durability = flushMessages == 1 ? .disk : .pageCache(syncAfter: Int64(flushMessages))
    flushInterval = values.span("flush.ms")
    minInSync = values.int("min.insync.replicas")
    minRegions = values.int("min.insync.regions")
    fileDeleteDelay = values.span("file.delete.delay.ms")
    leaderThrottle = ThrottledReplicas(values.text("leader.replication.throttled.replicas")) ?? .these([])
    followerThrottle = ThrottledReplicas(values.text("follower.replication.throttled.replicas")) ?? .these([])
    mirrorLink = own["mirror.link"]
    mirrorFence = own[MirrorConfigs.fence].flatMap { $0.isEmpty ? nil : $0 }
    mirrorOpened = commaSeparated(own[MirrorConfigs.opened] ?? "").compactMap { Int32($0) }.map { LeaderEpoch($0) }
  }

  /// The first epoch in which clients write a partition that a mirror has copied; nil where none has.
  func opened(_ partition: PartitionIndex) -> LeaderEpoch? {
    let index = Int(partition.value)
    return mirrorOpened.indices.contains(index) ? mirrorOpened[index] : nil
  }
}

/// Reads a topic's effective values, each in the unit of its key.
private struct TopicValues {
  let own: [String: String]
  let inherited: ConfigResolution

  func text(_ key: String) -> String {
    guard let known = TopicConfigs.byName[key] else {
      preconditionFailure("\(key) is not in the table of topic configs")
    }
    return inherited.resolve(known, own: own).effective.value ?? known.definition.defaultValue ?? ""
  }
  func int(_ key: String) -> Int { Int(text(key)) ?? 0 }
  func span(_ key: String) -> TimeSpan { .milliseconds(Int64(int(key))) }
  /// -1 is no limit.
  func limit(_ key: String) -> Int64? {
    let value = Int64(int(key))
    return value < 0 ? nil : value
  }
  /// The largest number is no limit.
  func finite(_ key: String) -> TimeSpan? { int(key) == .max ? nil : span(key) }

  var compression: CompressionChoice {
    switch text("compression.type") {
    case "uncompressed": return .codec(.none, level: nil)
    case "gzip":
      let level = int("compression.gzip.level")
      return .codec(.gzip, level: level < 1 ? nil : level)
    case "snappy": return .codec(.snappy, level: nil)
    case "lz4": return .codec(.lz4, level: int("compression.lz4.level"))
    case "zstd": return .codec(.zstd, level: int("compression.zstd.level"))
    default: return .producer
    }
  }
}
