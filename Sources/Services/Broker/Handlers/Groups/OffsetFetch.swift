import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// OffsetFetch, v1–10: how far groups have read; from v8 on several groups (KIP-709), v10 names topics by id.
  ///
  /// A partition without a commit gets offset -1 and no error; no topics means all that have one.
  func offsetFetch(_ call: Call<OffsetFetchRequest>) {
    let version = call.context.version
    let stability: FetchOffsetsRequest.Stability = call.request.requireStable ? .required : .notRequired
    let asked = version >= 8 ? call.request.groups : [singleGroup(call.request, version)]
    let gathering = Gathering<OffsetFetchResponse.Group>(count: asked.count) { answered in
      var response = OffsetFetchResponse()
      if version >= 8 {
        response.groups = answered
      } else if let only = answered.first {
        response.errorCode = only.errorCode
        response.topics = only.topics.map(Self.singleGroupTopic)
      }
      call.answer(response)
    }
    for (index, group) in asked.enumerated() {
      fetchOffsets(group, version, stability) { gathering.put($0, at: index) }
    }
  }

  /// Before v8 a request is about one group; before v2 it could not ask for all topics.
  private func singleGroup(_ request: OffsetFetchRequest, _ version: Int16) -> OffsetFetchRequest.Group {
    var group = OffsetFetchRequest.Group()
    group.groupID = request.groupID
    group.topics = request.topics.map {
      $0.map { topic in
        var entry = OffsetFetchRequest.Topic()
        entry.name = topic.name
        entry.partitionIndexes = topic.partitionIndexes
        return entry
      }
    }
    return group
  }

  private static func singleGroupTopic(_ topic: OffsetFetchResponse.Topic) -> OffsetFetchResponse.SingleGroupTopic {
    var entry = OffsetFetchResponse.SingleGroupTopic()
    entry.name = topic.name
    entry.partitions = topic.partitions.map { partition in
      var result = OffsetFetchResponse.SingleGroupPartition()
      result.partitionIndex = partition.partitionIndex
      result.committedOffset = partition.committedOffset
      result.committedLeaderEpoch = partition.committedLeaderEpoch
      result.metadata = partition.metadata
      result.errorCode = partition.errorCode
      return result
    }
    return entry
  }

  private func fetchOffsets(
    _ group: OffsetFetchRequest.Group, _ version: Int16, _ stability: FetchOffsetsRequest.Stability,
    done: @escaping @Sendable (OffsetFetchResponse.Group) -> Void
  ) {
    let known = group.topics?.compactMap { topic in
      name(of: topic, version).map { OfTopic($0, topic.partitionIndexes.map { PartitionIndex($0) }) }
    }
    let unknown = (group.topics ?? []).filter { name(of: $0, version) == nil }
    let request = FetchOffsetsRequest(
      groups: [
        .init(
          GroupID(group.groupID), topics: known, member: group.memberID.map { MemberID($0) },
          memberEpoch: group.memberEpoch >= 0 ? MemberEpoch(group.memberEpoch) : nil)
      ], stability: stability)
    groups.ask(group.groupID) { coordinator, token, _, effects in
      coordinator.fetchOffsets(request, token, into: &effects)
    } answer: { answer in
      guard case .fetchOffsets(let fetched) = answer else { unexpected(answer) }
      done(self.entry(group, fetched.first ?? FetchedGroup(group: GroupID(group.groupID)), unknown, version))
    } refused: { code in
      done(self.entry(group, FetchedGroup(group: GroupID(group.groupID), error: code), [], version))
    }
  }

  /// By name any text that could be a topic may have offsets, even if the topic is gone.
  private func name(of topic: OffsetFetchRequest.Topic, _ version: Int16) -> TopicName? {
    version >= 10 ? partitions.topic(topic.topicID)?.name : TopicName(topic.name)
  }

  private func entry(
    _ asked: OffsetFetchRequest.Group, _ fetched: FetchedGroup, _ unknown: [OffsetFetchRequest.Topic], _ version: Int16
  ) -> OffsetFetchResponse.Group {
    var entry = OffsetFetchResponse.Group()
    entry.groupID = asked.groupID
    entry.errorCode = fetched.error
    entry.topics = fetched.topics.map { topic in
      var result = OffsetFetchResponse.Topic()
      result.name = topic.topic.text
      result.topicID = partitions.topic(topic.topic)?.id ?? .zero
      result.partitions = topic.partitions.map { fetched in
        var partition = OffsetFetchResponse.Partition()
        partition.partitionIndex = fetched.partition.value
        partition.committedOffset = fetched.offset.value
        partition.committedLeaderEpoch = fetched.leaderEpoch.value
        partition.metadata = fetched.metadata
        partition.errorCode = fetched.error
        return partition
      }
      return result
    }
    // By id a topic that is gone cannot be named to the client.
    if version >= 10 { entry.topics.removeAll { $0.topicID == .zero } }
    entry.topics += unknown.map { Self.unknownTopic($0, version) }
    return entry
  }

  private static func unknownTopic(_ topic: OffsetFetchRequest.Topic, _ version: Int16) -> OffsetFetchResponse.Topic {
    var entry = OffsetFetchResponse.Topic()
    entry.name = topic.name
    entry.topicID = topic.topicID
    entry.partitions = topic.partitionIndexes.map { index in
      var partition = OffsetFetchResponse.Partition()
      partition.partitionIndex = index
      partition.committedOffset = -1
      partition.errorCode = version >= 10 ? .unknownTopicId : .none
      return partition
    }
    return entry
  }
}
