import ClusterMetadata
import Consensus
import Replication
import SimulatedWorld
import Testing

/// The cluster whose partitions are real logs, on disks that lose what was not synced.
@Suite struct ClusterFilesTests {
  /// `hack/simulate --world cluster --logs files --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<4).map { $0 * 25..<($0 + 1) * 25 }

  @Test(arguments: shares) func aClusterOverFilesKeepsEveryPromiseAndWorksAgain(seeds: Range<UInt64>) {
    var seen = ClusterSeen()
    for seed in seeds {
      let outcome = ClusterSimulation.run(ClusterSimulation.Options(seed: seed, logs: .files))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world cluster --logs files")
      seen += outcome.seen
    }
    #expect(seen.acknowledged > 300 && seen.recoveries > 150 && seen.powerLosses > 20, "\(seen)")
    #expect(seen.interruptions > 2 && seen.truncations > 10, "\(seen)")
  }

  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in 0..<4 {
      var options = ClusterSimulation.Options(seed: seed, logs: .files)
      options.troubledFor = ClusterSimulation.Options.shortTrouble
      let first = ClusterSimulation.run(options)
      let second = ClusterSimulation.run(options)
      #expect(first.hash == second.hash && first.steps == second.steps, "seed \(seed)")
    }
  }

  /// Each search begins where the mistake is known to show, which saves time and nothing else.
  @Test(arguments: planted) func aPlantedMistakeIsFound(_ mistake: ClusterMistake, from first: UInt64) {
    let found = (first..<first + 60).contains { seed in
      ClusterSimulation.run(ClusterSimulation.Options(seed: seed, planted: mistake, logs: .files)).failure != nil
    }
    #expect(found, "\(mistake.name) from seed \(first)")
  }

  static let planted: [(ClusterMistake, UInt64)] =
    StorageBug.allCases.map { (.storage($0), shows[$0] ?? 0) }
    + [
      (.replication(.skipsTruncation), 0), (.replication(.acknowledgesBeforeReplication), 0),
      (.replication(.startsNoEpoch), 0), (.replication(.shrinksWithoutController), 0),
      (.wiring(.answersBeforeCommit), 0), (.quorum(.epochNotBumped), 0),
    ]
  static let shows: [StorageBug: UInt64] = [
    .stopsBeforeRecovery: 2024, .cutsWithoutSync: 61, .believesACleanStop: 8, .recoveryPointIsTheEnd: 3,
  ]
}
