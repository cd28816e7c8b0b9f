import Coordination
import Testing
import Vocabulary

/// Many histories, each drawn from a seed, and what must hold of all of them.
@Suite struct HistoryTests {
  // MARK: Classic groups

  @Test(arguments: 0..<120 as Range<UInt64>)
  func noPartitionHasTwoOwnersInAGenerationAndNoCommitMovesBack(seed: UInt64) {
    var world = ClassicWorld(seed: seed)
    world.run(steps: 400)
    #expect(world.complaints == [])
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func theLogTellsTheSameAsTheCoordinatorOnceAGroupIsStable(seed: UInt64) {
    var world = ClassicWorld(seed: seed)
    world.run(steps: 300)
    func view(_ coordinator: GroupCoordinator) -> [GroupEffect] {
      var effects: [GroupEffect] = []
      coordinator.describe([Bench.group], Token(0), into: &effects)
      coordinator.list(ListFilter(), Token(0), into: &effects)
      let all = FetchOffsetsRequest.Group(Bench.group, topics: nil)
      coordinator.fetchOffsets(
        FetchOffsetsRequest(groups: [all], stability: .required), Token(0), into: &effects)
      return effects
    }
    let state = world.bench.state
    #expect(state == .stable || state == .empty || state == .dead, "peace has not come: \(String(describing: state))")
    #expect(view(world.bench.replayed()) == view(world.bench.coordinator))
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func everyRequestIsAnsweredExactlyOnce(seed: UInt64) {
    var world = ClassicWorld(seed: seed)
    for _ in 0..<300 { world.step() }
    world.bench.perform { coordinator, _, effects in coordinator.unload(as: .notCoordinator, into: &effects) }
    #expect(Set(world.bench.answers.keys) == world.bench.asked)
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func theSameSeedGivesTheSameHistoryTwice(seed: UInt64) {
    var one = ClassicWorld(seed: seed)
    var two = ClassicWorld(seed: seed)
    one.run(steps: 300)
    two.run(steps: 300)
    #expect(one.bench.history == two.bench.history)
    #expect(one.bench.history.count > 100)
    var three = ConsumerWorld(seed: seed)
    var four = ConsumerWorld(seed: seed)
    three.run(steps: 300)
    four.run(steps: 300)
    #expect(three.bench.history == four.bench.history)
    #expect(three.bench.history.count > 100)
  }

  // MARK: Consumer groups

  @Test(arguments: 0..<160 as Range<UInt64>)
  func noPartitionIsEverReadByTwoAndEveryoneArrives(seed: UInt64) {
    var world = ConsumerWorld(seed: seed)
    world.run(steps: 400)
    #expect(world.complaints == [])
    // A reload gives those that are gone a new session.
    world.bench.failsNextAppend = false
    #expect(world.roundsToSettle(limit: 8) != nil, "not settled after 8 rounds")
    #expect(world.complaints == [])
    #expect(Set(world.bench.answers.keys) == world.bench.asked)
  }

  // MARK: Planted bugs: a checker that cannot complain proves nothing

  @Test func twoOwnersInOneGenerationAreNoticed() {
    var checker = OwnershipChecker()
    checker.owns([1, 2], Generation(1), "a")
    checker.owns([1, 2], Generation(2), "b")
    checker.owns([1], Generation(2), "b")
    #expect(checker.complaints.isEmpty)
    checker.owns([2, 3], Generation(2), "a")
    #expect(checker.complaints.count == 1)
  }

  @Test func anOffsetThatMovesBackIsNoticed() {
    var checker = CommitChecker()
    checker.accepted(1, 5)
    checker.accepted(1, 6)
    checker.found(1, 6)
    checker.found(2, -1)
    #expect(checker.complaints.isEmpty)
    checker.accepted(1, 4)
    checker.found(1, 6)
    #expect(checker.complaints.count == 2)
  }

  @Test func twoReadersOfOnePartitionAreNoticed() {
    let one = Bench.part("orders", 0, 1)
    let two = Bench.part("orders", 1, 2)
    #expect(partitionsReadTwice([("a", one), ("b", Bench.part("orders", 2))]).isEmpty)
    #expect(partitionsReadTwice([("a", one), ("b", two)]).count == 1)
  }

  @Test func aCoordinatorThatLosesCommitsIsFoundOut() {
    let found = (0..<20 as Range<UInt64>).contains { seed in
      var world = ClassicWorld(seed: seed) { if case .offset(_, _, .some) = $0 { true } else { false } }
      world.run(steps: 400)
      return !world.complaints.isEmpty
    }
    #expect(found)
  }

  @Test func aCoordinatorThatForgetsWhoHasWhatIsFoundOut() {
    let found = (0..<50 as Range<UInt64>).contains { seed in
      var world = ConsumerWorld(seed: seed) { if case .consumerCurrent(_, _, .some) = $0 { true } else { false } }
      world.run(steps: 400)
      return !world.complaints.isEmpty
    }
    #expect(found)
  }
}
