import Glibc
import Replication
import SimulatedWorld
import Testing

@Suite struct ReplicationSimulationTests {
  /// `REPLICATION_SEEDS=100-4000` asks for others; one seed is replayed with `REPLICATION_SEEDS=100-100`.
  static let seeds: ClosedRange<UInt64> = {
    guard let text = getenv("REPLICATION_SEEDS") else { return 1...24 }
    let bounds = String(cString: text).split(separator: "-").compactMap { UInt64($0) }
    guard bounds.count == 2, bounds[0] <= bounds[1] else { return 1...24 }
    return bounds[0]...bounds[1]
  }()

  @Test func whatWasAcknowledgedOutlivesEverythingThatGoesWrong() {
    for seed in Self.seeds {
      let report = ReplicatedSimulation(seed: seed).run()
      #expect(
        report.violation == nil,
        "REPLICATION_SEEDS=\(seed)-\(seed) swift test --filter ReplicationSimulationTests shows it again")
      #expect(report.acknowledged > 0)
    }
  }

  @Test func theSameSeedIsTheSameStory() {
    for seed in 101...102 {
      let first = ReplicatedSimulation(seed: UInt64(seed)).run()
      let second = ReplicatedSimulation(seed: UInt64(seed)).run()
      #expect(first.traceHash == second.traceHash && first.steps == second.steps, "seed \(seed)")
    }
    #expect(ReplicatedSimulation(seed: 1).run().traceHash != ReplicatedSimulation(seed: 2).run().traceHash)
  }

  /// How many seeds each needs, with something to spare.
  @Test(arguments: PlantedBug.allCases) func aRuleThatIsLeftOutIsNoticed(bug: PlantedBug) {
    let seeds = 1...60 as ClosedRange<UInt64>
    #expect(seeds.contains { ReplicatedSimulation(seed: $0, planted: bug).run().violation != nil })
  }

  @Test func theSimulationSeesWhatItIsFor() {
    let reports = (1...12).map { ReplicatedSimulation(seed: $0).run() }
    #expect(reports.contains { $0.elections > 2 })
    #expect(reports.contains { $0.crashes > 5 })
    #expect(reports.contains { $0.promotions > 0 })
  }
}
