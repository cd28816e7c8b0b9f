import Coordination
import KafkaProtocol
import Vocabulary
import Wire

extension GroupRecordFormat {
  /// Nil for a record of a kind that this release does not know, and for one that names what cannot be a topic.
  static func decode(_ record: Record) throws(WireError) -> GroupRecord? {
    guard let keyBytes = record.key, let key = try GroupRecordKey.decode(keyBytes) else { return nil }
    let value = record.value
    switch key {
    case .offsetCommit(let group, let topic, let partition):
      guard let name = TopicName(topic) else { return nil }
      return .offset(
        GroupID(group), TopicPartition(name, PartitionIndex(partition)),
        try value.map { bytes throws(WireError) in offset(try OffsetCommitValue.decode(bytes)) })
    case .groupMetadata(let group):
      return .classicGroup(
        GroupID(group), try value.map { bytes throws(WireError) in classic(try GroupMetadataValue.decode(bytes)) })
    case .consumerGroupMetadata(let group):
      return .consumerGroup(
        GroupID(group),
        try value.map { bytes throws(WireError) in MemberEpoch(try ConsumerGroupMetadataValue.decode(bytes).epoch) })
    case .consumerGroupPartitionMetadata(let group):
      return .consumerTopics(
        GroupID(group),
        try value.map { bytes throws(WireError) in topics(try ConsumerGroupPartitionMetadataValue.decode(bytes)) })
    case .consumerGroupMemberMetadata(let group, let member):
      return .consumerMember(
        GroupID(group), MemberID(member),
        try value.map { bytes throws(WireError) in self.member(try ConsumerGroupMemberMetadataValue.decode(bytes)) })
    case .consumerGroupTargetAssignmentMetadata(let group):
      return .consumerTargetEpoch(
        GroupID(group),
        try value.map { bytes throws(WireError) in
          MemberEpoch(try ConsumerGroupTargetAssignmentMetadataValue.decode(bytes).assignmentEpoch)
        })
    case .consumerGroupTargetAssignmentMember(let group, let member):
      return .consumerTarget(
        GroupID(group), MemberID(member),
        try value.map { bytes throws(WireError) in
          let target = try ConsumerGroupTargetAssignmentMemberValue.decode(bytes)
          return assignment(target.topicPartitions.map { ($0.topicID, $0.partitions) })
        })
    case .consumerGroupCurrentMemberAssignment(let group, let member):
      return .consumerCurrent(
        GroupID(group), MemberID(member),
        try value.map { bytes throws(WireError) in
          current(try ConsumerGroupCurrentMemberAssignmentValue.decode(bytes))
        })
    case .consumerGroupRegularExpression(let group, let expression):
      return .consumerPattern(
        GroupID(group), SubscriptionPattern(expression),
        try value.map { bytes throws(WireError) in pattern(try ConsumerGroupRegularExpressionValue.decode(bytes)) })
    }
  }

  private static func offset(_ value: OffsetCommitValue) -> CommittedOffset {
    CommittedOffset(
      offset: Offset(value.offset), leaderEpoch: LeaderEpoch(value.leaderEpoch), metadata: value.metadata,
      committedAt: Timestamp(milliseconds: value.commitTimestamp),
      expiresAt: value.expireTimestamp < 0 ? nil : Timestamp(milliseconds: value.expireTimestamp))
  }

  private static func classic(_ value: GroupMetadataValue) -> ClassicGroupRecord {
    ClassicGroupRecord(
      protocolType: value.protocolType, generation: Generation(value.generation), protocolName: value.protocol,
      leader: value.leader.map { MemberID($0) },
      stateSince: Timestamp(milliseconds: value.currentStateTimestamp),
      members: value.members.map { member in
        ClassicGroupRecord.Member(
          member: MemberID(member.memberID), instance: member.groupInstanceID.map { InstanceID($0) },
          client: ClientIdentity(id: member.clientID, host: member.clientHost),
          rebalanceTimeout: .milliseconds(Int64(member.rebalanceTimeout)),
          sessionTimeout: .milliseconds(Int64(member.sessionTimeout)), subscription: member.subscription,
          subscribedTopics: SubscriptionBytes.topics(in: member.subscription), assignment: member.assignment)
      })
  }

  private static func topics(_ value: ConsumerGroupPartitionMetadataValue) -> [KnownTopic] {
    value.topics.compactMap { topic in
      TopicName(topic.topicName).map { KnownTopic(name: $0, id: topic.topicID, partitions: topic.numPartitions) }
    }
  }

  private static func member(_ value: ConsumerGroupMemberMetadataValue) -> ConsumerMemberRecord {
    ConsumerMemberRecord(
      instance: value.instanceID.map { InstanceID($0) }, rack: value.rackID,
      client: ClientIdentity(id: value.clientID, host: value.clientHost),
      subscribedTopics: value.subscribedTopicNames,
      subscribedPattern: value.subscribedTopicRegex.flatMap { $0.isEmpty ? nil : SubscriptionPattern($0) },
      rebalanceTimeout: .milliseconds(Int64(value.rebalanceTimeoutMs)), assignor: value.serverAssignor)
  }

  private static func pattern(_ value: ConsumerGroupRegularExpressionValue) -> PatternTopics {
    PatternTopics(
      topics: value.topics.compactMap(TopicName.init), version: value.version,
      evaluatedAt: Timestamp(milliseconds: value.timestamp))
  }

  private static func current(_ value: ConsumerGroupCurrentMemberAssignmentValue) -> CurrentAssignmentRecord {
    CurrentAssignmentRecord(
      epoch: MemberEpoch(value.memberEpoch), previousEpoch: MemberEpoch(value.previousMemberEpoch),
      state: MemberState(rawValue: UInt8(bitPattern: value.state)) ?? .unknown,
      assigned: assignment(value.assignedPartitions.map { ($0.topicID, $0.partitions) }),
      pendingRevocation: assignment(value.partitionsPendingRevocation.map { ($0.topicID, $0.partitions) }))
  }

  static func assignment(_ topics: [(UniqueID, [Int32])]) -> Assignment {
    Assignment(topics.flatMap { id, partitions in partitions.map { TopicIDPartition(id, PartitionIndex($0)) } })
  }
}

/// The topics inside a consumer's subscription, which is opaque to the coordinator.
enum SubscriptionBytes {
  /// Nil for bytes that are not the consumer protocol's.
  static func topics(in metadata: [UInt8]) -> [TopicName]? {
    metadata.withUnsafeBytes { raw in
      try? ConsumerProtocolSubscription.decode(raw).topics.compactMap(TopicName.init)
    }
  }
}
