import Coordination
import Testing
import Vocabulary

@Suite struct OffsetTests {
  @Test func whatWasNeverCommittedIsNoError() {
    let bench = Bench()
    let nothing = bench.fetch()
    #expect(nothing?.error == ErrorCode.none)
    #expect(nothing?.offset == Offset.none)
    #expect(nothing?.leaderEpoch == LeaderEpoch.none)
    #expect(nothing?.metadata == "")
  }

  @Test func aConsumerOutsideEveryGroupMayCommitAndTherebyCreatesTheGroup() {
    let bench = Bench()
    #expect(bench.commit(5, metadata: "note") == ErrorCode.none)
    #expect(bench.fetch()?.offset == Offset(5))
    #expect(bench.fetch()?.metadata == "note")
    #expect(bench.list().map(\.state) == [.empty])
  }

  @Test func theCommitIsWrittenBeforeItIsAnswered() {
    let bench = Bench()
    _ = bench.commit(5)
    guard case .append(let records, .coordinator) = bench.history.first, case .answer = bench.history.last else {
      Issue.record("not written first")
      return
    }
    #expect(bench.history.count == 2)
    guard case .offset(Bench.group, let partition, let value?) = records.first else {
      Issue.record("no offset is written")
      return
    }
    #expect(partition == TopicPartition(Bench.topic, PartitionIndex(0)))
    #expect(value.committedAt == bench.moment.time)
    #expect(value.expiresAt == nil)
  }

  @Test func aGenerationOfAnUnknownGroupIsRefusedInTheWordsOfTheVersion() {
    let bench = Bench()
    #expect(bench.commit(5, member: MemberID("m"), generation: 3, knows: .classicGroupsOnly) == .illegalGeneration)
    #expect(bench.commit(5, member: MemberID("m"), generation: 3, knows: .consumerGroupsToo) == .groupIdNotFound)
    #expect(bench.commit(5, group: GroupID("")) == .invalidGroupId)
    #expect(bench.list().isEmpty)
  }

