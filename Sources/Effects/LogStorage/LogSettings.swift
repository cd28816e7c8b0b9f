public import Vocabulary

/// What happens to old records (`cleanup.policy`); both may hold.
public struct CleanupPolicy: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let delete = CleanupPolicy(rawValue: 1)
  public static let compact = CleanupPolicy(rawValue: 2)
}

/// `compression.type` of a topic.
public enum CompressionChoice: Hashable, Sendable {
  /// As the producer sent it: bytes are stored untouched.
  case producer
  /// Always this codec; `level` nil is the codec's own default.
  case codec(Compression, level: Int?)
}

/// The topic settings that a log follows, with Kafka's defaults.
public struct LogSettings: Hashable, Sendable {
  /// `segment.bytes`; one batch larger than it gets a segment of its own. At most 2³¹−1.
  public var segmentBytes = ByteCount(1 << 30)
  /// `segment.ms`.
  public var segmentSpan = TimeSpan.seconds(7 * 24 * 3600)
  /// `index.interval.bytes`.
  public var indexInterval = ByteCount.kibibytes(4)
  /// `segment.index.bytes`: a full index rolls the segment.
  public var indexBytesMax = ByteCount.mebibytes(10)
  /// `retention.ms`; nil keeps for ever.
  public var retentionSpan: TimeSpan? = TimeSpan.seconds(7 * 24 * 3600)
  /// `retention.bytes`; nil is without limit.
  public var retentionBytes: ByteCount?
  /// `max.message.bytes`, of a whole batch.
  public var batchBytesMax = ByteCount(1_048_588)
  public var compression = CompressionChoice.producer
  /// `message.timestamp.type`.
  public var timestampType = LogTimestampType.createTime
  /// `message.timestamp.before.max.ms`; nil is without limit.
  public var timestampBeforeMax: TimeSpan?
  /// `message.timestamp.after.max.ms`.
  public var timestampAfterMax: TimeSpan? = TimeSpan.seconds(3600)
  public var cleanup = CleanupPolicy.delete
  /// `min.cleanable.dirty.ratio`, 0 to 1.
  public var dirtyRatioMin = 0.5
  /// `min.compaction.lag.ms`.
  public var compactionLagMin = TimeSpan.zero
  /// `max.compaction.lag.ms`; nil is without limit.
  public var compactionLagMax: TimeSpan?
  /// `delete.retention.ms`: how long a tombstone stays after it was first cleaned.
  public var deleteRetention = TimeSpan.seconds(24 * 3600)
  /// `producer.id.expiration.ms`.
  public var producerExpiration = TimeSpan.seconds(24 * 3600)

  public init() {}

  var isCompacted: Bool { cleanup.contains(.compact) }

  /// The active segment is never compacted, so that `max.compaction.lag.ms` bounds its age too.
  var segmentSpanMax: TimeSpan {
    guard isCompacted, let lag = compactionLagMax else { return segmentSpan }
    return min(segmentSpan, lag)
  }
}

/// `message.timestamp.type` of a topic.
public enum LogTimestampType: Hashable, Sendable {
  case createTime
  case logAppendTime
}
