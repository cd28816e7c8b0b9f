import Coordination
import SimulatedWorld
import Testing

@Suite struct TransactionsTests {
  /// Enough for each kind of trouble to happen often; `hack/simulate --seeds` goes on where this ends.
  static let shares: [Range<UInt64>] = (0..<4).map { $0 * 25..<($0 + 1) * 25 }

  @Test(arguments: shares) func everyTransactionHasOneOutcomeWhateverGoesWrong(seeds: Range<UInt64>) {
    var seen = TransactionSeen()
    for seed in seeds {
      let outcome = TransactionSimulation.run(short(seed))
      #expect(outcome.failure == nil, "hack/simulate \(seed) --world transactions --short")
      seen += outcome.seen
    }
    // A world in which nothing goes wrong would prove nothing.
    #expect(seen.committed > 100 && seen.aborted > 10 && seen.timedOut > 10 && seen.read > 200)
    #expect(seen.fenced > 10 && seen.failovers > 10 && seen.superseded > 5 && seen.lostRecords > 5)
    #expect(seen.markersAgain > 10 && seen.markersRefused > 0 && seen.unverified > 0 && seen.late > 0)
    #expect(seen.failedAppends > 0 && seen.vanished > 0 && seen.forgotten > 5 && seen.rotations > 0)
  }

  @Test func oneSeedIsOneHistory() {
    for seed: UInt64 in 0..<5 {
      let first = TransactionSimulation.run(short(seed))
      let second = TransactionSimulation.run(short(seed))
      #expect(first.hash == second.hash && first.steps == second.steps)
    }
    #expect(TransactionSimulation.run(short(1)).hash != TransactionSimulation.run(short(2)).hash)
  }

  private func short(_ seed: UInt64) -> TransactionSimulation.Options {
    var options = TransactionSimulation.Options(seed: seed)
    options.troubledFor = TransactionSimulation.Options.shortTrouble
    return options
  }

  /// A simulation that finds nothing may only be looking away. The same history without the mistake keeps every promise.
  @Test(arguments: PlantedBug.allCases) func aPlantedMistakeIsFound(bug: PlantedBug) throws {
    let seed = try #require(Self.shows[bug])
    let outcome = TransactionSimulation.run(TransactionSimulation.Options(seed: seed, planted: bug))
    #expect(outcome.failure != nil, "hack/simulate --seeds 1000 --world transactions --plant \(bug.rawValue)")
    #expect(TransactionSimulation.run(TransactionSimulation.Options(seed: seed)).failure == nil)
  }

  static let shows: [PlantedBug: UInt64] = [
    .answersBeforeItIsKept: 3, .keepsTheEpochAtATimeout: 11, .dropsAPartitionAtLoad: 0, .trustsTheEndOfTheLog: 584,
    .doesNotRenewMarkersAtLoad: 0, .letsTheOtherOutcomeThrough: 30, .answersFromMemory: 325, .believesAnOlderEpoch: 0,
    .completesAtTheFirstMarker: 0, .givesUpOnMarkers: 0, .believesAnEarlierResult: 13, .addsWhileItEnds: 0,
    .neverTimesOut: 0,
  ]
}
