import Replication
import SimulatedWorld
import Testing

@Suite struct ReplicationSimulationTests {
  @Test(arguments: 1...60) func whatWasAcknowledgedOutlivesEverythingThatGoesWrong(seed: Int) {
    let report = ReplicatedSimulation(seed: UInt64(seed)).run()
    #expect(report.violation == nil, "seed \(seed)")
  }
}
