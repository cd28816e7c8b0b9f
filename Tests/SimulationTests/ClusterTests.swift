import ClusterMetadata
import Consensus
import Replication
import SimulatedWorld
import Testing

@Suite struct ClusterTests {
  /// `hack/simulate --world cluster --logs model --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<4).map { $0 * 40..<($0 + 1) * 40 }

  @Test(arguments: shares) func aClusterKeepsEveryPromiseAndWorksAgain(seeds: Range<UInt64>) {
    var seen = ClusterSeen()
    for seed in seeds {
      let outcome = ClusterSimulation.run(ClusterSimulation.Options(seed: seed))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world cluster --logs model")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.acknowledged > 500 && seen.controllers > 60 && seen.elections > 150, "\(seen)")
    #expect(seen.crashes > 150 && seen.powerLosses > 20 && seen.regionLosses > 10 && seen.fencings > 60, "\(seen)")
    #expect(seen.promotions > 3 && seen.reassignments > 10 && seen.deletions > 3, "\(seen)")
    #expect(seen.shutdowns > 10 && seen.truncations > 10, "\(seen)")
  }

  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in 0..<6 {
      var options = ClusterSimulation.Options(seed: seed)
      options.troubledFor = ClusterSimulation.Options.shortTrouble
      let first = ClusterSimulation.run(options)
      options.traces = true
      let second = ClusterSimulation.run(options)
      #expect(first.hash == second.hash && first.steps == second.steps, "seed \(seed)")
      #expect(first.trace.isEmpty && !second.trace.isEmpty)
    }
  }

  /// A simulation that finds nothing may only be looking away. Each search begins where the mistake is known to show,
  /// which saves time and nothing else.
  @Test(arguments: planted) func aPlantedMistakeIsFound(_ mistake: ClusterMistake, from first: UInt64) {
    let found = (first..<first + 100).contains { seed in
      ClusterSimulation.run(ClusterSimulation.Options(seed: seed, planted: mistake)).failure != nil
    }
    #expect(found, "\(mistake.name) from seed \(first)")
  }

  static let planted: [(ClusterMistake, UInt64)] =
    Replication.PlantedBug.allCases.map { (.replication($0), 0) }
    + ClusterMetadata.PlantedBug.allCases.filter { !backedUp.contains($0) }.map { (.metadata($0), shows[$0] ?? 0) }
    + WiringBug.allCases.map { (.wiring($0), $0 == .actsOnAnEarlierLife ? 60 : 0) }
    // What needs snapshots, or luck in the quorum, the quorum's own simulation finds.
    + [(.quorum(.epochNotBumped), 0), (.quorum(.skippedTruncation), 0)]

  static let shows: [ClusterMetadata.PlantedBug: UInt64] = [:]
  /// Rules that back up what leaders obey by themselves: leaving them out was not noticed. Sentences hold them
  /// (`InSyncTests`, `PromotionTests`).
  static let backedUp: Set<ClusterMetadata.PlantedBug> = [.takesAnEarlierLife, .promotesAtAnyTime]
}
