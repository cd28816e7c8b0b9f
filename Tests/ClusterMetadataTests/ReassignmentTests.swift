@testable import ClusterMetadata
import Testing
import Vocabulary

@Suite struct ReassignmentTests {
  func cluster(_ configs: [String: String] = [:]) throws -> SmallCluster {
    var cluster = SmallCluster(["eu", "eu", "us", "us", "ap"])
    try cluster.topic(on: [1, 3], configs)
    return cluster
  }

  func reassign(_ cluster: SmallCluster, to target: [Int32]?) -> Decision<Result<Void, Refusal>> {
    cluster.image.reassign(topic: "t", partition: PartitionIndex(0), to: target?.map { NodeID($0) })
  }

  @Test func oldReplicasGoWhenTheNewOnesAreInSync() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [2, 4]).records)
    #expect(cluster.partition.replicas.map(\.value) == [2, 4, 1, 3])
    #expect(cluster.partition.directories.count == 4)
    #expect(
      cluster.image.reassignments() == [
        OngoingReassignment(
          topic: cluster.image.topicsByName[0].name, partition: PartitionIndex(0),
          replicas: [2, 4, 1, 3].map { NodeID($0) }, adding: [NodeID(2), NodeID(4)],
          removing: [NodeID(1), NodeID(3)])
      ])
    #expect(cluster.leader == 1 && cluster.inSync == [1, 3])
    try cluster.agree([1, 3, 2])
    #expect(cluster.partition.isBeingReassigned)
    let last = cluster.propose([1, 3, 2, 4])
    #expect(refusal(of: last.answer) == .newLeaderElected, "the leader is told that it leads no more")
    cluster.apply(last.records)
    #expect(cluster.partition.replicas.map(\.value) == [2, 4] && cluster.inSync == [2, 4] && cluster.leader == 2)
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(1) && cluster.partition.directories.count == 2)
    #expect(cluster.image.reassignments().isEmpty)
  }

  @Test func addingAReplicaDisturbsNobody() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [1, 3, 5]).records)
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(0))
    #expect(
      cluster.image.reassignments(of: [("t", PartitionIndex(0)), ("t", PartitionIndex(4)), ("?", PartitionIndex(0))])
        .count == 1)
    try cluster.agree([1, 3, 5])
    #expect(!cluster.partition.isBeingReassigned && cluster.partition.leaderEpoch == LeaderEpoch(0))
  }

  @Test func takingAReplicaAwayIsDoneAtOnceWithAHigherEpoch() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [1]).records)
    #expect(cluster.partition.replicas == [NodeID(1)] && cluster.inSync == [1] && cluster.leader == 1)
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(1), "3 must not go on fetching as before")
    #expect(!cluster.partition.isBeingReassigned)
  }

  @Test func aNewOrderIsNoMove() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [3, 1]).records)
    #expect(cluster.partition.replicas.map(\.value) == [3, 1] && cluster.leader == 1)
    #expect(!cluster.partition.isBeingReassigned && reassign(cluster, to: [3, 1]).records.isEmpty)
  }

  @Test func whatIsCancelledIsAsItWas() throws {
    var cluster = try cluster()
    #expect(refusal(of: reassign(cluster, to: nil).answer) == .noReassignmentInProgress)
    let before = cluster.partition
    cluster.apply(reassign(cluster, to: [2, 4]).records)
    try cluster.agree([1, 3, 2])
    cluster.apply(reassign(cluster, to: nil).records)
    #expect(Set(cluster.partition.replicas) == Set(before.replicas))
    #expect(cluster.inSync == [1, 3] && cluster.leader == 1 && !cluster.partition.isBeingReassigned)
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(1))
  }

  @Test func aCancellationThatWouldLoseRecordsIsRefused() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [2, 4]).records)
    try cluster.agree([1, 3, 2])
    cluster.fence(1, 3)
    #expect(cluster.leader == 2 && cluster.inSync == [2])
    #expect(refusal(of: reassign(cluster, to: nil).answer) == .invalidReplicaAssignment)
    #expect(refusal(of: reassign(cluster, to: [5]).answer) == .invalidReplicaAssignment)
  }

  @Test func anotherGoalReplacesTheFirst() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [2, 3]).records)
    cluster.apply(reassign(cluster, to: [4, 3]).records)
    #expect(cluster.partition.adding == [NodeID(4)] && cluster.partition.removing == [NodeID(1)])
    #expect(Set(cluster.partition.replicas) == Set([4, 3, 1].map { NodeID($0) }))
  }

  @Test func aReplicaIsNeverMovedOutOfItsRegions() throws {
    let cluster = try cluster(["placement.allowed.regions": "eu,us", "min.insync.regions": "2"])
    #expect(refusal(of: reassign(cluster, to: [1, 5]).answer) == .invalidReplicaAssignment)
    #expect(refusal(of: reassign(cluster, to: [1, 2]).answer) == .invalidConfig, "two Regions must stay in reach")
    #expect(reassign(cluster, to: [2, 4]).records.count == 1)
  }

  @Test func whatCannotBeAGoalIsRefused() throws {
    let cluster = try cluster()
    for target: [Int32] in [[], [1, 1], [1, 9]] {
      #expect(refusal(of: reassign(cluster, to: target).answer) == .invalidReplicaAssignment, "\(target)")
    }
    let unknown = cluster.image.reassign(topic: "u", partition: PartitionIndex(0), to: [NodeID(1)])
    #expect(refusal(of: unknown.answer) == .unknownTopicOrPartition)
    let hole = cluster.image.reassign(topic: "t", partition: PartitionIndex(1), to: [NodeID(1)])
    #expect(refusal(of: hole.answer) == .unknownTopicOrPartition)
  }

  @Test func observersAreMovedWithoutWaiting() throws {
    var cluster = SmallCluster(["eu", "us", "ap", "ap"])
    try cluster.topic(on: [1, 2, 3], ["placement.observers.per.region": "ap:1"])
    cluster.apply(reassign(cluster, to: [1, 2, 4]).records)
    #expect(cluster.partition.observers == [NodeID(4)] && !cluster.partition.isBeingReassigned)
    #expect(cluster.inSync == [1, 2])
    #expect(refusal(of: reassign(cluster, to: [4]).answer) == .invalidReplicaAssignment)
  }

  @Test func observersComeAndGoWithTheNextReassignment() throws {
    var cluster = SmallCluster(["eu", "us", "ap"])
    try cluster.topic(on: [1, 2])
    func set(_ change: ConfigChange) -> [MetadataRecord] {
      cluster.image.alter(
        .topic("t"), [("placement.observers.per.region", change)], inherited: ConfigResolution(fixed: [:])
      ).records
    }
    cluster.apply(set(.set("ap:1")))
    cluster.apply(reassign(cluster, to: [1, 2, 3]).records)
    #expect(cluster.partition.observers == [NodeID(3)] && !cluster.partition.isBeingReassigned)
    cluster.apply(set(.delete))
    #expect(cluster.partition.observers == [NodeID(3)])
    cluster.apply(reassign(cluster, to: [1, 2, 3]).records)
    #expect(cluster.partition.observers.isEmpty && cluster.inSync == [1, 2])
    try cluster.agree([1, 2, 3])
  }

  @Test func aReassignmentGoesOnWhenItsLeaderFails() throws {
    var cluster = try cluster()
    cluster.apply(reassign(cluster, to: [2, 4]).records)
    cluster.fence(1)
    #expect(cluster.leader == 3)
    try cluster.agree([3, 2])
    cluster.apply(cluster.propose([3, 2, 4]).records)
    #expect(cluster.partition.replicas.map(\.value) == [2, 4] && cluster.leader == 2)
  }
}
