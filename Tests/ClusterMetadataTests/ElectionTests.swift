import ClusterMetadata
import Testing
import Vocabulary

@Suite struct ElectionTests {
  @Test func whenTheLeaderIsFencedAnotherInSyncLeadsWithTheNextEpoch() throws {
    var cluster = SmallCluster(["eu", "us", "ap"])
    try cluster.topic(on: [1, 2, 3])
    cluster.fence(1)
    #expect(cluster.leader == 2 && cluster.inSync == [2, 3])
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(1) && cluster.partition.partitionEpoch == 1)
    cluster.fence(3)
    #expect(cluster.leader == 2 && cluster.inSync == [2])
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(1), "the leader is the same")
  }

  @Test func theLastInSyncStaysAndLeadsAgainWhenItComesBack() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.fence(2, 1)
    #expect(cluster.leader == -1 && cluster.inSync == [1] && cluster.eligible.isEmpty)
    cluster.beat(2, .serve)
    #expect(cluster.leader == -1, "it may lack what was acknowledged")
    cluster.beat(1, .serve)
    #expect(cluster.leader == 1 && cluster.inSync == [1])
    #expect(cluster.partition.leaderEpoch == LeaderEpoch(2))
  }

  @Test func whoLeftWhileNothingCouldBeCommittedMayLead() throws {
    var cluster = SmallCluster(["eu", "us", "ap"])
    try cluster.topic(on: [1, 2, 3], ["min.insync.replicas": "2"])
    cluster.fence(3)
    #expect(cluster.eligible.isEmpty, "two can still commit without it")
    cluster.fence(2)
    #expect(cluster.inSync == [1] && cluster.eligible == [2])
    cluster.fence(1)
    #expect(cluster.leader == -1)
    cluster.beat(3, .serve)
    #expect(cluster.leader == -1)
    cluster.beat(2, .serve)
    #expect(cluster.leader == 2 && cluster.inSync == [2] && cluster.eligible == [1])
    #expect(cluster.partition.recovery == .recovered)
    try cluster.agree([2, 3])
    #expect(cluster.eligible.isEmpty, "from here on records are committed that 1 does not have")
  }

  @Test func withRegionsToWaitForOneWhoLeftIsEligibleUntilTwoRegionsAreInSync() throws {
    var cluster = SmallCluster(["eu", "eu", "us"])
    try cluster.topic(on: [1, 2, 3], ["min.insync.regions": "2"])
    cluster.fence(3)
    #expect(cluster.inSync == [1, 2] && cluster.eligible == [3])
    cluster.beat(3, .serve)
    try cluster.agree([1, 2, 3])
    #expect(cluster.eligible.isEmpty)
  }

  @Test func whoCrashedIsNotEligibleForWhatItHad() throws {
    var cluster = SmallCluster(["eu", "us", "ap"])
    try cluster.topic(on: [1, 2, 3], ["min.insync.replicas": "3"])
    cluster.fence(1, 2)
    #expect(cluster.inSync == [3] && cluster.eligible == [1, 2])
    cluster.start(2, rack: "us", after: .crash, incarnation: 2)
    #expect(cluster.eligible == [1])
    cluster.fence(3)
    #expect(cluster.leader == -1, "2 is alive but may have lost its end")
    cluster.start(3, rack: "ap", after: .crash, incarnation: 2)
    #expect(cluster.leader == -1 && cluster.inSync == [1], "1 alone is known to have everything")
    cluster.beat(1, .serve)
    #expect(cluster.leader == 1)
  }

  @Test func anUncleanElectionIsHeldOnlyWhenAskedFor() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.fence(2, 1)
    cluster.beat(2, .serve)
    let preferred = cluster.image.elect(.preferred, topic: "t", partition: PartitionIndex(0))
    #expect(refusal(of: preferred.answer) == .preferredLeaderNotAvailable && preferred.records.isEmpty)
    cluster.apply(cluster.image.elect(.unclean, topic: "t", partition: PartitionIndex(0)).records)
    #expect(cluster.leader == 2 && cluster.inSync == [2] && cluster.partition.recovery == .recovering)
    let again = cluster.image.elect(.unclean, topic: "t", partition: PartitionIndex(0))
    #expect(refusal(of: again.answer) == .electionNotNeeded)
    cluster.beat(1, .serve)
    #expect(refusal(of: cluster.propose([2, 1], recovery: .recovering).answer) == .invalidRequest)
    try cluster.agree([2])
    #expect(cluster.partition.recovery == .recovered)
    #expect(refusal(of: cluster.propose([2], recovery: .recovering).answer) == .invalidRequest)
  }

  @Test func aTopicThatAllowsItElectsUncleanlyByItself() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2], ["unclean.leader.election.enable": "true"])
    cluster.fence(2, 1)
    cluster.beat(2, .serve)
    #expect(cluster.leader == 2 && cluster.partition.recovery == .recovering)
  }

  @Test func allowingItLaterElectsAtTheNextLook() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.fence(2, 1)
    cluster.beat(2, .serve)
    #expect(cluster.image.electMissingLeaders().isEmpty)
    cluster.apply([.configChanged(.allBrokers, key: "unclean.leader.election.enable", value: "true")])
    cluster.apply(cluster.image.electMissingLeaders())
    #expect(cluster.leader == 2)
  }

  @Test func leadersGoBackToTheFirstChoice() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.fence(1)
    cluster.beat(1, .serve)
    #expect(cluster.image.balanceLeaders(atMost: 10).isEmpty, "1 is not in sync")
    try cluster.agree([2, 1])
    #expect(cluster.leader == 2, "it stays until it is asked")
    #expect(cluster.image.balanceLeaders(atMost: 0).isEmpty)
    cluster.apply(cluster.image.balanceLeaders(atMost: 1))
    #expect(cluster.leader == 1)
    let again = cluster.image.elect(.preferred, topic: "t", partition: PartitionIndex(0))
    #expect(refusal(of: again.answer) == .electionNotNeeded)
  }

  @Test func theRegionThatShallLeadComesBeforeTheOrderOfReplicas() throws {
    var cluster = SmallCluster(["eu", "us", "us", "ap"])
    try cluster.topic(on: [4, 1, 2, 3], ["placement.leader.regions": "us,eu"])
    cluster.apply(cluster.image.elect(.preferred, topic: "t", partition: PartitionIndex(0)).records)
    #expect(cluster.leader == 2)
    cluster.fence(2)
    #expect(cluster.leader == 3)
    cluster.fence(3)
    #expect(cluster.leader == 1)
    cluster.fence(1)
    #expect(cluster.leader == 4)
  }

  @Test func aLostDirectoryTakesOnlyWhatLayThere() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    let broker = try #require(cluster.image.brokers[NodeID(1)])
    #expect(cluster.partition.directories[0] == .unassignedDirectory, "the broker chooses, and says so")
    cluster.assignFirstDirectory(on: 1)
    let unused = broker.logDirectories[1]
    cluster.apply(cluster.image.failDirectories([unused], of: broker.id, epoch: broker.epoch).records)
    #expect(cluster.leader == 1 && cluster.inSync == [1, 2])
    cluster.start(1, rack: "eu", incarnation: 2)
    try cluster.agree([2, 1])
    let now = try #require(cluster.image.brokers[NodeID(1)])
    cluster.apply(cluster.image.failDirectories([now.logDirectories[0]], of: now.id, epoch: now.epoch).records)
    #expect(cluster.leader == 2 && cluster.inSync == [2])
    #expect(cluster.image.brokers[NodeID(1)]?.isFenced == false)
    #expect(refusal(of: cluster.propose([2, 1]).answer) == .ineligibleReplica)
    cluster.apply(cluster.image.failDirectories(now.logDirectories, of: now.id, epoch: now.epoch).records)
    #expect(cluster.image.brokers[NodeID(1)]?.isFenced == true, "it has no directory left")
    #expect(refusal(of: cluster.image.failDirectories([], of: now.id, epoch: 0).answer) == .staleBrokerEpoch)
  }

  @Test func aReplicaThatMovedToAnotherDirectoryMayLeadAgain() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    func assign(_ directory: UniqueID, on id: Int32) -> Decision<Result<Void, Refusal>> {
      cluster.image.assign(
        directory, toReplicaOf: PartitionIndex(0), topic: SmallCluster.topicID, on: NodeID(id),
        epoch: cluster.image.brokers[NodeID(id)]?.epoch ?? -1)
    }
    let new = UniqueID(high: 55, low: 1)
    cluster.apply(assign(new, on: 1).records)
    #expect(cluster.leader == 2 && cluster.inSync == [2], "that directory is not online")
    let own = try #require(cluster.image.brokers[NodeID(1)]?.logDirectories[1])
    cluster.apply(assign(own, on: 1).records)
    try cluster.agree([2, 1])
    #expect(cluster.partition.directories[0] == own)
    #expect(assign(own, on: 1).records.isEmpty)
    cluster.start(3, rack: "ap")
    #expect(refusal(of: assign(own, on: 3).answer) == .notLeaderOrFollower)
  }

  @Test func aBrokerThatRegistersAgainWithFewerDirectoriesLeavesWhatLayInThem() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2])
    cluster.assignFirstDirectory(on: 1)
    var registration = SmallCluster.registration(1, rack: "eu")
    registration.logDirectories.removeFirst()
    cluster.apply(cluster.image.admit(registration, after: .clean, session: .alive).records)
    #expect(cluster.leader == 2 && cluster.inSync == [2] && cluster.image.brokers[NodeID(1)]?.isFenced == false)
  }

  @Test func withAnotherMinimumNobodyOutsideOfTheInSyncSetIsTrusted() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2], ["min.insync.replicas": "2"])
    cluster.fence(2)
    #expect(cluster.eligible == [2])
    let decision = cluster.image.alter(
      .topic("t"), [("min.insync.replicas", .set("1"))], inherited: ConfigResolution(fixed: [:]))
    cluster.apply(decision.records)
    #expect(cluster.eligible.isEmpty)
  }

  /// Nobody can have committed anything without them.
  @Test func withAnotherMinimumTheEligibleStaySoWhileNobodyLeads() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2], ["min.insync.replicas": "2"])
    cluster.fence(2, 1)
    #expect(cluster.leader == -1 && cluster.inSync == [1] && cluster.eligible == [2])
    cluster.apply(
      cluster.image.alter(
        .topic("t"), [("min.insync.replicas", .set("1"))], inherited: ConfigResolution(fixed: [:])
      ).records)
    #expect(cluster.eligible == [2])
    cluster.beat(2, .serve)
    #expect(cluster.leader == 2 && cluster.eligible.isEmpty)
  }

  /// A leader that still goes by the old minimum would commit alone what the other, who leaves under the new one, lacks.
  @Test func aLeaderMustReadOfAnotherMinimumBeforeItGetsAnotherInSyncSet() throws {
    var cluster = SmallCluster(["eu", "us"])
    try cluster.topic(on: [1, 2], ["min.insync.replicas": "1"])
    let known = cluster.partition.partitionEpoch
    for (resource, value) in [(ConfigResource.topic("t"), "2"), (.topic("t"), "2"), (.allBrokers, "1")] {
      cluster.apply(
        cluster.image.alter(
          resource, [("min.insync.replicas", .set(value))], inherited: ConfigResolution(fixed: [:])
        ).records)
    }
    #expect(cluster.partition.partitionEpoch == known + 1, "once, and only where the minimum is another one")
    #expect(refusal(of: cluster.propose([1], partitionEpoch: known).answer) == .invalidUpdateVersion)
    try cluster.agree([1])
    #expect(cluster.eligible == [2])
  }
}
