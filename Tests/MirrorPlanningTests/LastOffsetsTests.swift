import MirrorPlanning
import Testing
import Vocabulary

@Suite struct LastOffsetsTests {
  private let one = NodeID(1)
  private let two = NodeID(2)
  private let orders = TopicName("orders")!
  private let pay = TopicName("pay")!
  private let closedFor = TimeSpan.milliseconds(500)

  private func plan(
    _ passes: [NodeID: GroupsPass], closed: [NodeID: Set<TopicName>]? = nil, for span: TimeSpan? = .milliseconds(500),
    shards: Int = 4
  ) -> LastOffsetsStep {
    planLastOffsets(
      of: [orders, pay], closed: closed ?? [one: [orders, pay], two: [orders, pay]], closedFor: span, passes: passes,
      shards: shards)
  }
  private func pass(_ age: Int64, _ shards: Set<Int>) -> GroupsPass {
    GroupsPass(age: .milliseconds(age), shards: shards)
  }

  @Test func nothingIsCarriedForTheLastTimeBeforeEveryCoordinatorThereIsClosed() {
    let whole = [one: pass(1, [0, 1, 2, 3])]
    #expect(plan(whole, closed: [one: [], two: []], for: nil) == .close([orders, pay]))
    // It has been asked for; not everybody has read of it.
    #expect(plan(whole, closed: [one: [orders, pay], two: [orders]], for: nil) == .waitForSource([two]))
    #expect(plan(whole, closed: [one: [orders], two: [pay]], for: nil) == .waitForSource([one, two]))
    #expect(plan(whole) == .done)
  }

  @Test func aPassCountsThatBeganWhenNobodyCommittedAnyMore() {
    #expect(plan([one: pass(400, [0, 1]), two: pass(499, [2, 3])]) == .done)
    #expect(plan([one: pass(400, [0, 1]), two: pass(500, [2, 3])]) == .waitForPass([two]))
    #expect(plan([one: pass(400, [0, 1]), two: GroupsPass()]) == .waitForPass([two]))
  }

  @Test func everyPartitionOfGroupOffsetsHasToBeGoneThroughBySomebody() {
    // Its coordinator moved in the middle of it.
    #expect(plan([one: pass(400, [0, 1]), two: pass(400, [2])]) == .waitForPass([one, two]))
    // Who coordinates nothing is not waited for.
    #expect(plan([one: pass(400, [0, 1, 2, 3]), two: GroupsPass()]) == .done)
  }

  @Test func whereNobodyHasAskedForAGroupEveryBrokerSaysSo() {
    #expect(plan([:], shards: 0) == .waitForPass([]))
    #expect(plan([one: pass(1, []), two: GroupsPass()], shards: 0) == .waitForPass([two]))
    #expect(plan([one: pass(1, []), two: pass(1, [])], shards: 0) == .done)
  }

  @Test func whatIsWaitedForHasAName() {
    let first = pass(1, [0, 1])
    let late = GroupsPass(age: .seconds(7), shards: [2, 3], pending: ["b", "a"], failed: ["c"])
    #expect(plan([one: first, two: late]) == .waitForTransactions(["a", "b"]))
    #expect(plan([one: first, two: GroupsPass(failed: ["c"])]) == .waitForGroups(["c"]))
    // However long it takes.
    #expect(plan([one: first, two: GroupsPass(pending: ["a"])], for: .seconds(3600)) == .waitForTransactions(["a"]))
    #expect(plan([one: first, two: GroupsPass(failed: ["c"])], for: .seconds(3600)) == .waitForGroups(["c"]))
  }
}

@Suite struct ListedShardsTests {
  private let one = NodeID(1)
  private let two = NodeID(2)
  private func led(_ nodes: NodeID..., epoch: Int32 = 5) -> [Int: ShardLeader] {
    Dictionary(
      uniqueKeysWithValues: nodes.enumerated().map { ($0.offset, ShardLeader($0.element, LeaderEpoch(epoch))) })
  }

  @Test func groupsAreListedByWhoCoordinatesThemAllTheWhile() {
    var listed = ListedShards()
    listed.note(one, before: led(one, two), after: led(one, two), of: 2)
    #expect(!listed.isWhole)
    listed.note(two, before: led(one, two), after: led(one, two), of: 2)
    #expect(listed.isWhole)
  }

  @Test func whoLosesACoordinatorOrGetsOneMeanwhileHasNotListedItsGroups() {
    for (before, after) in [
      (led(one), led(two)), (led(two), led(one)), (led(one), led(one, epoch: 6)), (led(one), [:]), ([:], led(one)),
    ] {
      var listed = ListedShards()
      listed.note(one, before: before, after: after, of: 1)
      #expect(!listed.isWhole)
    }
  }

  @Test func whereThereAreNoCoordinatorsThereAreNoGroups() {
    var listed = ListedShards()
    listed.note(one, before: [:], after: [:], of: 0)
    #expect(listed.isWhole)
    // Another broker knows of them.
    listed.note(two, before: led(one), after: led(one), of: 1)
    #expect(!listed.isWhole)
  }
}
