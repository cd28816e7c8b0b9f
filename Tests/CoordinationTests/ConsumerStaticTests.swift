import Coordination
import Testing
import Vocabulary

/// Static members of consumer groups, patterns, and groups that change their kind.
@Suite struct ConsumerStaticTests {
  private func settled() -> (Bench, [Consumer]) {
    let bench = Bench()
    bench.topics(["orders": 4])
    var all = [bench.newConsumer("one", instance: "i"), bench.newConsumer("two")]
    bench.settle(&all)
    return (bench, all)
  }

  @Test func aStaticMemberThatLeavesForAWhileKeepsItsPartitions() {
    var (bench, all) = settled()
    let had = all[0].owned
    let left = bench.beat(bench.request(all[0].id, .leavingForAWhile, instance: all[0].instance))
    #expect(left.epoch == .leavingForAWhile)
    for _ in 0..<4 {
      bench.pass(.seconds(5))
      bench.beat(&all[1])
    }
    #expect(all[1].owned.count == 2)
    var back = bench.newConsumer("one again", instance: "i")
    #expect(bench.beat(&back).error == ErrorCode.none)
    #expect(back.owned == had)
    let epoch = back.epoch
    bench.beat(&all[1])
    #expect(all[1].epoch == epoch)
  }

  @Test func aStaticMemberThatDoesNotComeBackInTimeIsOut() {
    var (bench, all) = settled()
    _ = bench.beat(bench.request(all[0].id, .leavingForAWhile, instance: all[0].instance))
    for _ in 0..<9 {
      bench.pass(.seconds(5))
      bench.beat(&all[1])
    }
    #expect(all[1].owned.count == 4)
  }

  @Test func anInstanceThatIsStillThereIsNotReleased() {
    let (bench, all) = settled()
    var second = bench.newConsumer("impostor", instance: "i")
    #expect(bench.beat(&second).error == .unreleasedInstanceId)
    #expect(bench.beat(bench.request(all[0].id, all[0].epoch, instance: all[0].instance)).error == ErrorCode.none)
  }

