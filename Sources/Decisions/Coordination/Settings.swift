public import Vocabulary

/// The limits and times of group coordination, by the names of Kafka's configuration.
public struct GroupSettings: Hashable, Sendable {
  /// `group.min.session.timeout.ms`: a JoinGroup below it gets INVALID_SESSION_TIMEOUT.
  public var sessionTimeoutMin = TimeSpan.seconds(6)
  /// `group.max.session.timeout.ms`: a JoinGroup above it gets INVALID_SESSION_TIMEOUT.
  public var sessionTimeoutMax = TimeSpan.seconds(1800)
  /// `group.initial.rebalance.delay.ms`: how long the first member of an empty group waits for others.
  public var initialRebalanceDelay = TimeSpan.seconds(3)
  /// `group.max.size`: a member beyond it gets GROUP_MAX_SIZE_REACHED.
  public var classicMembersMax = Int(Int32.max)
  /// How long a new member may wait in the join phase before it counts as gone: its heartbeats start only afterwards.
  public var newMemberJoinTimeout = TimeSpan.seconds(300)
  /// The most that one append may hold: `max.message.bytes` of `__consumer_offsets`, less room for a batch's header.
  /// More records make several appends. A record that is larger by itself is refused to whoever asks for it.
  public var appendMax = ByteCount(1_000_000)
  /// `offset.metadata.max.bytes`: a commit with more gets OFFSET_METADATA_TOO_LARGE.
  public var offsetMetadataMax = ByteCount.kibibytes(4)
  /// `offsets.retention.minutes`: how long offsets outlive their group's last member.
  public var offsetsRetention = TimeSpan.seconds(7 * 24 * 3600)
  /// `offsets.retention.check.interval.ms`.
  public var offsetsRetentionCheckInterval = TimeSpan.seconds(600)
  /// `group.consumer.session.timeout.ms`.
  public var consumerSessionTimeout = TimeSpan.seconds(45)
  /// `group.consumer.heartbeat.interval.ms`: told to members in every heartbeat's answer.
  public var consumerHeartbeatInterval = TimeSpan.seconds(5)
  /// `group.consumer.max.size`: a member beyond it gets GROUP_MAX_SIZE_REACHED.
  public var consumerMembersMax = Int(Int32.max)
  /// `group.consumer.assignors`: the first is the default.
  public var consumerAssignors: [Assignor] = [.uniform, .range]

  public init() {}
}

/// The assignors that run in the coordinator (KIP-848), by the names that clients ask for.
public enum Assignor: String, Hashable, Sendable, CaseIterable {
  /// As even and as sticky as can be, over all topics together.
  case uniform
  /// Each topic in contiguous ranges, so that equal partitions of several topics meet in one member.
  case range
}
