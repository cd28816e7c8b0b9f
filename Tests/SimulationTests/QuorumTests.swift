import Consensus
import SimulatedWorld
import Testing

@Suite struct QuorumTests {
  /// Enough for each kind of trouble to happen hundreds of times; `hack/simulate --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<8).map { $0 * 200..<($0 + 1) * 200 }

  @Test(arguments: shares) func everyPromiseIsKeptWhateverGoesWrong(seeds: Range<UInt64>) {
    var seen = QuorumSimulation.Seen()
    for seed in seeds {
      let outcome = QuorumSimulation.run(short(seed))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --short")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.leaders > 150 && seen.committed > 1500)
    #expect(seen.crashes > 50 && seen.truncations > 5 && seen.installations > 0)
    #expect(seen.voterChanges > 10 && seen.wipes > 10 && seen.resignations > 10 && seen.updates > 0)
  }

  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in 0..<40 {
      let first = QuorumSimulation.run(short(seed))
      let second = QuorumSimulation.run(short(seed))
      #expect(first.hash == second.hash && first.steps == second.steps)
    }
    #expect(QuorumSimulation.run(short(1)).hash != QuorumSimulation.run(short(2)).hash)
  }

  @Test func theTraceTellsWhatHappenedAndChangesNothing() {
    var options = short(3)
    let silent = QuorumSimulation.run(options)
    options.traces = true
    let told = QuorumSimulation.run(options)
    #expect(silent.trace.isEmpty && told.trace.count > told.steps)
    #expect(silent.hash == told.hash)
  }

  private func short(_ seed: UInt64) -> QuorumSimulation.Options {
    var options = QuorumSimulation.Options(seed: seed)
    options.troubledFor = QuorumSimulation.Options.shortTrouble
    return options
  }

  /// A simulation that finds nothing may only be looking away. Each search begins where the mistake is known to show,
  /// which saves time and nothing else: `hack/simulate --seeds 3000 --plant BUG` finds it from seed 0 on.
  @Test(arguments: PlantedBug.allCases) func aPlantedMistakeIsFound(bug: PlantedBug) {
    let first = Self.shows[bug] ?? 0
    let found = (first..<first + 1500).contains { seed in
      QuorumSimulation.run(QuorumSimulation.Options(seed: seed, planted: bug)).failure != nil
    }
    #expect(found, "\(bug.rawValue) from seed \(first)")
  }

  static let shows: [PlantedBug: UInt64] = [
    .forgottenVote: 400, .olderEpochCommittedByCounting: 600, .staleVoterSet: 313,
  ]
}
