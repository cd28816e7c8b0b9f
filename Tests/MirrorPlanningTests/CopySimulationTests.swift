import MirrorPlanning
import Testing
import Vocabulary

@Suite struct CopySimulationTests {
  private static let seeds: Range<UInt64> = 1..<2001
  private static let steps = 150

  @Test(arguments: [GapPolicy.halt, .accept]) func aCopyNeverLeavesOutARecordInSilence(policy: GapPolicy) {
    var halts: Set<String> = []
    var copied = 0
    var accepted = 0
    for seed in Self.seeds {
      var world = CopySimulation(seed: seed, policy: policy)
      world.run(steps: Self.steps)
      #expect(world.complaints == [], "seed \(seed)")
      halts.formUnion(world.halts)
      copied += world.copied
      accepted += world.accepted.count
    }
    // The world is bad enough to meet everything that it is made of.
    #expect(copied > 10_000)
    #expect(halts.isSuperset(of: ["diverged", "gone"]))
    #expect(halts.contains("gap") == (policy == .halt))
    #expect((accepted > 0) == (policy == .accept))
  }

  /// Once what diverged is set aside, a copy goes on behind every unclean election, and cuts off nothing that both have.
  @Test func whatDivergedIsSetAsideAndNothingElse() {
    var halts: Set<String> = []
    var setAside = 0
    for seed in Self.seeds {
      var world = CopySimulation(seed: seed, policy: .accept, setsAside: true)
      world.run(steps: Self.steps)
      #expect(world.complaints == [], "seed \(seed)")
      halts.formUnion(world.halts)
      setAside += world.setAside.count
    }
    #expect(setAside > 300)
    #expect(halts.contains("diverged"))
  }

  @Test(arguments: PlantedBug.allCases) func aPlantedMistakeIsFound(mistake: PlantedBug) {
    let isFound = Self.seeds.contains { seed in
      var world = CopySimulation(
        seed: seed, policy: .accept, setsAside: mistake == .cutsBeforeItIsWrittenDown, planted: mistake)
      world.run(steps: Self.steps)
      return !world.complaints.isEmpty
    }
    #expect(isFound, "\(mistake) is not found")
  }

  @Test func theSameSeedGivesTheSameStory() {
    func story() -> (Int, Set<String>, [Range<Int64>]) {
      var world = CopySimulation(seed: 77, policy: .accept)
      world.run(steps: Self.steps)
      return (world.copied, world.halts, world.accepted)
    }
    let (first, second) = (story(), story())
    #expect(first.0 == second.0 && first.1 == second.1 && first.2 == second.2)
  }
}
