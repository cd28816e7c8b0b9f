import Testing
import Vocabulary

@testable import CommandLine

@Suite struct StopGateTests {
  private func gate(
    inSync: [Int32], replicas: [Int32] = [1, 2, 3], replicasMin: Int = 2, regionsMin: Int = 1,
    caughtUp: [Int32] = [1, 2, 3], leader: Int32? = 1
  ) -> StopGate {
    func nodes(_ ids: [Int32]) -> [NodeID] { ids.map { NodeID($0) } }
    return StopGate(
      node: NodeID(1),
      partitions: [
        .init(
          name: "payments-0", voters: nodes(replicas), inSync: nodes(inSync), replicasMin: replicasMin,
          regionsMin: regionsMin)
      ], quorum: .init(leader: leader.map { NodeID($0) }, voters: nodes([1, 2, 3]), caughtUp: nodes(caughtUp)),
      regions: [NodeID(1): "west", NodeID(2): "west", NodeID(3): "east"])
  }

  @Test func aBrokerMayStopWhileEnoughOthersAreInSync() {
    #expect(gate(inSync: [1, 2, 3]).obstacle == nil)
  }

  @Test func theLastReplicaAboveTheMinimumIsWaitedFor() {
    #expect(gate(inSync: [1, 2]).obstacle == "payments-0 would have 1 replicas in sync, and needs 2")
  }

  @Test func theLastRegionAboveTheMinimumIsWaitedFor() {
    let words = gate(inSync: [1, 2, 3], replicasMin: 1, regionsMin: 2)
    #expect(words.obstacle == nil)
    var alone = words
    alone.node = NodeID(3)
    alone.partitions[0].voters.append(NodeID(4))
    alone.regions[NodeID(4)] = "east"
    #expect(alone.obstacle == "payments-0 would be in sync in 1 Regions, and needs 2")
  }

  @Test func whatWaitingCannotHelpIsNotWaitedFor() {
    #expect(gate(inSync: [1], replicas: [1], replicasMin: 1).obstacle == nil)
    #expect(gate(inSync: [1, 2], replicas: [1, 2], replicasMin: 2).obstacle == nil)
  }

  @Test func aBrokerThatIsNotInSyncTakesNothingAway() {
    #expect(gate(inSync: [2]).obstacle == nil)
  }

  @Test func whereTheWholeClusterGoesNobodyIsWaitedFor() {
    var last = gate(inSync: [1], caughtUp: [1], leader: nil)
    #expect(last.obstacle != nil)
    last.handsOver = false
    #expect(last.obstacle == nil)
    last.quorum = nil
    #expect(last.obstacle == nil)
  }

  @Test func aVoterWaitsForAMajorityOfOthers() {
    #expect(gate(inSync: [1, 2, 3], caughtUp: [1, 2, 3]).obstacle == nil)
    #expect(gate(inSync: [1, 2, 3], caughtUp: [1, 2]).obstacle?.contains("1 voters") == true)
    #expect(gate(inSync: [1, 2, 3], leader: nil).obstacle == "the metadata quorum has no leader")
    var silent = gate(inSync: [1, 2, 3])
    silent.quorum = nil
    #expect(silent.obstacle == "the metadata quorum does not answer")
  }
}