  @Test func membersCommitWithTheirGenerationAndNobodyElseDoes() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1, instances: [InstanceID("a")])
    let generation = all.generation.value
    #expect(bench.commit(1, member: all.leader, generation: generation) == ErrorCode.none)
    #expect(bench.commit(2, member: all.leader, generation: generation - 1) == .illegalGeneration)
    #expect(bench.commit(2, member: MemberID("x"), generation: generation) == .unknownMemberId)
    #expect(
      bench.commit(2, member: MemberID("x"), generation: generation, instance: InstanceID("a")) == .fencedInstanceId)
    #expect(bench.commit(2) == .unknownMemberId)
    #expect(bench.fetch()?.offset == Offset(1))
  }

  @Test func duringTheJoinPhaseCommitsOfTheOldGenerationStillSucceed() {
    let bench = Bench()
    let all = bench.stableGroup(of: 2)
    _ = bench.join(all.leader)
    #expect(bench.state == .preparingRebalance)
    #expect(bench.commit(7, member: all.followers[0], generation: all.generation.value) == ErrorCode.none)
  }

  @Test func betweenJoinAndSyncCommitsMustWait() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1)
    _ = bench.join(all.leader)
    #expect(bench.state == .completingRebalance)
    #expect(bench.commit(7, member: all.leader, generation: all.generation.value) == .illegalGeneration)
    #expect(bench.commit(7, member: all.leader, generation: all.generation.value + 1) == .rebalanceInProgress)
  }

  @Test func aCommitKeepsTheSessionAlive() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1, session: .seconds(10))
    for offset in 0..<5 {
      bench.pass(.seconds(8))
      #expect(bench.commit(Int64(offset), member: all.leader, generation: all.generation.value) == ErrorCode.none)
    }
    #expect(bench.heartbeat(all.leader, all.generation) == ErrorCode.none)
  }

  @Test func metadataIsLimitedPerPartition() {
    let bench = Bench()
    let request = CommitRequest(
      group: Bench.group,
      committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .consumerGroupsToo),
      topics: [
        OfTopic(
          Bench.topic,
          [
            CommitRequest.Partition(
              partition: PartitionIndex(0), offset: Offset(1), metadata: String(repeating: "m", count: 4097)),
            CommitRequest.Partition(
              partition: PartitionIndex(1), offset: Offset(2), metadata: String(repeating: "m", count: 4096)),
          ])
      ])
    let token = bench.ask { $0.commit(request, $1, at: $2, into: &$3) }
    #expect(
      bench.answers[token]
        == .commit(
          CommitAnswer(topics: [
            OfTopic(
              Bench.topic,
              [
                PartitionResult(PartitionIndex(0), .offsetMetadataTooLarge), PartitionResult(PartitionIndex(1), .none),
              ])
          ])))
    #expect(bench.fetch(partition: 0)?.offset == Offset.none)
    #expect(bench.fetch(partition: 1)?.offset == Offset(2))
  }

  @Test func nothingIsCommittedForATopicThatAnotherClusterTakesOver() {
    let bench = Bench()
    let closed = TopicName("closed")!
    let partition = CommitRequest.Partition(partition: PartitionIndex(0), offset: Offset(1), metadata: "")
    for writer in [RecordWriter.coordinator, .transaction(ProducerID(7), ProducerEpoch(0))] {
      let request = CommitRequest(
        group: Bench.group, committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .consumerGroupsToo),
        topics: [OfTopic(closed, [partition]), OfTopic(Bench.topic, [partition])], writer: writer)
      let token = bench.ask { $0.commit(request, closed: [closed], $1, at: $2, into: &$3) }
      // The others of the same request are committed.
      #expect(
        bench.answers[token]
          == .commit(
            CommitAnswer(topics: [
              OfTopic(closed, [PartitionResult(PartitionIndex(0), .coordinatorLoadInProgress)]),
              OfTopic(Bench.topic, [PartitionResult(PartitionIndex(0), .none)]),
            ])))
    }
    let written = bench.history.flatMap { effect -> [GroupRecord] in
      if case .append(let records, _) = effect { records } else { [] }
    }
    #expect(!written.isEmpty)
    for record in written {
      if case .offset(_, let place, _) = record { #expect(place.topic == Bench.topic) }
    }
  }

  @Test func nothingIsDeletedOfATopicThatAnotherClusterTakesOver() {
    let bench = Bench()
    let closed = TopicName("closed")!
    let others = GroupID("others")
    for (group, topics) in [(Bench.group, [closed, Bench.topic]), (others, [Bench.topic])] {
      for topic in topics { #expect(bench.commit(3, topic: topic, group: group) == ErrorCode.none) }
    }
    let request = DeleteOffsetsRequest(
      group: Bench.group, topics: [closed, Bench.topic].map { OfTopic($0, [PartitionIndex(0)]) })
    let token = bench.ask { $0.deleteOffsets(request, closed: [closed], $1, at: $2, into: &$3) }
    #expect(
      bench.answers[token]
        == .deleteOffsets(
          DeleteOffsetsAnswer(
            error: .none,
            topics: [
              OfTopic(closed, [PartitionResult(PartitionIndex(0), .coordinatorLoadInProgress)]),
              OfTopic(Bench.topic, [PartitionResult(PartitionIndex(0), .none)]),
            ])))
    #expect(bench.fetch(topic: closed)?.offset == Offset(3))
    #expect(bench.fetch()?.offset == Offset.none)

    // A group that has nothing there goes as always.
    let deletion = bench.ask {
      $0.deleteGroups([Bench.group, others], isClosed: { $0 == closed }, $1, at: $2, into: &$3)
    }
    #expect(
      bench.answers[deletion]
        == .deleteGroups([
          DeletedGroup(group: Bench.group, error: .coordinatorLoadInProgress),
          DeletedGroup(group: others, error: .none),
        ]))
    #expect(bench.fetch(topic: closed)?.offset == Offset(3))
    #expect(bench.fetch(group: others)?.offset == Offset.none)
  }

  @Test func aLargeCommitIsWrittenInPiecesAndAnsweredOnceAfterAllOfThem() {
    let bench = Bench()
    let note = String(repeating: "m", count: 4000)
    let request = CommitRequest(
      group: Bench.group, committer: Committer(member: .unknown, generationOrEpoch: -1, knows: .consumerGroupsToo),
      topics: [
        OfTopic(
          Bench.topic,
          (0..<1000).map {
            CommitRequest.Partition(partition: PartitionIndex($0), offset: Offset(1), metadata: note)
          })
      ])
    let token = bench.ask { $0.commit(request, $1, at: $2, into: &$3) }
    let appends = bench.history.compactMap { if case .append(let records, _) = $0 { records.count } else { nil } }
    #expect(appends.count > 4)
    #expect(appends.reduce(0, +) == 1000)
    #expect(appends.allSatisfy { $0 * 4000 < 1_000_000 })
    guard case .answer(token, _) = bench.history.last else {
      Issue.record("the answer does not come last")
      return
    }
  }

  @Test func allOffsetsOfSeveralGroupsAreFetchedAtOnceAndInOrder() {
    let bench = Bench()
    let other = GroupID("other")
    let late = TopicName("zebra")!
    _ = bench.commit(3, partition: 2, topic: late)
    _ = bench.commit(1, partition: 1)
    _ = bench.commit(0, partition: 0)
    _ = bench.commit(9, group: other)
    let groups = bench.fetched(
      FetchOffsetsRequest(
        groups: [
          FetchOffsetsRequest.Group(Bench.group, topics: nil), FetchOffsetsRequest.Group(other, topics: nil),
          FetchOffsetsRequest.Group(GroupID("none"), topics: nil), FetchOffsetsRequest.Group(GroupID(""), topics: nil),
        ], stability: .notRequired))
    #expect(groups.map(\.error) == [ErrorCode.none, ErrorCode.none, ErrorCode.none, .invalidGroupId])
    #expect(groups[0].topics.map(\.topic) == [Bench.topic, late])
    #expect(groups[0].topics[0].partitions.map(\.offset) == [Offset(0), Offset(1)])
    #expect(groups[1].topics.first?.partitions.first?.offset == Offset(9))
    #expect(groups[2].topics.isEmpty)
  }

  // MARK: Transactions

  let producer = RecordWriter.transaction(ProducerID(4), ProducerEpoch(0))

  @Test func anOffsetInAnOpenTransactionIsUnstableAndCountsOnceItIsCommitted() {
    let bench = Bench()
    _ = bench.commit(1)
    #expect(bench.commit(5, writer: producer) == ErrorCode.none)
    #expect(bench.fetch(stability: .required)?.error == .unstableOffsetCommit)
    #expect(bench.fetch(stability: .notRequired)?.offset == Offset(1))
    bench.coordinator.endTransaction(of: ProducerID(4), .committed)
    #expect(bench.fetch(stability: .required)?.offset == Offset(5))
  }

  @Test func whoeverWantsEveryStableOffsetHearsOfAFirstOneThatWaits() throws {
    let bench = Bench()
    _ = bench.commit(5, writer: producer)
    func every(_ stability: FetchOffsetsRequest.Stability) -> [FetchedGroup.Partition] {
      let request = FetchOffsetsRequest(groups: [.init(Bench.group, topics: nil)], stability: stability)
      let token = bench.ask { coordinator, token, _, effects in
        coordinator.fetchOffsets(request, token, into: &effects)
      }
      guard case .fetchOffsets(let groups) = bench.answers[token] else { return [] }
      return groups[0].topics.flatMap(\.partitions)
    }
    #expect(every(.required).map(\.error) == [.unstableOffsetCommit])
    #expect(every(.notRequired).isEmpty)
    bench.coordinator.endTransaction(of: ProducerID(4), .committed)
    #expect(every(.required).map(\.offset) == [Offset(5)])
  }

  @Test func theOffsetsOfAnAbortedTransactionNeverCount() {
    let bench = Bench()
    _ = bench.commit(1)
    _ = bench.commit(5, writer: producer)
    bench.coordinator.endTransaction(of: ProducerID(4), .aborted)
    #expect(bench.fetch(stability: .required)?.offset == Offset(1))
  }

  @Test func aLaterPlainCommitBeatsAnEarlierTransactionalOne() {
    let bench = Bench()
    _ = bench.commit(5, writer: producer)
    _ = bench.commit(9)
    bench.coordinator.endTransaction(of: ProducerID(4), .committed)
    #expect(bench.fetch()?.offset == Offset(9))
  }

  @Test func aTransactionMayCommitForAGroupWhoseGenerationIsBeingSynced() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1)
    _ = bench.join(all.leader)
    let generation = all.generation.value + 1
    #expect(bench.commit(3, member: all.leader, generation: generation, writer: producer) == ErrorCode.none)
    #expect(bench.commit(3, writer: producer) == ErrorCode.none)
    #expect(bench.commit(3, member: all.leader, generation: 99, writer: producer) == .illegalGeneration)
  }

  // MARK: Removal

  @Test func deletingAGroupDeletesItsOffsetsAndLeavesTombstones() {
    let bench = Bench()
    _ = bench.commit(5)
    #expect(bench.deleteGroup() == ErrorCode.none)
    #expect(bench.fetch()?.offset == Offset.none)
    #expect(bench.list().isEmpty)
    #expect(
      bench.log.suffix(2).map(\.record) == [
        .offset(Bench.group, TopicPartition(Bench.topic, PartitionIndex(0)), nil), .classicGroup(Bench.group, nil),
      ])
    #expect(bench.deleteGroup() == .groupIdNotFound)
    #expect(bench.deleteGroup(GroupID("")) == .invalidGroupId)
  }

  @Test func aGroupWithMembersCannotBeDeleted() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1)
    #expect(bench.deleteGroup() == .nonEmptyGroup)
    bench.leave([LeaveRequest.Leaver(member: all.leader)])
    #expect(bench.deleteGroup() == ErrorCode.none)
  }

  @Test func offsetsOfSubscribedTopicsCannotBeDeleted() {
    let bench = Bench()
    let other = TopicName("other")!
    let protocols = [MemberProtocol(name: "range", metadata: [1], subscribedTopics: [Bench.topic])]
    let all = bench.stableGroup(of: 1, protocols: protocols)
    let generation = all.generation.value
    _ = bench.commit(1, member: all.leader, generation: generation)
    _ = bench.commit(1, topic: other, member: all.leader, generation: generation)
    #expect(bench.deleteOffset()?.topics.first?.partitions.first?.error == .groupSubscribedToTopic)
    #expect(bench.deleteOffset(topic: other)?.topics.first?.partitions.first?.error == ErrorCode.none)
    #expect(bench.fetch()?.offset == Offset(1))
    #expect(bench.fetch(topic: other)?.offset == Offset.none)
  }

  @Test func offsetsOfAGroupThatIsNotOfConsumersAreSafeWhileItHasMembers() {
    let bench = Bench()
    let token = bench.join(type: "connect")
    bench.pass(.seconds(3))
    #expect(bench.joined(token)?.error == ErrorCode.none)
    #expect(bench.deleteOffset()?.error == .nonEmptyGroup)
    #expect(bench.deleteOffset(group: GroupID("none"))?.error == .groupIdNotFound)
    #expect(bench.deleteOffset(group: GroupID(""))?.error == .invalidGroupId)
  }

  @Test func aDeletedTopicTakesItsOffsetsAlong() {
    let bench = Bench()
    _ = bench.commit(1)
    _ = bench.commit(2, topic: TopicName("other")!)
    bench.perform { $0.topicsDeleted([Bench.topic], at: $1, into: &$2) }
    #expect(bench.fetch()?.offset == Offset.none)
    #expect(bench.fetch(topic: TopicName("other")!)?.offset == Offset(2))
  }

  // MARK: Retention

  func days(_ count: Int64) -> TimeSpan { .seconds(count * 24 * 3600) }

  @Test func offsetsOfAConsumerOutsideEveryGroupExpireAfterTheirCommit() {
    let bench = Bench()
    _ = bench.commit(1)
    bench.pass(days(6))
    _ = bench.commit(2, partition: 1)
    bench.pass(days(1))
    bench.pass(.seconds(601))
    #expect(bench.fetch(partition: 0)?.offset == Offset.none)
    #expect(bench.fetch(partition: 1)?.offset == Offset(2))
    bench.pass(days(7))
    #expect(bench.list().isEmpty)
  }

  @Test func retentionCountsFromWhenTheGroupBecameEmpty() {
    let bench = Bench()
    let all = bench.stableGroup(of: 1, session: .seconds(1800))
    _ = bench.commit(1, member: all.leader, generation: all.generation.value)
    for _ in 0..<(10 * 48) {
      bench.pass(.seconds(1799))
      bench.heartbeat(all.leader, all.generation)
    }
    #expect(bench.fetch()?.offset == Offset(1))
    bench.leave([LeaveRequest.Leaver(member: all.leader)])
    bench.pass(.seconds(7 * 24 * 3600 - 1))
    #expect(bench.fetch()?.offset == Offset(1))
    bench.pass(.seconds(601))
    #expect(bench.fetch()?.offset == Offset.none)
    #expect(bench.list().isEmpty)
  }

  @Test func aCommitMayBringItsOwnRetention() {
    let bench = Bench()
    _ = bench.commit(1, retention: .seconds(60))
    _ = bench.commit(2, partition: 1)
    bench.pass(.seconds(1200))
    #expect(bench.fetch(partition: 0)?.offset == Offset.none)
    #expect(bench.fetch(partition: 1)?.offset == Offset(2))
  }

  @Test func aStableGroupLosesOldOffsetsOfTopicsItNoLongerReads() {
    let bench = Bench()
    let protocols = [MemberProtocol(name: "range", metadata: [1], subscribedTopics: [Bench.topic])]
    let all = bench.stableGroup(of: 1, session: .seconds(1800), protocols: protocols)
    let other = TopicName("other")!
    _ = bench.commit(1, member: all.leader, generation: all.generation.value)
    _ = bench.commit(1, topic: other, member: all.leader, generation: all.generation.value)
    for _ in 0..<(8 * 48) {
      bench.pass(.seconds(1799))
      bench.heartbeat(all.leader, all.generation)
    }
    #expect(bench.fetch()?.offset == Offset(1))
    #expect(bench.fetch(topic: other)?.offset == Offset.none)
  }

  @Test func anOffsetInAnOpenTransactionDoesNotExpireUnderIt() {
    let bench = Bench()
    _ = bench.commit(1)
    _ = bench.commit(2, writer: producer)
    bench.pass(days(8))
    #expect(bench.fetch()?.offset == Offset(1))
    #expect(bench.list().count == 1)
  }
}
