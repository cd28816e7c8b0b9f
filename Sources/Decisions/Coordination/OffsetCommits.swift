public import Vocabulary

// Offsets are committed and fetched.

extension GroupCoordinator {
  /// OffsetCommit and TxnOffsetCommit.
  ///
  /// A consumer outside every group (generation -1, no member id) may commit as long as the group has no members; that
  /// creates the group. Refusals of all partitions: INVALID_GROUP_ID, ILLEGAL_GENERATION, GROUP_ID_NOT_FOUND,
  /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS, STALE_MEMBER_EPOCH, UNSUPPORTED_VERSION.
  /// Of one partition: OFFSET_METADATA_TOO_LARGE, and COORDINATOR_LOAD_IN_PROGRESS for topics that are `closed`: clients
  /// repeat a commit after that, here, and nobody looks for another coordinator or leaves the group for it.
  /// - Parameter closed: topics of which another cluster is about to have the offsets.
  public mutating func commit(
    _ request: CommitRequest, closed: Set<TopicName> = [], _ token: Token, at now: Moment,
    into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      if let error = coordinator.refusal(of: request) {
        return turn.answer(token, .commit(CommitAnswer(request, all: error)))
      }
      coordinator.withClassic(request.group) { group in
        switch group.state {
        case .stable, .gathering: group.renewIfIdle(request.committer.member, at: now)
        case .empty, .awaitingAssignment: break
        }
      }
      coordinator.accept(request, closed, token, &turn)
    }
  }

  private mutating func accept(
    _ request: CommitRequest, _ closed: Set<TopicName>, _ token: Token, _ turn: inout Turn
  ) {
    var records: [GroupRecord] = []
    var answer = CommitAnswer(topics: [])
    for topic in request.topics {
      var results: [PartitionResult] = []
      for each in topic.partitions {
        if closed.contains(topic.topic) {
          results.append(PartitionResult(each.partition, .coordinatorLoadInProgress))
          continue
        }
        if each.metadata.utf8.count > settings.offsetMetadataMax.value {
          results.append(PartitionResult(each.partition, .offsetMetadataTooLarge))
          continue
        }
        results.append(PartitionResult(each.partition, .none))
        let value = CommittedOffset(
          offset: each.offset, leaderEpoch: each.leaderEpoch, metadata: each.metadata, committedAt: turn.now.time,
          expiresAt: request.retention.map { turn.now.time.plus($0) })
        records.append(.offset(request.group, TopicPartition(topic.topic, each.partition), value))
      }
      answer.topics.append(OfTopic(topic.topic, results))
    }
    write(records, by: request.writer, &turn)
    turn.answer(token, .commit(answer))
  }

  private func refusal(of request: CommitRequest) -> ErrorCode? {
    if request.group.text.isEmpty { return .invalidGroupId }
    let who = request.committer
    if let group = classic[request.group] { return group.refusal(of: who, by: request.writer) }
    if let group = consumer[request.group] { return group.refusal(of: who, by: request.writer) }
    if who.generationOrEpoch < 0 { return nil }
    return who.knows == .consumerGroupsToo ? .groupIdNotFound : .illegalGeneration
  }

  /// A transaction's marker is in the log: its offsets count from now on, or never.
  public mutating func endTransaction(of producer: ProducerID, _ outcome: TransactionOutcome) {
    offsets.endTransaction(of: producer, outcome)
  }

  /// OffsetFetch. What is not committed is `.none` without an error; an unknown group has committed nothing.
  ///
  /// Refusals of a group: INVALID_GROUP_ID, and UNKNOWN_MEMBER_ID or STALE_MEMBER_EPOCH for members of consumer groups.
  /// Of a partition: UNSTABLE_OFFSET_COMMIT (KIP-447).
  public func fetchOffsets(_ request: FetchOffsetsRequest, _ token: Token, into effects: inout [GroupEffect]) {
    let groups = request.groups.map { fetch($0, request.stability) }
    effects.append(.answer(token, .fetchOffsets(groups)))
  }

  private func fetch(
    _ request: FetchOffsetsRequest.Group, _ stability: FetchOffsetsRequest.Stability
  ) -> FetchedGroup {
    if request.group.text.isEmpty { return FetchedGroup(group: request.group, error: .invalidGroupId) }
    if let error = consumer[request.group]?.refusalToFetch(request.member, request.memberEpoch) {
      return FetchedGroup(group: request.group, error: error)
    }
    let wanted = request.topics ?? everyPartition(of: request.group, stability)
    return FetchedGroup(
      group: request.group,
      topics: wanted.map { topic in
        OfTopic(
          topic.topic,
          topic.partitions.map { fetch(request.group, TopicPartition(topic.topic, $0), stability) })
      })
  }

  private func fetch(
    _ group: GroupID, _ partition: TopicPartition, _ stability: FetchOffsetsRequest.Stability
  ) -> FetchedGroup.Partition {
    var result = FetchedGroup.Partition(partition: partition.partition)
    if stability == .required && offsets.isPending(group, partition) {
      result.error = .unstableOffsetCommit
    } else if let committed = offsets.offset(group, partition) {
      result.offset = committed.offset
      result.leaderEpoch = committed.leaderEpoch
      result.metadata = committed.metadata
    }
    return result
  }

  /// Who wants stable offsets alone hears of a partition whose first one waits for its transaction, too.
  private func everyPartition(
    of group: GroupID, _ stability: FetchOffsetsRequest.Stability
  ) -> [OfTopic<PartitionIndex>] {
    let places =
      stability == .required ? offsets.partitions(of: group) : (offsets.committed[group] ?? [:]).keys.sorted()
    var topics: [OfTopic<PartitionIndex>] = []
    for partition in places {
      if topics.last?.topic == partition.topic {
        topics[topics.count - 1].partitions.append(partition.partition)
      } else {
        topics.append(OfTopic(partition.topic, [partition.partition]))
      }
    }
    return topics
  }
}

extension ClassicGroup {
  /// Commits of the current generation are taken while members gather, so that they can commit before they rejoin;
  /// not while the new generation waits for its assignment, because its members own nothing yet.
  func refusal(of who: Committer, by writer: RecordWriter) -> ErrorCode? {
    if who.generationOrEpoch < 0 && isEmpty { return nil }
    let isTransactional = writer != .coordinator
    if who.generationOrEpoch >= 0 || !who.member.isUnknown || who.instance != nil {
      if let error = refusal(of: who.member, who.instance) { return error }
      if who.generationOrEpoch != generation.value { return .illegalGeneration }
    } else if !isTransactional {
      return .unknownMemberId
    }
    if case .awaitingAssignment = state, !isTransactional { return .rebalanceInProgress }
    return nil
  }
}

extension CommitAnswer {
  /// The same for every partition of a request.
  public init(_ request: CommitRequest, all error: ErrorCode) {
    self.init(
      topics: request.topics.map { topic in
        OfTopic(topic.topic, topic.partitions.map { PartitionResult($0.partition, error) })
      })
  }
}

extension Timestamp {
  func plus(_ span: TimeSpan) -> Timestamp {
    let (sum, overflow) = milliseconds.addingReportingOverflow(span.milliseconds)
    return Timestamp(milliseconds: overflow ? .max : sum)
  }
}
