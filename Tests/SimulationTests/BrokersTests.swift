import Broker
import SimulatedWorld
import Testing

/// Whole nodes, from the frames of their clients to the bytes on their disks.
@Suite struct BrokersTests {
  /// `hack/simulate --world brokers --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<4).map { $0 * 6..<($0 + 1) * 6 }

  @Test(arguments: shares) func brokersKeepEveryPromiseAndAreThenAsBefore(seeds: Range<UInt64>) {
    var seen = BrokerSeen()
    for seed in seeds {
      var options = BrokerSimulation.Options(seed: seed)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let outcome = BrokerSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world brokers --short")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.acknowledged > 100 && seen.read > 100 && seen.committed > 10, "\(seen)")
    #expect(seen.kills > 2 && seen.lives > 10 && seen.freezes > 2 && seen.topicsCreated > 2, "\(seen)")
  }

  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in 0..<3 {
      var options = BrokerSimulation.Options(seed: seed)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let first = BrokerSimulation.run(options)
      let second = BrokerSimulation.run(options)
      #expect(first.hash == second.hash && first.steps == second.steps, "seed \(seed)")
    }
  }

  /// Each search begins where the mistake is known to show, which saves time and nothing else.
  @Test(arguments: planted) func aPlantedMistakeIsFound(_ mistake: BrokerMistake, from first: UInt64) {
    let found = (first..<first + 20).contains { seed in
      var options = BrokerSimulation.Options(seed: seed, planted: mistake)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      options.recoversWithin = 30_000
      return BrokerSimulation.run(options).failure != nil
    }
    #expect(found, "\(mistake.rawValue) from seed \(first)")
  }

  static let planted: [(BrokerMistake, UInt64)] = [
    (.fencesWhoIsAlone, 0), (.acknowledgesAtOnce, 5), (.readsAboveTheHighWatermark, 1), (.givesUpCopying, 9),
  ]
}
