import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// Small worlds in which everything that can fail does, drawn from a seed.
///
/// In every step what was promised holds; once the faults end the cluster comes to rest, and at rest a plan has no
/// steps.
@Suite struct PropertyTests {
  static let seeds: [UInt64] = Array(1...12)

  @Test(arguments: seeds) func whateverFailsNoPromiseIsBrokenAndRestWritesNothing(seed: UInt64) {
    #expect(Self.run(seed) == [])
  }

  @Test(arguments: shows.keys.sorted { "\($0)" < "\($1)" }) func aPlantedMistakeIsSeen(mistake: PlantedMistake) throws {
    let seed = try #require(Self.shows[mistake])
    #expect(Self.run(seed) == [])
    let found = PlantedMistake.$planted.withValue(mistake) { Self.run(seed) }
    #expect(found != [], "seed \(seed) does not show \(mistake)")
  }

  /// The first seed that shows a mistake. When the worlds change, others do.
  static let shows: [PlantedMistake: UInt64] = [
    .secondClusterFromPartialView: 2, .rollWithoutGate: 1, .drainWithoutWaiting: 1, .conditionsWithoutOrder: 1,
    .deletesVolumes: 1, .voterRemovedTooEarly: 76,
  ]

  @Test func everyMistakeIsSeenSomewhere() {
    // These are about copies and about what is gone, and are seen there.
    let elsewhere: Set<PlantedMistake> = [
      .unknownIsAbsent, .finalizerBeforeCopies, .lateCopyVouches, .goneIsForgotten, .returnedIsFollowed,
      .oldWayGoesFirst, .lateCopyOverwrites,
    ]
    #expect(elsewhere.union(Self.shows.keys) == Set(PlantedMistake.allCases))
  }

  /// What went wrong in the world of a seed, in sentences.
  static func run(_ seed: UInt64) -> [String] {
    var dice = Dice(seed)
    var world = World(shares(&dice))
    let names = world.members.keys.sorted()
    // Often a member is gone from the very beginning.
    if dice.chance(50) { world.members[names[dice.next(names.count)]]?.isReachable = false }
    for round in 0..<40 {
      if round == 15, world.isStarted { addTopics(to: &world, &dice) }
      disturb(&world, &dice, names)
      var steps = world.plan.steps
      // The operator may crash between any two steps.
      if dice.chance(20) { steps = Array(steps.prefix(dice.next(steps.count + 1))) }
      for step in steps { world.perform(step) }
      if dice.chance(80) { world.settle() }
      if !world.broken.isEmpty { return world.broken }
    }
    for name in names {
      world.members[name]?.isReachable = true
      world.members[name]?.isHealthy = true
    }
    world.brokersAnswer = true
    guard world.converge(rounds: 200) != nil else {
      return world.broken + ["it does not come to rest: \(world.plan.steps.prefix(2))"]
    }
    let plan = world.plan
    if !plan.steps.isEmpty { world.broken.append("at rest there are steps: \(plan.steps)") }
    return world.broken
  }

  static func shares(_ dice: inout Dice) -> [RegionShare] {
    let layouts = [[1, 1, 1], [2, 2, 1], [2, 2, 2], [1, 2, 2]]
    let controllers = layouts[dice.next(layouts.count)]
    return ["a", "b", "c"].enumerated().map { index, name in
      RegionShare(name, brokers: 1 + dice.next(2) + (index == 0 ? 1 : 0), controllers: controllers[index])
    }
  }

  static func addTopics(to world: inout World, _ dice: inout Dice) {
    let brokers = world.facts.brokers
    for number in 0..<4 {
      var replicas: [Int32] = []
      for region in ["a", "b", "c"] {
        let here = brokers.filter { $0.region == region && !$0.isFenced }
        if !here.isEmpty { replicas.append(here[dice.next(here.count)].id.value) }
      }
      if replicas.count == 3 { world.addTopic("t\(number)", replicas) }
    }
  }

  static func disturb(_ world: inout World, _ dice: inout Dice, _ names: [String]) {
    let name = names[dice.next(names.count)]
    switch dice.next(12) {
    case 0: world.members[name]?.isReachable = false
    case 1, 2: for name in names { world.members[name]?.isReachable = true }
    case 3: world.cluster.spec.image = "image-\(dice.next(1000))"
    case 4: world.members[name]?.isHealthy = dice.chance(70)
    case 5: for name in names { world.members[name]?.isHealthy = true }
    case 6: world.brokersAnswer = dice.chance(70)
    case 7: world.brokersAnswer = true
    case 8:
      let place = dice.next(world.cluster.spec.regions.count)
      world.cluster.spec.regions[place].brokers = max(1, dice.next(4))
    case 9:
      let layouts = [[1, 1, 1], [2, 2, 1], [2, 2, 2]]
      let controllers = layouts[dice.next(layouts.count)]
      for place in world.cluster.spec.regions.indices {
        world.cluster.spec.regions[place].controllers = controllers[place]
      }
    case 10:
      // Somebody deletes or edits an object by hand.
      let ids = world.members[name]?.objects.keys.sorted().filter { $0.kind != .claim && $0.kind != .statefulSet } ?? []
      if !ids.isEmpty, world.members[name]?.isReachable == true {
        world.members[name]?.objects[ids[dice.next(ids.count)]] = nil
      }
    default: break
    }
  }
}
