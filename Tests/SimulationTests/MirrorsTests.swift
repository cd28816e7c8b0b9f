import Broker
import SimulatedWorld
import Testing

/// Two clusters of whole nodes, and a mirror between them.
@Suite struct MirrorsTests {
  /// Every journey of the topics, every layout. `hack/simulate --world mirrors --seeds` has the others.
  @Test func twoClustersKeepEveryPromiseAndAreThenTheSame() {
    var seen = MirrorSeen()
    for seed: UInt64 in [0, 5, 6, 9, 10, 12, 16] {
      var options = MirrorSimulation.Options(seed: seed)
      options.troubledFor = MirrorSimulation.Options.shortTrouble
      let outcome = MirrorSimulation.run(options)
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --short")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.copied > 300 && seen.acknowledged > 300 && seen.groupsRead > 100, "\(seen)")
    #expect(seen.deaths > 5 && seen.cuts > 5, "\(seen)")
    #expect(seen.switchovers >= 5 && seen.failovers >= 3 && seen.failbacks >= 8, "\(seen)")
  }

  /// Of a switchover in which somebody dies there are five steps and four victims; these are some.
  @Test func aSwitchoverThatIsInterruptedEndsWhole() {
    var seen = MirrorSeen()
    for seed: UInt64 in [0, 6, 12, 13, 4] {
      let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: seed, plot: .interrupted))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --plot interrupted")
      seen += outcome.seen
    }
    #expect(seen.deaths >= 4 && seen.switchovers >= 5 && seen.failbacks >= 5, "\(seen)")
  }

  /// What no planted mistake needs.
  @Test(arguments: [MirrorPlot.uncleanElection, .roundTrip]) func whatIsAimedAtOneJointIsSurvived(plot: MirrorPlot) {
    let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: 1, plot: plot))
    #expect(outcome.failure == nil, "hack/simulate 1 --world mirrors --plot \(plot.rawValue)")
    #expect(outcome.seen.setAside > 0, "\(outcome.seen)")
  }

  /// Topics that are deleted and made again, grown and compacted, records that expire, and nodes that stop in order.
  /// `hack/simulate --world mirrors --from 160 --seeds 160` mixes them with everything else.
  @Test(arguments: [(MirrorPlot.remade, 3), (.grown, 4), (.expired, 0), (.stopped, 0)] as [(MirrorPlot, UInt64)])
  func topicsThatChangeAreCopiedAsTheyAre(plot: MirrorPlot, seed: UInt64) {
    let seen = keeps(plot, seed)
    switch plot {
    case .remade: #expect(seen.deletions >= 4, "\(seen)")
    case .grown: #expect(seen.growths == 1 && seen.switchovers == 1, "\(seen)")
    case .expired: #expect(seen.expiries == 3 && seen.gaps > 0, "\(seen)")
    default: #expect(seen.stops >= 2 && seen.switchovers == 1, "\(seen)")
    }
  }

  /// Transactions are over before a switchover, and are ended by a failover. The seeds have every journey, and somebody
  /// who dies.
  @Test func transactionsAreWholeOnWhicheverSideTheyEnd() {
    var seen = MirrorSeen()
    for seed: UInt64 in [2, 3, 4, 7] {
      let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: seed, plot: .transacted))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --plot transacted")
      seen += outcome.seen
    }
    #expect(seen.transactions > 20 && seen.takenBack > 20 && seen.leftOpen > 0, "\(seen)")
  }

  /// A partition that was added after a failover began in an epoch in which the old owner had written one of its own.
  @Test func partitionsThatBothSidesAddedAreKeptApart() {
    let seen = keeps(.grown, 8)
    #expect(seen.failovers == 1 && seen.failbacks == 1 && seen.growths == 1, "\(seen)")
  }

  private func keeps(_ plot: MirrorPlot, _ seed: UInt64) -> MirrorSeen {
    let outcome = MirrorSimulation.run(MirrorSimulation.Options(seed: seed, plot: plot))
    #expect(outcome.failure == nil, "hack/simulate \(seed) --world mirrors --plot \(plot.rawValue)")
    return outcome.seen
  }

  /// A gap that was forgotten. Of a switchover in the middle of which something diverges, the seeds above have one.
  @Test func whatWasFoundOnceIsFoundNoMore() {
    #expect(
      MirrorSimulation.run(MirrorSimulation.Options(seed: 122)).failure == nil, "hack/simulate 122 --world mirrors")
    // An offset that a group had committed here alone, of which the mirror knew nothing.
    _ = keeps(.grown, 23)
  }

  /// `hack/simulate --twice` has two processes say it.
  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in [16, 5] {
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
    case .comparesNoEpochs: Planted(mistake: mistake, plot: .lostEnd, seed: 0, words: "is another one")
    case .cutsBeforeItIsWrittenDown: Planted(mistake: mistake, plot: .lostEnd, seed: 0, words: "nor in a file")
    case .setsAsideWithoutSync: Planted(mistake: mistake, plot: .cutInTheDark, seed: 0, words: "nor in a file")
    case .takesOverEarly:
      Planted(mistake: mistake, plot: .lagging, seed: 0, words: "after the switchover to the south")
    case .keepsTheGeneration: Planted(mistake: mistake, plot: .parted, seed: 0, words: "two owners")
    case .carriesGroupsAhead: Planted(mistake: mistake, plot: .standsStill, seed: 0, words: "the group is at")
    case .opensWithAnotherNumber: Planted(mistake: mistake, plot: .givenUp, seed: 0, words: "takes no write")
    case .takesTheNameForTheTopic: Planted(mistake: mistake, plot: .remade, seed: 0, words: "were written there before")
    case .carriesGroupsByName: Planted(mistake: mistake, plot: .remade, seed: 2, words: "for another topic")
    case .beginsAddedPartitionsAtTheEnd: Planted(mistake: mistake, plot: .grown, seed: 0, words: "and its source at 0")
    case .countsNoPartitions:
      Planted(mistake: mistake, plot: .grown, seed: 40, words: "of apples-2 was acknowledged to the group")
    case .leavesOpenTransactions:
      Planted(mistake: mistake, plot: .transacted, seed: 1, words: "not all of apples-1 can be read")
    case .endsTransactionsLate: Planted(mistake: mistake, plot: .transacted, seed: 1, words: "began at 22 was open")
    case .waitsForNoTransactions:
      Planted(mistake: mistake, plot: .transacted, seed: 0, words: "was committed in apples-0, and was taken back")
    case .takesCommitsWhereClosed:
      Planted(mistake: mistake, plot: .lagging, seed: 0, words: "was acknowledged to the group in the north")
    case .carriesGroupsBeforeTheFence:
      Planted(mistake: mistake, plot: .lagging, seed: 0, words: "was acknowledged to the group in the north")
    case .takesHolesForGaps: Planted(mistake: mistake, plot: .compacted, seed: 2, words: "names the gap")
    case .takesGapsForHoles: Planted(mistake: mistake, plot: .compacted, seed: 1, words: "and nobody says so")
    case .keepsWhatWasCleaned: Planted(mistake: mistake, plot: .remade, seed: 22, words: "nor what replaces it")
    }
  }
}
