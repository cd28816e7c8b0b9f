import Broker
import SimulatedWorld
import Testing

/// Two clusters of whole nodes, and a mirror between them.
@Suite struct MirrorsTests {
  /// `hack/simulate --world mirrors --seeds` goes on where this ends. Each share has every journey of the topics and every
  /// layout once.
  static let shares: [Range<UInt64>] = (0..<2).map { $0 * 20..<($0 + 1) * 20 }

  @Test(arguments: shares) func twoClustersKeepEveryPromiseAndAreThenTheSame(seeds: Range<UInt64>) {
    var seen = MirrorSeen()
    for seed in seeds {
      var options = MirrorSimulation.Options(seed: seed)
      options.troubledFor = MirrorSimulation.Options.shortTrouble
      let outcome = MirrorSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --short")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.copied > 1000 && seen.acknowledged > 1000 && seen.groupsRead > 100 && seen.setAside > 3, "\(seen)")
    #expect(seen.deaths > 20 && seen.cuts > 20 && seen.removals > 5 && seen.unclean > 1, "\(seen)")
    #expect(seen.switchovers > 10 && seen.failovers > 5 && seen.failbacks > 10, "\(seen)")
  }

  /// Of a switchover in which somebody dies there are five steps and four victims.
  static let steps: [Range<UInt64>] = (0..<4).map { $0 * 5..<($0 + 1) * 5 }

  @Test(arguments: steps) func aSwitchoverThatIsInterruptedEndsWhole(seeds: Range<UInt64>) {
    var seen = MirrorSeen()
    for seed in seeds {
      let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: seed, plot: .interrupted))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --plot interrupted")
      seen += outcome.seen
    }
    #expect(seen.deaths >= 5 && seen.switchovers >= 5 && seen.failbacks >= 5, "\(seen)")
  }

  /// What goes wrong alone, in a history of each kind, and whether it has left something to be seen.
  @Test(arguments: MirrorPlot.allCases) func whatIsAimedAtOneJointIsSurvived(plot: MirrorPlot) {
    let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: 1, plot: plot))
    #expect(outcome.failure == nil, "hack/simulate 1 --world mirrors --plot \(plot.rawValue)")
    let seen = outcome.seen
    switch plot {
    case .overrun, .standsStill: #expect(seen.gaps > 0, "\(seen)")
    case .lostEnd, .cutInTheDark, .uncleanElection: #expect(seen.setAside > 0, "\(seen)")
    case .lagging, .interrupted: #expect(seen.switchovers > 0, "\(seen)")
    case .givenUp: #expect(seen.givenUp > 0, "\(seen)")
    case .parted, .roundTrip: #expect(seen.failovers > 0 && seen.failbacks > 0, "\(seen)")
    case .uncommitted: #expect(seen.deaths > 0, "\(seen)")
    }
  }

  /// Histories that have found something.
  @Test(arguments: [6, 62, 80, 84, 122] as [UInt64]) func whatWasFoundOnceIsFoundNoMore(seed: UInt64) {
    var options = MirrorSimulation.Options(seed: seed)
    // What diverges in the middle of a switchover; the others are about gaps.
    if seed == 6 { options.troubledFor = MirrorSimulation.Options.shortTrouble }
    #expect(MirrorSimulation.run(options).failure == nil, "hack/simulate \(seed) --world mirrors")
  }

  /// One of each layout. `hack/simulate --twice` has two processes say it.
  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in [16, 17, 18, 19] {
      var options = MirrorSimulation.Options(seed: seed)
      options.troubledFor = MirrorSimulation.Options.shortTrouble
      let first = MirrorSimulation.run(options)
      let second = MirrorSimulation.run(options)
      #expect(first.hash == second.hash && first.steps == second.steps, "seed \(seed)")
    }
  }

  /// A mistake, and the history in which it shows.
  struct Planted: Sendable, CustomTestStringConvertible {
    let mistake: MirrorMistake
    let plot: MirrorPlot
    let seed: UInt64
    /// What it is found by.
    let words: String
    var testDescription: String { mistake.rawValue }
  }

  @Test(arguments: MirrorMistake.allCases.map(planted)) func aPlantedMistakeIsFound(_ planted: Planted) {
    var options = MirrorSimulation.Options(seed: planted.seed, planted: planted.mistake, plot: planted.plot)
    options.recoversWithin = 30_000
    let outcome = MirrorSimulation.run(options)
    #expect(outcome.failure?.contains(planted.words) == true, "seed \(planted.seed): \(outcome.failure ?? "nothing")")
    options.planted = nil
    let sound = MirrorSimulation.run(options)
    #expect(sound.failure == nil, "seed \(planted.seed) without the mistake")
  }

  static func planted(_ mistake: MirrorMistake) -> Planted {
    switch mistake {
    case .copiesBeyondTheMark: Planted(mistake: mistake, plot: .uncommitted, seed: 0, words: "never committed")
    case .skipsGaps: Planted(mistake: mistake, plot: .overrun, seed: 0, words: "and nobody says so")
    case .comparesNoEpochs: Planted(mistake: mistake, plot: .lostEnd, seed: 6, words: "is another one")
    case .cutsBeforeItIsWrittenDown: Planted(mistake: mistake, plot: .lostEnd, seed: 0, words: "nor in a file")
    case .setsAsideWithoutSync: Planted(mistake: mistake, plot: .cutInTheDark, seed: 0, words: "nor in a file")
    case .takesOverEarly: Planted(mistake: mistake, plot: .lagging, seed: 0, words: "the switchover ended it")
    case .keepsTheGeneration: Planted(mistake: mistake, plot: .parted, seed: 0, words: "two owners")
    case .carriesGroupsAhead: Planted(mistake: mistake, plot: .standsStill, seed: 0, words: "the group is at")
    case .opensWithAnotherNumber: Planted(mistake: mistake, plot: .givenUp, seed: 0, words: "takes no write")
    }
  }
}
