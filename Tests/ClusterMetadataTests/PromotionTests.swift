import ClusterMetadata
import Testing
import Vocabulary

/// Observers that stand in while too few others are in sync. 1 and 2 vote, 3 observes.
@Suite struct PromotionTests {
  func cluster(_ more: [String: String] = [:]) throws -> SmallCluster {
    var cluster = SmallCluster(["eu", "us", "ap"])
    let configs = ["placement.observers.per.region": "ap:1", "min.insync.replicas": "2"]
    try cluster.topic(on: [1, 2, 3], configs.merging(more) { $1 })
    #expect(cluster.partition.observers == [NodeID(3)] && cluster.inSync == [1, 2])
    return cluster
  }

  @Test func anObserverStandsInOnlyWhileTheOthersAreTooFew() throws {
    var cluster = try cluster()
    #expect(refusal(of: cluster.propose([1, 2, 3]).answer) == .ineligibleReplica)
    cluster.fence(2)
    #expect(cluster.inSync == [1] && cluster.eligible == [2])
    try cluster.agree([1, 3])
    #expect(cluster.inSync == [1, 3] && cluster.leader == 1)
    #expect(cluster.eligible == [], "what is committed from here on, broker 2 does not have")
    #expect(cluster.partition.observers == [NodeID(3)], "it is promoted, and still an observer")
  }

  @Test func thePromotedMayStayUntilTheLeaderLetsItGo() throws {
    var cluster = try cluster()
    cluster.fence(2)
    try cluster.agree([1, 3])
    cluster.beat(2, .serve)
    try cluster.agree([1, 2, 3])
    try cluster.agree([1, 2])
    #expect(cluster.inSync == [1, 2])
    #expect(refusal(of: cluster.propose([1, 2, 3]).answer) == .ineligibleReplica)
  }

  @Test func regionsThatAreMissingAreAReasonToo() throws {
    var cluster = SmallCluster(["eu", "eu", "us", "ap"])
    try cluster.topic(
      on: [1, 2, 3, 4],
      ["placement.observers.per.region": "ap:1", "min.insync.replicas": "2", "min.insync.regions": "2"])
    cluster.fence(3)
    #expect(cluster.inSync == [1, 2])
    try cluster.agree([1, 2, 4])
    #expect(cluster.inSync == [1, 2, 4] && cluster.eligible == [])
  }

  @Test func aPromotedObserverLeadsOnlyWhereNobodyElseCan() throws {
    var cluster = try cluster()
    cluster.fence(2)
    try cluster.agree([1, 3])
    cluster.fence(1)
    #expect(cluster.leader == 3 && cluster.inSync == [3] && cluster.eligible == [1])
    cluster.beat(1, .serve)
    #expect(cluster.leader == 3, "it leads until another is in sync")
    let decision = cluster.propose([3, 1])
    #expect(refusal(of: decision.answer) == .newLeaderElected)
    let epoch = cluster.partition.leaderEpoch
    cluster.apply(decision.records)
    #expect(cluster.leader == 1 && cluster.inSync == [1, 3])
    #expect(cluster.partition.leaderEpoch.value == epoch.value + 1)
  }

  @Test func theEligibleLeadBeforeAnObserverDoes() throws {
    var cluster = try cluster()
    cluster.fence(2)
    try cluster.agree([1, 3])
    cluster.fence(1, 3)
    #expect(cluster.leader == -1 && cluster.inSync == [3] && cluster.eligible == [1])
    cluster.beat(1, .serve)
    #expect(cluster.leader == 1 && cluster.inSync == [1])
    #expect(cluster.eligible == [3], "it has what was committed as well")
    cluster.start(1, rack: "eu", after: .crash, incarnation: 2)
    #expect(cluster.inSync == [3], "of the two it is the one that is known to have everything")
    cluster.beat(3, .serve)
    #expect(cluster.leader == 3)
  }

  @Test func whoWasNeverPromotedNeverLeads() throws {
    var cluster = try cluster()
    cluster.fence(1, 2)
    #expect(cluster.leader == -1 && cluster.inSync == [2] && cluster.eligible == [1])
    let decision = cluster.image.elect(.unclean, topic: "t", partition: PartitionIndex(0))
    #expect(refusal(of: decision.answer) == .eligibleLeadersNotAvailable)
  }
}
