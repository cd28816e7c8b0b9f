public import Vocabulary

// What is asked and said about committed offsets.

/// Some partitions of one topic, each with something.
public struct OfTopic<Item: Hashable & Sendable>: Hashable, Sendable {
  public var topic: TopicName
  public var partitions: [Item]
  public init(_ topic: TopicName, _ partitions: [Item]) {
    self.topic = topic
    self.partitions = partitions
  }
}

/// One partition's result.
public struct PartitionResult: Hashable, Sendable {
  public var partition: PartitionIndex
  public var error: ErrorCode
  public init(_ partition: PartitionIndex, _ error: ErrorCode) {
    self.partition = partition
    self.error = error
  }
}

/// Who commits: what the coordinator checks a commit against.
public struct Committer: Hashable, Sendable {
  /// Which groups the request's version was made for: that decides the words of a refusal.
  public enum Knowledge: Hashable, Sendable {
    /// OffsetCommit up to v8, and TxnOffsetCommit: an unknown group is ILLEGAL_GENERATION.
    case classicGroupsOnly
    /// OffsetCommit v9+ (KIP-848): an unknown group is GROUP_ID_NOT_FOUND.
    case consumerGroupsToo
  }
  public var member: MemberID
  public var instance: InstanceID?
  /// A classic generation or a member epoch; negative for a consumer that only keeps offsets here.
  public var generationOrEpoch: Int32
  public var knows: Knowledge

  public init(
    member: MemberID, instance: InstanceID? = nil, generationOrEpoch: Int32, knows: Knowledge
  ) {
    self.member = member
    self.instance = instance
    self.generationOrEpoch = generationOrEpoch
    self.knows = knows
  }
}

/// OffsetCommit, or TxnOffsetCommit where `writer` is a transaction.
public struct CommitRequest: Hashable, Sendable {
  public struct Partition: Hashable, Sendable {
    public var partition: PartitionIndex
    public var offset: Offset
    public var leaderEpoch: LeaderEpoch
    public var metadata: String
    public init(
      partition: PartitionIndex, offset: Offset, leaderEpoch: LeaderEpoch = .none, metadata: String = ""
    ) {
      self.partition = partition
      self.offset = offset
      self.leaderEpoch = leaderEpoch
      self.metadata = metadata
    }
  }
  public var group: GroupID
  public var committer: Committer
  public var topics: [OfTopic<Partition>]
  /// retention_time of v2–4: overrides `offsets.retention.minutes` for these offsets.
  public var retention: TimeSpan?
  public var writer: RecordWriter

  public init(
    group: GroupID, committer: Committer, topics: [OfTopic<Partition>], retention: TimeSpan? = nil,
    writer: RecordWriter = .coordinator
  ) {
    self.group = group
    self.committer = committer
    self.topics = topics
    self.retention = retention
    self.writer = writer
  }
}

/// The answer to a commit, in the order of the request. A refusal of the whole is said for every partition.
public struct CommitAnswer: Hashable, Sendable {
  public var topics: [OfTopic<PartitionResult>]
  public init(topics: [OfTopic<PartitionResult>]) { self.topics = topics }

  func refused(as error: ErrorCode) -> CommitAnswer {
    CommitAnswer(topics: topics.map { OfTopic($0.topic, $0.partitions.map { PartitionResult($0.partition, error) }) })
  }
}

/// OffsetFetch.
public struct FetchOffsetsRequest: Hashable, Sendable {
  public struct Group: Hashable, Sendable {
    public var group: GroupID
    /// v9+: checked where the group is a consumer group and a member is named (KIP-848).
    public var member: MemberID?
    public var memberEpoch: MemberEpoch?
    /// nil: all topics.
    public var topics: [OfTopic<PartitionIndex>]?
    public init(
      _ group: GroupID, topics: [OfTopic<PartitionIndex>]?, member: MemberID? = nil, memberEpoch: MemberEpoch? = nil
    ) {
      self.group = group
      self.topics = topics
      self.member = member
      self.memberEpoch = memberEpoch
    }
  }
  /// What to say about a partition whose offset is part of an open transaction (KIP-447).
  public enum Stability: Hashable, Sendable {
    /// UNSTABLE_OFFSET_COMMIT: `require_stable`.
    case required
    /// The last offset outside transactions.
    case notRequired
  }
  public var groups: [Group]
  public var stability: Stability
  public init(groups: [Group], stability: Stability) {
    self.groups = groups
    self.stability = stability
  }
}

/// One group's part of the answer to an OffsetFetch.
public struct FetchedGroup: Hashable, Sendable {
  public struct Partition: Hashable, Sendable {
    public var partition: PartitionIndex
    public var error: ErrorCode = .none
    /// `.none` where nothing is committed: that is no error.
    public var offset: Offset = .none
    public var leaderEpoch: LeaderEpoch = .none
    public var metadata = ""
  }
  public var group: GroupID
  public var error: ErrorCode = .none
  public var topics: [OfTopic<Partition>] = []
  public init(group: GroupID, error: ErrorCode = .none, topics: [OfTopic<Partition>] = []) {
    self.group = group
    self.error = error
    self.topics = topics
  }
}

/// OffsetDelete.
public struct DeleteOffsetsRequest: Hashable, Sendable {
  public var group: GroupID
  public var topics: [OfTopic<PartitionIndex>]
  public init(group: GroupID, topics: [OfTopic<PartitionIndex>]) {
    self.group = group
    self.topics = topics
  }
}

/// The answer to an OffsetDelete.
public struct DeleteOffsetsAnswer: Hashable, Sendable {
  public var error: ErrorCode
  public var topics: [OfTopic<PartitionResult>]
  public init(error: ErrorCode, topics: [OfTopic<PartitionResult>]) {
    self.error = error
    self.topics = topics
  }
}

/// One group's part of the answer to a DeleteGroups.
public struct DeletedGroup: Hashable, Sendable {
  public var group: GroupID
  public var error: ErrorCode
  public init(group: GroupID, error: ErrorCode) {
    self.group = group
    self.error = error
  }
}
