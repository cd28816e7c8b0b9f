import Coordination
import Testing
import Vocabulary

/// KIP-848: the coordinator assigns, and members are led to their targets by their own heartbeats.
@Suite struct ConsumerGroupTests {
  private func bench(_ counts: [String: Int32] = ["orders": 4], _ settings: GroupSettings = GroupSettings()) -> Bench {
    let bench = Bench(settings)
    bench.topics(counts)
    return bench
  }

  // MARK: Joining

  @Test func aMemberThatJoinsAloneGetsEverythingAtOnce() {
    let bench = bench()
    var one = bench.newConsumer("one")
    let answer = bench.beat(&one)
    #expect(answer.error == ErrorCode.none)
    #expect(answer.member == one.id)
    #expect(answer.epoch == MemberEpoch(1))
    #expect(answer.heartbeatInterval == .seconds(5))
    #expect(answer.assignment == Bench.part("orders", 0, 1, 2, 3))
    #expect(bench.describeConsumers()?.state == .stable)
  }

  @Test func aMemberWithoutAnIDIsGivenOne() {
    let bench = bench()
    var one = Consumer(id: .unknown, topics: ["orders"])
    let answer = bench.beat(&one)
    #expect(answer.member?.text.utf8.count == 22)
  }

  @Test func nullMeansUnchangedInBothDirections() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    let answer = bench.beat(bench.request(one.id, one.epoch))
    #expect(answer.error == ErrorCode.none)
    #expect(answer.assignment == nil)
    #expect(bench.describeConsumers()?.members.first?.subscribedTopics == ["orders"])
  }

  @Test func aFullRequestIsToldTheWholeAssignment() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    var full = bench.request(one.id, one.epoch, owned: one.owned)
    full.rebalanceTimeout = .seconds(30)
    full.subscribedTopics = ["orders"]
    #expect(bench.beat(full).assignment == one.owned)
  }

  @Test func aHeartbeatThatChangesNothingWritesNothing() {
    let bench = bench()
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    bench.settle(&all)
    let count = bench.log.count
    bench.settle(&all)
    #expect(bench.log.count == count)
  }

  // MARK: Handing over

  @Test func aPartitionIsGivenOnlyAfterItsOwnerHasLetGo() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    let all = one.owned
    var two = bench.newConsumer("two")
    let waiting = bench.beat(&two)
    #expect(waiting.assignment?.isEmpty == true)
    #expect(two.epoch == MemberEpoch(2))

    let told = bench.beat(&one)
    #expect(one.epoch == MemberEpoch(1))
    #expect(told.assignment?.count == 2)
    #expect(bench.describeConsumers()?.state == .reconciling)

    // It still reads all four: the other one must wait.
    #expect(bench.beat(bench.request(one.id, one.epoch, owned: all)).epoch == MemberEpoch(1))
    bench.beat(&two)
    #expect(two.owned.isEmpty)

    let released = bench.beat(&one)
    #expect(released.epoch == MemberEpoch(2))
    bench.beat(&two)
    #expect(two.owned.count == 2)
    #expect(bench.describeConsumers()?.state == .stable)
  }

  @Test(arguments: [2, 5, 9])
  func everyoneHasArrivedThreeHeartbeatsAfterTheLastChange(members: Int) {
    let bench = bench(["orders": 20])
    var all: [Consumer] = []
    for number in 0..<members {
      all.append(bench.newConsumer("consumer\(number)"))
      bench.beat(&all[number])
    }
    bench.settle(&all, rounds: 3)
    #expect(bench.describeConsumers()?.state == .stable)
    #expect(all.reduce(0) { $0 + $1.owned.count } == 20)
    #expect((all.map(\.owned.count).max() ?? 0) - (all.map(\.owned.count).min() ?? 0) <= 1)
  }

  @Test func aMemberThatDoesNotRevokeInTimeIsOut() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    let all = one.owned
    var two = bench.newConsumer("two")
    bench.beat(&two)
    bench.beat(&one)
    for _ in 0..<5 {
      bench.pass(.seconds(5))
      #expect(bench.beat(bench.request(one.id, one.epoch, owned: all)).error == ErrorCode.none)
      bench.beat(&two)
    }
    bench.pass(.seconds(5))
    #expect(bench.beat(bench.request(one.id, one.epoch, owned: all)).error == .unknownMemberId)
    bench.beat(&two)
    #expect(two.owned.count == 4)
  }

  @Test func aSilentMemberIsOutAfterItsSession() {
    let bench = bench()
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    bench.settle(&all)
    for _ in 0..<8 {
      bench.pass(.seconds(5))
      bench.beat(&all[0])
    }
    #expect(all[0].owned.count == 2)
    bench.pass(.seconds(5))
    bench.beat(&all[0])
    #expect(all[0].owned.count == 4)
    #expect(bench.beat(&all[1]).error == .unknownMemberId)
  }

  @Test func aMemberThatLeavesFreesItsPartitions() {
    let bench = bench()
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    bench.settle(&all)
    let answer = bench.beat(bench.request(all[1].id, .leaving))
    #expect(answer.error == ErrorCode.none)
    #expect(answer.epoch == .leaving)
    bench.beat(&all[0])
    #expect(all[0].owned.count == 4)
    _ = bench.beat(bench.request(all[0].id, .leaving))
    #expect(bench.describeConsumers()?.state == .empty)
  }

  @Test func newPartitionsAreNoticedWithTheNextHeartbeat() {
    let bench = bench(["orders": 2])
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    bench.settle(&all)
    let epoch = all[0].epoch
    bench.topics(["orders": 6])
    bench.settle(&all)
    #expect(all.map(\.owned.count) == [3, 3])
    #expect(all[0].epoch == MemberEpoch(epoch.value + 1))
  }

  @Test func aTopicThatNobodySubscribesToChangesNothing() {
    let bench = bench(["orders": 2])
    var one = bench.newConsumer("one")
    bench.beat(&one)
    let count = bench.log.count
    bench.topics(["orders": 2, "other": 5])
    bench.beat(&one)
    #expect(bench.log.count == count)
    #expect(one.epoch == MemberEpoch(1))
  }

  @Test func aTopicMayBeSubscribedToBeforeItExists() {
    let bench = bench([:])
    var one = bench.newConsumer("one")
    #expect(bench.beat(&one).assignment?.isEmpty == true)
    bench.topics(["orders": 3])
    bench.beat(&one)
    #expect(one.owned.count == 3)
    bench.topics([:])
    bench.beat(&one)
    bench.beat(&one)
    #expect(one.owned.isEmpty)
  }

  @Test func aChangedSubscriptionChangesTheAssignment() {
    let bench = bench(["orders": 2, "bills": 3])
    var one = bench.newConsumer("one")
    bench.beat(&one)
    var change = bench.request(one.id, one.epoch, owned: one.owned)
    change.subscribedTopics = ["bills"]
    _ = bench.beat(change)
    one.owned = Assignment()
    bench.beat(&one)
    #expect(one.owned == Bench.part("bills", 0, 1, 2))
    #expect(one.epoch == MemberEpoch(2))
  }

  @Test func theAssignorIsTheOneMostMembersAskFor() {
    let bench = bench(["orders": 4, "bills": 4])
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    for index in all.indices {
      all[index].topics = ["orders", "bills"]
      all[index].assignor = "range"
    }
    bench.settle(&all)
    #expect(bench.describeConsumers()?.assignor == "range")
    #expect(all[0].owned == Bench.part("orders", 0, 1).merging(Bench.part("bills", 0, 1)))
  }

  // MARK: Refusals

  @Test func aWrongEpochIsFenced() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    #expect(bench.beat(bench.request(one.id, MemberEpoch(9), owned: one.owned)).error == .fencedMemberEpoch)
    var two = bench.newConsumer("two")
    bench.beat(&two)
    bench.beat(&one)
    bench.beat(&one)
    bench.beat(&one)
    var three = bench.newConsumer("three")
    bench.beat(&three)
    bench.beat(&one)
    bench.beat(&one)
    #expect(one.epoch == MemberEpoch(3))
    #expect(bench.beat(bench.request(one.id, MemberEpoch(1), owned: one.owned)).error == .fencedMemberEpoch)
  }

  @Test func aMemberWhoseAnswerWasLostMayRepeatItsHeartbeat() {
    let bench = bench()
    var one = bench.newConsumer("one")
    let before = one
    bench.beat(&one)
    var again = before
    #expect(bench.beat(&again).assignment == one.owned)
    #expect(again.epoch == one.epoch)
  }

  @Test func aMemberThatBeginsAnewUnderItsIDOwnsNothingAndIsLetIn() {
    let bench = bench()
    var all = [bench.newConsumer("one"), bench.newConsumer("two")]
    bench.settle(&all)
    all[0].epoch = .joining
    all[0].owned = Assignment()
    #expect(bench.beat(&all[0]).error == ErrorCode.none)
    bench.settle(&all)
    #expect(all.map(\.owned.count) == [2, 2])
  }

  @Test func strangersAndUnknownGroupsAreRefused() {
    let bench = bench()
    #expect(bench.beat(bench.request(MemberID("x"), MemberEpoch(1))).error == .groupIdNotFound)
    #expect(bench.beat(bench.request(MemberID("x"), .leaving)).error == .groupIdNotFound)
    var one = bench.newConsumer("one")
    bench.beat(&one)
    #expect(bench.beat(bench.request(MemberID("x"), MemberEpoch(1))).error == .unknownMemberId)
    #expect(bench.beat(bench.request(MemberID("x"), .leaving)).error == .unknownMemberId)
  }

  @Test func requestsThatMakeNoSenseAreInvalid() {
    let bench = bench()
    func first(_ change: (inout ConsumerHeartbeatRequest) -> Void) -> ErrorCode {
      var request = bench.request(MemberID("one"), .joining, owned: Assignment())
      request.rebalanceTimeout = .seconds(30)
      request.subscribedTopics = ["orders"]
      change(&request)
      return bench.beat(request).error
    }
    #expect(first { $0.group = GroupID("") } == .invalidRequest)
    #expect(first { $0.rebalanceTimeout = nil } == .invalidRequest)
    #expect(first { $0.subscribedTopics = nil } == .invalidRequest)
    #expect(first { $0.subscribedTopics = [] } == .invalidRequest)
    #expect(first { $0.owned = nil } == .invalidRequest)
    #expect(first { $0.owned = Bench.part("orders", 1) } == .invalidRequest)
    #expect(first { $0.instance = InstanceID("") } == .invalidRequest)
    #expect(first { $0.rack = "" } == .invalidRequest)
    #expect(first { $0.epoch = MemberEpoch(-3) } == .invalidRequest)
    #expect(first { $0.epoch = .leavingForAWhile } == .invalidRequest)
    #expect(
      first {
        $0.epoch = MemberEpoch(1); $0.member = .unknown
      } == .invalidRequest)
    #expect(first { $0.subscribedTopics = [String(repeating: "t", count: 1_000_000)] } == .invalidRequest)
    #expect(first { $0.assignor = "magic" } == .unsupportedAssignor)
    #expect(first { $0.subscribedPattern = .unreadable } == .invalidRegularExpression)
    #expect(bench.log.isEmpty)
    #expect(first { _ in } == ErrorCode.none)
  }

  @Test func membersBeyondTheMaximumAreRefused() {
    var settings = GroupSettings()
    settings.consumerMembersMax = 1
    let bench = bench(["orders": 4], settings)
    var one = bench.newConsumer("one")
    var two = bench.newConsumer("two")
    bench.beat(&one)
    #expect(bench.beat(&two).error == .groupMaxSizeReached)
    #expect(bench.beat(&one).error == ErrorCode.none)
  }

  // MARK: Offsets

  @Test func commitsNeedTheMembersEpoch() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    func commit(_ member: MemberID, _ epoch: Int32, _ knows: Committer.Knowledge = .consumerGroupsToo) -> ErrorCode? {
      bench.commit(3, group: Bench.readers, member: member, generation: epoch, knows: knows)
    }
    #expect(commit(one.id, 1) == ErrorCode.none)
    #expect(commit(one.id, 0) == .staleMemberEpoch)
    #expect(commit(MemberID("x"), 1) == .unknownMemberId)
    #expect(commit(.unknown, -1) == .unknownMemberId)
    #expect(commit(one.id, 1, .classicGroupsOnly) == .unsupportedVersion)
    let transaction = RecordWriter.transaction(ProducerID(1), ProducerEpoch(0))
    #expect(
      bench.commit(3, group: Bench.readers, member: one.id, generation: 9, writer: transaction) == .illegalGeneration)
    _ = bench.beat(bench.request(one.id, .leaving))
    #expect(commit(.unknown, -1) == ErrorCode.none)
  }

  @Test func aFetchThatNamesAMemberNeedsItsEpoch() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    func fetch(_ member: MemberID?, _ epoch: Int32) -> ErrorCode? {
      bench.fetched(
        FetchOffsetsRequest(
          groups: [
            FetchOffsetsRequest.Group(Bench.readers, topics: nil, member: member, memberEpoch: MemberEpoch(epoch))
          ], stability: .notRequired)
      ).first?.error
    }
    #expect(fetch(one.id, 1) == ErrorCode.none)
    #expect(fetch(one.id, 2) == .staleMemberEpoch)
    #expect(fetch(MemberID("x"), 1) == .unknownMemberId)
    #expect(fetch(nil, -1) == ErrorCode.none)
  }

  @Test func offsetsOfSubscribedTopicsCannotBeDeleted() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    let answer = bench.deleteOffset(group: Bench.readers)
    #expect(answer?.topics.first?.partitions.first?.error == .groupSubscribedToTopic)
    #expect(bench.deleteGroup(Bench.readers) == .nonEmptyGroup)
  }

  // MARK: Description and reload

  @Test func consumerGroupsAreDescribedByTheirOwnRequestAlone() {
    let bench = bench()
    var all = [bench.newConsumer("two"), bench.newConsumer("one")]
    bench.settle(&all)
    let description = bench.describeConsumers()
    #expect(description?.members.map(\.member.text) == ["one", "two"])
    #expect(description?.assignor == "uniform")
    #expect(description?.members.allSatisfy { $0.assignment == $0.target && $0.assignment.count == 2 } == true)
    #expect(bench.describeConsumers(GroupID("none"))?.error == .groupIdNotFound)
    #expect(bench.describe(Bench.readers)?.state == .dead)
    #expect(bench.list(ListFilter(types: ["consumer"])).map(\.group) == [Bench.readers])
  }

  @Test func aReloadedCoordinatorGoesOnWhereTheLastOneWas() {
    let bench = bench()
    var all = [bench.newConsumer("one"), bench.newConsumer("two", instance: "i")]
    bench.settle(&all)
    var three = bench.newConsumer("three")
    bench.beat(&three)
    bench.beat(&all[0])
    let before = bench.describeConsumers()
    bench.reload()
    #expect(bench.describeConsumers() == before)
    all.append(three)
    bench.settle(&all)
    #expect(all.map(\.owned.count).sorted() == [1, 1, 2])
    bench.pass(.seconds(46))
    #expect(bench.describeConsumers()?.state == .empty)
  }

  @Test func aDeletedGroupLeavesNothingBehind() {
    let bench = bench()
    var one = bench.newConsumer("one")
    bench.beat(&one)
    _ = bench.beat(bench.request(one.id, .leaving))
    #expect(bench.deleteGroup(Bench.readers) == ErrorCode.none)
    bench.reload()
    #expect(bench.list().isEmpty)
  }
}

extension Assignment {
  func merging(_ other: Assignment) -> Assignment {
    var all = self
    for (topic, partitions) in other.topics {
      for partition in partitions { all.insert(TopicIDPartition(topic, partition)) }
    }
    return all
  }
}