  @Test func theOldMemberOfAnInstanceIsFenced() {
    let (bench, all) = settled()
    _ = bench.beat(bench.request(all[0].id, .leavingForAWhile, instance: all[0].instance))
    var back = bench.newConsumer("back", instance: "i")
    bench.beat(&back)
    #expect(bench.beat(bench.request(all[0].id, all[0].epoch, instance: all[0].instance)).error == .fencedInstanceId)
    #expect(bench.beat(bench.request(all[0].id, .leaving, instance: all[0].instance)).error == .fencedInstanceId)
    #expect(bench.beat(bench.request(MemberID("x"), .leaving, instance: InstanceID("z"))).error == .unknownMemberId)
    #expect(
      bench.beat(bench.request(MemberID("x"), MemberEpoch(1), instance: InstanceID("z"))).error == .unknownMemberId)
  }

  @Test func theSameProcessMayComeBackUnderItsOldID() {
    var (bench, all) = settled()
    let had = all[0].owned
    _ = bench.beat(bench.request(all[0].id, .leavingForAWhile, instance: all[0].instance))
    all[0].epoch = .joining
    all[0].owned = Assignment()
    #expect(bench.beat(&all[0]).error == ErrorCode.none)
    #expect(all[0].owned == had)
  }

  // MARK: Patterns

  private let pattern = SubscriptionPattern("ord.*")
  private let orders = TopicName("orders")!
  private let orderLines = TopicName("order-lines")!

  private func evaluate(_ bench: Bench, _ names: [TopicName]) {
    let version = bench.catalogue.version
    for pattern in bench.patternsToResolve {
      bench.perform { $0.resolved(pattern, to: names, version: version, at: $1, into: &$2) }
    }
    bench.patternsToResolve = []
  }

  @Test func aPatternIsEvaluatedOutsideAndAssignedWithTheNextHeartbeat() {
    let bench = Bench()
    bench.topics(["orders": 2, "order-lines": 1])
    var one = bench.newConsumer("one", topics: [])
    one.pattern = pattern
    bench.beat(&one)
    #expect(bench.patternsToResolve == [pattern])
    #expect(one.owned.isEmpty)
    bench.beat(&one)
    #expect(bench.patternsToResolve == [pattern])
    evaluate(bench, [orders, orderLines])
    bench.beat(&one)
    #expect(one.owned.count == 3)
  }

  @Test func whenTopicsChangePatternsAreEvaluatedAgainAndMeanTheOldUntilThen() {
    let bench = Bench()
    bench.topics(["orders": 2])
    var one = bench.newConsumer("one", topics: [])
    one.pattern = pattern
    bench.beat(&one)
    evaluate(bench, [orders])
    bench.beat(&one)
    bench.topics(["orders": 2, "order-lines": 1])
    bench.beat(&one)
    #expect(bench.patternsToResolve == [pattern])
    #expect(one.owned.count == 2)
    evaluate(bench, [orders, orderLines])
    bench.beat(&one)
    #expect(one.owned.count == 3)
  }

  @Test func aReloadTakesNothingAwayWhilePatternsAreEvaluatedAgain() {
    let bench = Bench()
    bench.topics(["orders": 2])
    var one = bench.newConsumer("one", topics: [])
    one.pattern = pattern
    bench.beat(&one)
    evaluate(bench, [orders])
    bench.beat(&one)
    bench.reload()
    var two = bench.newConsumer("two", topics: ["orders"])
    bench.beat(&two)
    #expect(bench.patternsToResolve == [pattern])
    var all = [one, two]
    bench.settle(&all)
    #expect(all.map(\.owned.count) == [1, 1])
  }

  @Test func aPatternThatNobodyUsesAnyMoreIsForgotten() {
    let bench = Bench()
    bench.topics(["orders": 2])
    var one = bench.newConsumer("one", topics: [])
    one.pattern = pattern
    bench.beat(&one)
    evaluate(bench, [orders])
    bench.beat(&one)
    var change = bench.request(one.id, one.epoch, owned: one.owned)
    change.subscribedPattern = .none
    change.subscribedTopics = ["orders"]
    _ = bench.beat(change)
    #expect(bench.log.contains { $0.record == .consumerPattern(Bench.readers, pattern, nil) })
    bench.beat(&one)
    #expect(one.owned.count == 2)
  }

  // MARK: Groups that change their kind

  @Test func aClassicMemberCannotJoinAConsumerGroupWithMembers() {
    let (bench, _) = settled()
    #expect(bench.joined(bench.join(group: Bench.readers))?.error == .inconsistentGroupProtocol)
    #expect(bench.heartbeat(MemberID("one"), Generation(1), group: Bench.readers) == .unknownMemberId)
  }

  @Test func aConsumerCannotJoinAClassicGroupWithMembers() {
    let bench = Bench()
    bench.topics(["orders": 4])
    let all = bench.stableGroup(of: 1)
    var one = bench.newConsumer("one")
    #expect(bench.beat(&one, group: Bench.group).error == .groupIdNotFound)
    #expect(bench.heartbeat(all.leader, all.generation) == ErrorCode.none)
  }

  @Test func anEmptyClassicGroupBecomesAConsumerGroupAndKeepsItsOffsets() {
    let bench = Bench()
    bench.topics(["orders": 4])
    let all = bench.stableGroup(of: 1)
    _ = bench.commit(8, member: all.leader, generation: all.generation.value)
    bench.leave([LeaveRequest.Leaver(member: all.leader)])
    var one = bench.newConsumer("one")
    #expect(bench.beat(&one, group: Bench.group).error == ErrorCode.none)
    #expect(bench.list().map(\.type) == [.consumer])
    #expect(bench.fetch()?.offset == Offset(8))
    bench.reload()
    #expect(bench.list().map(\.type) == [.consumer])
    #expect(bench.fetch()?.offset == Offset(8))
  }

  @Test func anEmptyConsumerGroupBecomesAClassicGroupAndKeepsItsOffsets() {
    let (bench, all) = settled()
    _ = bench.commit(8, group: Bench.readers, member: all[1].id, generation: all[1].epoch.value)
    for member in all { _ = bench.beat(bench.request(member.id, .leaving, instance: member.instance)) }
    let token = bench.join(group: Bench.readers)
    bench.pass(.seconds(3))
    #expect(bench.joined(token)?.error == ErrorCode.none)
    #expect(bench.list().map(\.type) == [.classic])
    #expect(bench.fetch(group: Bench.readers)?.offset == Offset(8))
    bench.reload()
    #expect(bench.list().map(\.type) == [.classic])
    #expect(bench.fetch(group: Bench.readers)?.offset == Offset(8))
  }
}
