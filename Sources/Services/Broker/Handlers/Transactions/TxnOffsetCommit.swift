import Coordination
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// TxnOffsetCommit, v0–4: offsets of a group that count once the transaction is committed (KIP-98, KIP-447).
  ///
  /// The transaction's coordinator is asked first whether the group's offsets are part of it (KIP-890). Topics and
  /// partitions that do not exist get UNKNOWN_TOPIC_OR_PARTITION, each on its own, and topics that another cluster takes over
  /// COORDINATOR_LOAD_IN_PROGRESS.
  func txnOffsetCommit(_ call: Call<TxnOffsetCommitRequest>) {
    let request = call.request
    guard !request.groupID.isEmpty else { return call.answer(response(to: request, .invalidGroupId)) }
    guard let shard = groups.shard(of: request.groupID), !shard.partition.isCutOff else {
      return call.answer(response(to: request, .notCoordinator))
    }
    let subject = TransactionChecks.Subject(
      transactionalID: request.transactionalID, producer: ProducerID(request.producerID),
      epoch: ProducerEpoch(request.producerEpoch), partition: shard.partition.name)
    let admission = checks.admit(subject, to: shard.partition) {
      { verdict in
        switch verdict {
        case .admitted(let ticket): self.commit(call, subject, ticket, to: shard)
        case .refused(let code): call.answer(self.response(to: request, Self.told(code, in: call.context.version)))
        }
      }
    }
    if case .now = admission { commit(call, subject, nil, to: shard) }
  }

  private func commit(
    _ call: Call<TxnOffsetCommitRequest>, _ subject: TransactionChecks.Subject, _ ticket: VerificationTicket?,
    to shard: GroupShard
  ) {
    let request = call.request
    let held = request.topics.map { heldTopic($0.name) }
    let known = zip(request.topics, held).compactMap { topic, held in
      held.map { held in
        OfTopic(held.name, topic.partitions.filter { held.exists($0.partitionIndex) }.map(Self.committed))
      }
    }
    let commit = CommitRequest(
      group: GroupID(request.groupID),
      committer: Committer(
        member: MemberID(request.memberID), instance: request.groupInstanceID.map { InstanceID($0) },
        generationOrEpoch: request.generationID, knows: .classicGroupsOnly),
      topics: known, writer: .transaction(subject.producer, subject.epoch))
    let version = call.context.version
    shard.ask { coordinator, token, now, effects in
      // Under the shard's lock, where markers are written too: none has come since the coordinator was asked.
      guard shard.partition.admits(subject.producer, subject.epoch, with: ticket) else {
        let refused = CommitAnswer(commit, all: Self.told(.invalidTxnState, in: version))
        return effects.append(.answer(token, .commit(refused)))
      }
      coordinator.commit(commit, closed: self.closedTopics(of: commit.topics), token, at: now, into: &effects)
    } answer: { answer in
      guard case .commit(let committed) = answer else { unexpected(answer) }
      call.answer(self.response(to: request, held, committed))
    } refused: {
      call.answer(self.response(to: request, $0))
    }
  }

  private static func told(_ code: ErrorCode, in version: Int16) -> ErrorCode {
    switch code {
    // The words that producers know from group coordinators: they look for it and try again.
    case .concurrentTransactions, .networkException, .requestTimedOut: .coordinatorLoadInProgress
    case .notCoordinator, .coordinatorNotAvailable: .coordinatorNotAvailable
    case .coordinatorLoadInProgress: .coordinatorLoadInProgress
    default: code.toldToProducer(knowsAbortable: version >= 4)
    }
  }

  private static func committed(_ partition: TxnOffsetCommitRequest.Partition) -> CommitRequest.Partition {
    CommitRequest.Partition(
      partition: PartitionIndex(partition.partitionIndex), offset: Offset(partition.committedOffset),
      leaderEpoch: LeaderEpoch(partition.committedLeaderEpoch), metadata: partition.committedMetadata ?? "")
  }

  private func response(
    to request: TxnOffsetCommitRequest, _ held: [PartitionTable.HeldTopic?], _ committed: CommitAnswer
  ) -> TxnOffsetCommitResponse {
    var results = committed.topics.makeIterator()
    return response(to: request) { index in
      guard held[index] != nil, let result = results.next() else { return [:] }
      return Dictionary(result.partitions.map { ($0.partition.value, $0.error) }) { first, _ in first }
    }
  }

  private func response(to request: TxnOffsetCommitRequest, _ code: ErrorCode) -> TxnOffsetCommitResponse {
    response(to: request) { index in
      Dictionary(request.topics[index].partitions.map { ($0.partitionIndex, code) }) { first, _ in first }
    }
  }

  /// What a topic's results leave out is unknown here.
  private func response(
    to request: TxnOffsetCommitRequest, _ results: (Int) -> [Int32: ErrorCode]
  ) -> TxnOffsetCommitResponse {
    var response = TxnOffsetCommitResponse()
    response.topics = request.topics.enumerated().map { index, topic in
      let codes = results(index)
      var entry = TxnOffsetCommitResponse.Topic()
      entry.name = topic.name
      entry.partitions = topic.partitions.map { partition in
        var result = TxnOffsetCommitResponse.Partition()
        result.partitionIndex = partition.partitionIndex
        result.errorCode = codes[partition.partitionIndex] ?? .unknownTopicOrPartition
        return result
      }
      return entry
    }
    return response
  }
}
