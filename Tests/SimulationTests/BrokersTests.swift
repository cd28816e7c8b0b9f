import Broker
import SimulatedWorld
import Testing

/// Whole nodes, from the frames of their clients to the bytes on their disks.
@Suite struct BrokersTests {
  /// `hack/simulate --world brokers --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<4).map { $0 * 6..<($0 + 1) * 6 }

  @Test(arguments: shares) func brokersKeepEveryPromiseAndAreThenAsBefore(seeds: Range<UInt64>) {
    var seen = BrokerSeen()
    var remaining = 0
    for seed in seeds {
      var options = BrokerSimulation.Options(seed: seed)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let outcome = BrokerSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world brokers --short")
      seen += outcome.seen
      remaining += outcome.remaining
    }
    // Long searches need the memory of processes that have died.
    #expect(remaining < seen.lives / 4, "\(remaining) dead brokers of \(seen.lives) are still in memory")
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.acknowledged > 100 && seen.read > 100 && seen.committed > 10, "\(seen)")
    #expect(seen.kills > 2 && seen.lives > 10 && seen.freezes + seen.cuts > 2 && seen.topicsCreated > 2, "\(seen)")
  }

  @Test func votersComeAndGo() {
    var seen = BrokerSeen()
    for seed: UInt64 in [30, 38, 46] {
      var options = BrokerSimulation.Options(seed: seed)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let outcome = BrokerSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world brokers --short")
      seen += outcome.seen
    }
    #expect(seen.voterChanges > 2, "\(seen)")
  }

  /// One of each layout. `hack/simulate --twice` has two processes say it.
  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in [0, 1, 3, 38] {
      var options = BrokerSimulation.Options(seed: seed)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let first = BrokerSimulation.run(options)
      let second = BrokerSimulation.run(options)
      #expect(first.hash == second.hash && first.steps == second.steps, "seed \(seed)")
    }
  }

  /// A mistake, and the history in which it shows. Where a plot is named, nothing else goes wrong.
  struct Planted: Sendable, CustomTestStringConvertible {
    let mistake: BrokerMistake
    var plot: BrokerPlot?
    let seed: UInt64
    /// What the broken promise says, where it may be broken in several ways.
    var words: String?
    var testDescription: String { mistake.rawValue }

    func options(isPlanted: Bool) -> BrokerSimulation.Options {
      var options = BrokerSimulation.Options(seed: seed, planted: mistake, plot: plot)
      options.planted = isPlanted ? mistake : nil
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      options.recoversWithin = 15_000
      return options
    }
  }

  @Test(arguments: BrokerMistake.allCases.map(planted)) func aPlantedMistakeIsFound(_ planted: Planted) {
    let outcome = BrokerSimulation.run(planted.options(isPlanted: true))
    #expect(outcome.failure != nil, "seed \(planted.seed)")
    if let words = planted.words { #expect(outcome.failure?.contains(words) == true, "seed \(planted.seed)") }
    let sound = BrokerSimulation.run(planted.options(isPlanted: false))
    #expect(sound.failure == nil, "seed \(planted.seed) without the mistake")
  }

  static func planted(_ mistake: BrokerMistake) -> Planted {
    switch mistake {
    case .fencesWhoIsAlone: Planted(mistake: mistake, seed: 0)
    case .acknowledgesAtOnce: Planted(mistake: mistake, plot: .overtaken, seed: 1)
    case .readsAboveTheHighWatermark: Planted(mistake: mistake, plot: .overtaken, seed: 1)
    case .ignoresTheEpochsOfFetches: Planted(mistake: mistake, plot: .overtaken, seed: 1)
    case .answersBeforeCommit: Planted(mistake: mistake, plot: .controllerCutOff, seed: 1)
    case .keepsOffsetsAlone: Planted(mistake: mistake, plot: .coordinatorLost, seed: 1)
    case .givesUpCopying: Planted(mistake: mistake, plot: .followerCutOff, seed: 1)
    case .keepsStrays: Planted(mistake: mistake, plot: .remade, seed: 1)
    case .countsNoRegions: Planted(mistake: mistake, plot: .regionLost, seed: 4)
    case .proposesOnce: Planted(mistake: mistake, plot: .leftAlone, seed: 2)
    case .isReadyBeforeItKnows: Planted(mistake: mistake, seed: 1)
    // librdkafka sends under a new epoch what another partition has stored already.
    case .callsEarlyBatchesOutOfOrder:
      Planted(mistake: mistake, plot: .leadersChange, seed: 10, words: " is at the offsets ")
    }
  }

  /// Batches that overtake others, and leaders that change, while nothing else goes wrong.
  @Test func producersKeepTheirEpochWhileLeadersChange() {
    var seen = BrokerSeen()
    for seed: UInt64 in 1...2 {
      var options = BrokerSimulation.Options(seed: seed, plot: .leadersChange)
      options.troubledFor = BrokerSimulation.Options.shortTrouble
      let outcome = BrokerSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world brokers --plot leadersChange --short")
      seen += outcome.seen
    }
    #expect(seen.overtakings > 2 && seen.elected > 20 && seen.retries > 100, "\(seen)")
  }
}
