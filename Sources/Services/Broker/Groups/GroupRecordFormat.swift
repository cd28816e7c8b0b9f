import Coordination
import KafkaProtocol
import Vocabulary

/// Between the coordinator's records and Kafka's bytes in `__consumer_offsets`.
enum GroupRecordFormat {
  /// One batch of these records.
  static func batch(_ records: [GroupRecord], by writer: RecordWriter, at now: Timestamp) -> [UInt8] {
    var builder: RecordBatchBuilder
    switch writer {
    case .coordinator: builder = RecordBatchBuilder()
    case .transaction(let id, let epoch):
      builder = RecordBatchBuilder(
        attributes: RecordBatchAttributes(isTransactional: true),
        producer: ProducerStamp(id: id, epoch: epoch, baseSequence: -1))
    }
    for record in records {
      let (key, value) = encode(record)
      builder.append(timestamp: now, key: key.encode(), value: value)
    }
    return builder.build()
  }

  private static func encode(_ record: GroupRecord) -> (GroupRecordKey, [UInt8]?) {
    switch record {
    case .offset(let group, let partition, let value):
      (
        .offsetCommit(group: group.text, topic: partition.topic.text, partition: partition.partition.value),
        value.map(encode)
      )
    case .classicGroup(let group, let value):
      (.groupMetadata(group: group.text), value.map(encode))
    case .consumerGroup(let group, let epoch):
      (.consumerGroupMetadata(group: group.text), epoch.map { ConsumerGroupMetadataValue(epoch: $0).encode() })
    case .consumerTopics(let group, let topics):
      (.consumerGroupPartitionMetadata(group: group.text), topics.map(encode))
    case .consumerPattern(let group, let pattern, let topics):
      (
        .consumerGroupRegularExpression(group: group.text, regularExpression: pattern.text),
        topics.map(encode)
      )
    case .consumerMember(let group, let member, let value):
      (.consumerGroupMemberMetadata(group: group.text, member: member.text), value.map(encode))
    case .consumerTargetEpoch(let group, let epoch):
      (
        .consumerGroupTargetAssignmentMetadata(group: group.text),
        epoch.map { ConsumerGroupTargetAssignmentMetadataValue(epoch: $0).encode() }
      )
    case .consumerTarget(let group, let member, let assignment):
      (
        .consumerGroupTargetAssignmentMember(group: group.text, member: member.text),
        assignment.map { ConsumerGroupTargetAssignmentMemberValue($0).encode() }
      )
    case .consumerCurrent(let group, let member, let value):
      (.consumerGroupCurrentMemberAssignment(group: group.text, member: member.text), value.map(encode))
    }
  }

  private static func encode(_ offset: CommittedOffset) -> [UInt8] {
    var value = OffsetCommitValue()
    value.offset = offset.offset.value
    value.leaderEpoch = offset.leaderEpoch.value
    value.metadata = offset.metadata
    value.commitTimestamp = offset.committedAt.milliseconds
    guard let expiry = offset.expiresAt else { return value.encode(version: 3) }
    // Only version 1 has a time of its own at which the offset expires.
    value.expireTimestamp = expiry.milliseconds
    return value.encode(version: 1)
  }

  private static func encode(_ group: ClassicGroupRecord) -> [UInt8] {
    var value = GroupMetadataValue()
    value.protocolType = group.protocolType
    value.generation = group.generation.value
    value.protocol = group.protocolName
    value.leader = group.leader?.text
    value.currentStateTimestamp = group.stateSince.milliseconds
    value.members = group.members.map { member in
      var entry = GroupMetadataValue.Member()
      entry.memberID = member.member.text
      entry.groupInstanceID = member.instance?.text
      entry.clientID = member.client.id
      entry.clientHost = member.client.host
      entry.rebalanceTimeout = Int32(clamping: member.rebalanceTimeout.milliseconds)
      entry.sessionTimeout = Int32(clamping: member.sessionTimeout.milliseconds)
      entry.subscription = member.subscription
      entry.assignment = member.assignment
      return entry
    }
    return value.encode(version: 3)
  }

  private static func encode(_ topics: [KnownTopic]) -> [UInt8] {
    var value = ConsumerGroupPartitionMetadataValue()
    value.topics = topics.map { topic in
      var entry = ConsumerGroupPartitionMetadataValue.Topic()
      entry.topicID = topic.id
      entry.topicName = topic.name.text
      entry.numPartitions = topic.partitions
      return entry
    }
    return value.encode()
  }

  private static func encode(_ topics: PatternTopics) -> [UInt8] {
    var value = ConsumerGroupRegularExpressionValue()
    value.topics = topics.topics.map(\.text)
    value.version = topics.version
    value.timestamp = topics.evaluatedAt.milliseconds
    return value.encode()
  }

  private static func encode(_ member: ConsumerMemberRecord) -> [UInt8] {
    var value = ConsumerGroupMemberMetadataValue()
    value.instanceID = member.instance?.text
    value.rackID = member.rack
    value.clientID = member.client.id
    value.clientHost = member.client.host
    value.subscribedTopicNames = member.subscribedTopics
    value.subscribedTopicRegex = member.subscribedPattern?.text
    value.rebalanceTimeoutMs = Int32(clamping: member.rebalanceTimeout.milliseconds)
    value.serverAssignor = member.assignor
    return value.encode()
  }

  private static func encode(_ current: CurrentAssignmentRecord) -> [UInt8] {
    var value = ConsumerGroupCurrentMemberAssignmentValue()
    value.memberEpoch = current.epoch.value
    value.previousMemberEpoch = current.previousEpoch.value
    value.state = Int8(bitPattern: current.state.rawValue)
    value.assignedPartitions = current.assigned.topics.map { .init($0.id, $0.partitions) }
    value.partitionsPendingRevocation = current.pendingRevocation.topics.map { .init($0.id, $0.partitions) }
    return value.encode()
  }
}

extension ConsumerGroupMetadataValue {
  init(epoch: MemberEpoch) {
    self.init()
    self.epoch = epoch.value
  }
}

extension ConsumerGroupTargetAssignmentMetadataValue {
  init(epoch: MemberEpoch) {
    self.init()
    assignmentEpoch = epoch.value
  }
}

extension ConsumerGroupTargetAssignmentMemberValue {
  init(_ assignment: Assignment) {
    self.init()
    topicPartitions = assignment.topics.map { id, partitions in
      var topic = TopicPartitions()
      topic.topicID = id
      topic.partitions = partitions.map(\.value)
      return topic
    }
  }
}

extension ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions {
  init(_ id: UniqueID, _ partitions: [PartitionIndex]) {
    self.init()
    topicID = id
    self.partitions = partitions.map(\.value)
  }
}
