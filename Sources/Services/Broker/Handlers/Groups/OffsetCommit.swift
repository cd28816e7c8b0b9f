import ClusterMetadata
import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// OffsetCommit, v2–10: how far a group has read. v10 names topics by id (KIP-848).
  ///
  /// Topics and partitions that do not exist get UNKNOWN_TOPIC_OR_PARTITION, or UNKNOWN_TOPIC_ID, each on its own, and
  /// topics that another cluster takes over COORDINATOR_LOAD_IN_PROGRESS.
  func offsetCommit(_ call: Call<OffsetCommitRequest>) {
    let request = call.request
    let version = call.context.version
    let held = request.topics.map { version >= 10 ? partitions.topic($0.topicID) : heldTopic($0.name) }
    let known = zip(request.topics, held).compactMap { topic, held in
      held.map { held in
        OfTopic(
          held.name, topic.partitions.filter { held.exists($0.partitionIndex) }.map(Self.committed))
      }
    }
    let commit = CommitRequest(
      group: GroupID(request.groupID),
      committer: Committer(
        member: MemberID(request.memberID), instance: request.groupInstanceID.map { InstanceID($0) },
        generationOrEpoch: request.generationIDOrMemberEpoch,
        knows: version >= 9 ? .consumerGroupsToo : .classicGroupsOnly),
      topics: known,
      retention: request.retentionTimeMs >= 0 && version <= 4 ? .milliseconds(request.retentionTimeMs) : nil)
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.commit(commit, closed: self.closedTopics(of: commit.topics), token, at: now, into: &effects)
    } answer: { answer in
      guard case .commit(let committed) = answer else { unexpected(answer) }
      var results = committed.topics.makeIterator()
      call.answer(
        self.response(request, held) { topic, index in
          guard held[index] != nil, let result = results.next() else { return [:] }
          return Dictionary(result.partitions.map { ($0.partition.value, $0.error) }) { first, _ in first }
        })
    } refused: { code in
      call.answer(
        self.response(request, held) { topic, _ in
          Dictionary(topic.partitions.map { ($0.partitionIndex, code) }) { first, _ in first }
        })
    }
  }

  /// Looked up under the coordinator's lock: whoever was told that a topic is closed, and asks for offsets after that, hears
  /// of every commit that was let in, and of every deletion.
  func closedTopics<Asked>(of topics: [OfTopic<Asked>]) -> Set<TopicName> {
    guard plantedInMirroring != .takesCommitsWhereClosed else { return [] }
    let image = self.image
    return Set(topics.map(\.topic).filter(image.isClosedToCommits))
  }

  private static func committed(_ partition: OffsetCommitRequest.Partition) -> CommitRequest.Partition {
    CommitRequest.Partition(
      partition: PartitionIndex(partition.partitionIndex), offset: Offset(partition.committedOffset),
      leaderEpoch: LeaderEpoch(partition.committedLeaderEpoch), metadata: partition.committedMetadata ?? "")
  }

  /// What a topic's results leave out is unknown here.
  private func response(
    _ request: OffsetCommitRequest, _ held: [PartitionTable.HeldTopic?],
    _ results: (OffsetCommitRequest.Topic, Int) -> [Int32: ErrorCode]
  ) -> OffsetCommitResponse {
    var response = OffsetCommitResponse()
    response.topics = request.topics.enumerated().map { index, topic in
      let codes = results(topic, index)
      let unknown: ErrorCode = topic.topicID == .zero || held[index] != nil ? .unknownTopicOrPartition : .unknownTopicId
      var entry = OffsetCommitResponse.Topic()
      entry.name = topic.name
      entry.topicID = topic.topicID
      entry.partitions = topic.partitions.map { partition in
        var result = OffsetCommitResponse.Partition()
        result.partitionIndex = partition.partitionIndex
        result.errorCode = codes[partition.partitionIndex] ?? unknown
        return result
      }
      return entry
    }
    return response
  }
}
