import ClusterMetadata
import Testing
import Vocabulary

@Suite struct InSyncTests {
  func cluster() throws -> SmallCluster {
    var cluster = SmallCluster(["eu", "us", "ap"])
    try cluster.topic(on: [1, 2, 3])
    return cluster
  }

  @Test func aLeaderShrinksAndGrowsTheSetAndKeepsItsEpoch() throws {
    var cluster = try cluster()
    try cluster.agree([1, 2])
    #expect(cluster.inSync == [1, 2] && cluster.partition.partitionEpoch == 1)
    try cluster.agree([1, 2, 3])
    #expect(cluster.inSync == [1, 2, 3] && cluster.partition.leaderEpoch == LeaderEpoch(0))
  }

  /// Or an older proposal that is still under way could be taken after it.
  @Test func aProposalThatChangesNothingUsesUpThePartitionEpoch() throws {
    var cluster = try cluster()
    let before = cluster.partition
    let decision = cluster.propose([1, 2, 3])
    #expect(decision.records.count == 1)
    cluster.apply(decision.records)
    #expect(cluster.partition.partitionEpoch == before.partitionEpoch + 1)
    #expect(cluster.partition.leaderEpoch == before.leaderEpoch && cluster.partition.inSync == before.inSync)
    #expect(try decision.answer.get() == cluster.partition)
    #expect(
      refusal(of: cluster.propose([1, 2], partitionEpoch: before.partitionEpoch).answer) == .invalidUpdateVersion)
  }

  @Test func whoSpeaksOfAnotherTimeIsRefused() throws {
    var cluster = try cluster()
    cluster.fence(1)
    #expect(cluster.leader == 2)
    #expect(refusal(of: cluster.propose([2], leaderEpoch: 0).answer) == .fencedLeaderEpoch)
    #expect(refusal(of: cluster.propose([2], leaderEpoch: 2).answer) == .notController)
    #expect(refusal(of: cluster.propose([2], partitionEpoch: 0).answer) == .invalidUpdateVersion)
    #expect(refusal(of: cluster.propose([2], partitionEpoch: 9).answer) == .notController)
    let stale = cluster.image.alterInSync(
      InSyncProposal(
        topic: SmallCluster.topicID, partition: PartitionIndex(0), leaderEpoch: LeaderEpoch(1), partitionEpoch: 1,
        members: [.init(NodeID(2), epoch: nil)]), by: NodeID(2), epoch: 99)
    #expect(refusal(of: stale.answer) == .staleBrokerEpoch)
    let other = cluster.image.alterInSync(
      InSyncProposal(
        topic: SmallCluster.topicID, partition: PartitionIndex(0), leaderEpoch: LeaderEpoch(1), partitionEpoch: 1,
        members: [.init(NodeID(3), epoch: nil)]), by: NodeID(3), epoch: cluster.image.brokers[NodeID(3)]?.epoch ?? 0)
    #expect(refusal(of: other.answer) == .invalidRequest, "3 does not lead")
  }

  @Test func whoCannotBeInSyncIsNamed() throws {
    var cluster = try cluster()
    cluster.fence(3)
    #expect(refusal(of: cluster.propose([1, 2, 3]).answer) == .ineligibleReplica)
    cluster.beat(3, .serve)
    #expect(refusal(of: cluster.propose([1, 2, 3], epochs: [3: 1]).answer) == .ineligibleReplica, "KIP-903")
    cluster.beat(3, .stop)
    #expect(refusal(of: cluster.propose([1, 2, 3]).answer) == .ineligibleReplica, "it is about to stop")
    for wrong: [Int32] in [[], [2], [1, 1], [1, 7]] {
      #expect(refusal(of: cluster.propose(wrong).answer) == .invalidRequest, "\(wrong)")
    }
  }
}
