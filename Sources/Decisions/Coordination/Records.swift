public import Vocabulary

/// What the coordinator writes to its partition of `__consumer_offsets`, in the terms of Kafka's record types.
/// A nil value is a tombstone: it takes back what was said under the same key.
public enum GroupRecord: Hashable, Sendable {
  /// OffsetCommitKey / OffsetCommitValue.
  case offset(GroupID, TopicPartition, CommittedOffset?)
  /// GroupMetadataKey / GroupMetadataValue: the whole of a classic group.
  case classicGroup(GroupID, ClassicGroupRecord?)
  /// ConsumerGroupMetadataKey / Value: the group's epoch.
  case consumerGroup(GroupID, MemberEpoch?)
  /// ConsumerGroupPartitionMetadataKey / Value: the topics as they were at that epoch, ordered by name.
  case consumerTopics(GroupID, [KnownTopic]?)
  /// ConsumerGroupRegularExpressionKey / Value (type 16): the topics that a pattern meant when it was last evaluated.
  case consumerPattern(GroupID, SubscriptionPattern, PatternTopics?)
  /// ConsumerGroupMemberMetadataKey / Value.
  case consumerMember(GroupID, MemberID, ConsumerMemberRecord?)
  /// ConsumerGroupTargetAssignmentMetadataKey / Value: the epoch for which the target was computed.
  case consumerTargetEpoch(GroupID, MemberEpoch?)
  /// ConsumerGroupTargetAssignmentMemberKey / Value.
  case consumerTarget(GroupID, MemberID, Assignment?)
  /// ConsumerGroupCurrentMemberAssignmentKey / Value.
  case consumerCurrent(GroupID, MemberID, CurrentAssignmentRecord?)
}

/// One committed offset.
public struct CommittedOffset: Hashable, Sendable {
  public var offset: Offset
  public var leaderEpoch: LeaderEpoch
  public var metadata: String
  public var committedAt: Timestamp
  /// Only for commits that named their own retention (value version 1).
  public var expiresAt: Timestamp?
  public init(
    offset: Offset, leaderEpoch: LeaderEpoch, metadata: String, committedAt: Timestamp, expiresAt: Timestamp? = nil
  ) {
    self.offset = offset
    self.leaderEpoch = leaderEpoch
    self.metadata = metadata
    self.committedAt = committedAt
    self.expiresAt = expiresAt
  }
}

/// GroupMetadataValue: a classic group, empty or stable.
public struct ClassicGroupRecord: Hashable, Sendable {
  public struct Member: Hashable, Sendable {
    public var member: MemberID
    public var instance: InstanceID?
    public var client: ClientIdentity
    public var rebalanceTimeout: TimeSpan
    public var sessionTimeout: TimeSpan
    /// The member's metadata for the chosen protocol.
    public var subscription: [UInt8]
    /// The topics inside `subscription`; not written, so that the caller reads them again when it loads.
    public var subscribedTopics: [TopicName]?
    public var assignment: [UInt8]
    public init(
      member: MemberID, instance: InstanceID?, client: ClientIdentity, rebalanceTimeout: TimeSpan,
      sessionTimeout: TimeSpan, subscription: [UInt8], subscribedTopics: [TopicName]?, assignment: [UInt8]
    ) {
      self.member = member
      self.instance = instance
      self.client = client
      self.rebalanceTimeout = rebalanceTimeout
      self.sessionTimeout = sessionTimeout
      self.subscription = subscription
      self.subscribedTopics = subscribedTopics
      self.assignment = assignment
    }
  }
  /// Empty where the group never had one.
  public var protocolType: String
  public var generation: Generation
  public var protocolName: String?
  public var leader: MemberID?
  /// When the group came into its state.
  public var stateSince: Timestamp
  /// Ordered by member id.
  public var members: [Member]
  public init(
    protocolType: String, generation: Generation, protocolName: String?, leader: MemberID?, stateSince: Timestamp,
    members: [Member]
  ) {
    self.protocolType = protocolType
    self.generation = generation
    self.protocolName = protocolName
    self.leader = leader
    self.stateSince = stateSince
    self.members = members
  }
}

/// ConsumerGroupMemberMetadataValue.
public struct ConsumerMemberRecord: Hashable, Sendable {
  public var instance: InstanceID?
  public var rack: String?
  public var client: ClientIdentity
  /// Ordered, each once. Names that no topic has yet are allowed.
  public var subscribedTopics: [String]
  public var subscribedPattern: SubscriptionPattern?
  public var rebalanceTimeout: TimeSpan
  /// The name of the assignor that the member asked for.
  public var assignor: String?
  public init(
    instance: InstanceID?, rack: String?, client: ClientIdentity, subscribedTopics: [String],
    subscribedPattern: SubscriptionPattern?, rebalanceTimeout: TimeSpan, assignor: String?
  ) {
    self.instance = instance
    self.rack = rack
    self.client = client
    self.subscribedTopics = subscribedTopics
    self.subscribedPattern = subscribedPattern
    self.rebalanceTimeout = rebalanceTimeout
    self.assignor = assignor
  }
}

/// A topic as a consumer group knew it.
public struct KnownTopic: Hashable, Sendable {
  public var name: TopicName
  public var id: UniqueID
  public var partitions: Int32
  public init(name: TopicName, id: UniqueID, partitions: Int32) {
    self.name = name
    self.id = id
    self.partitions = partitions
  }
}

/// Where a member of a consumer group is on its way to its target, with Kafka's numbers.
public enum MemberState: UInt8, Hashable, Sendable {
  /// It has what the target of its epoch gives it.
  case stable = 0
  /// It must give up partitions before it may go on.
  case unrevokedPartitions = 1
  /// It waits for partitions that others still own.
  case unreleasedPartitions = 2
  /// Written by a newer coordinator.
  case unknown = 127
}

/// ConsumerGroupCurrentMemberAssignmentValue.
public struct CurrentAssignmentRecord: Hashable, Sendable {
  public var epoch: MemberEpoch
  public var previousEpoch: MemberEpoch
  public var state: MemberState
  public var assigned: Assignment
  public var pendingRevocation: Assignment
  public init(
    epoch: MemberEpoch, previousEpoch: MemberEpoch, state: MemberState, assigned: Assignment,
    pendingRevocation: Assignment
  ) {
    self.epoch = epoch
    self.previousEpoch = previousEpoch
    self.state = state
    self.assigned = assigned
    self.pendingRevocation = pendingRevocation
  }
}

/// ConsumerGroupRegularExpressionValue.
public struct PatternTopics: Hashable, Sendable {
  /// Ordered.
  public var topics: [TopicName]
  /// The version of the catalogue that was searched.
  public var version: Int64
  public var evaluatedAt: Timestamp
  public init(topics: [TopicName], version: Int64, evaluatedAt: Timestamp) {
    self.topics = topics
    self.version = version
    self.evaluatedAt = evaluatedAt
  }
}
