import Replication
import Testing
import Vocabulary

@Suite struct InSyncTests {
  static let withObserver = [
    Member(NodeID(0), in: Region("a")), Member(NodeID(1), in: Region("b")),
    Member(NodeID(2), in: Region("c"), .observer),
  ]

  @Test func whoWasNotAtTheEndForTooLongLeavesWhenTheControllerSaysSo() throws {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    stage.now += Stage.lagMax
    #expect(stage.feed(.tick).proposals == [], "as long as is allowed")
    stage.fetch(1, at: 5)
    stage.now += 1
    let proposal = try #require(stage.feed(.tick).proposals.first)
    #expect(proposal.inSync == [NodeID(0), NodeID(1)])
    #expect(stage.mark == 0, "a proposal is not yet a fact")
    #expect(stage.confirm(proposal).writes == [.acknowledged])
    #expect(stage.mark == 5)
  }

  @Test func whoAlwaysAsksForALittleLessThanThereIsStaysInSync() {
    var stage = Stage(Minimum(replicas: 2, regions: 1), members: Array(Stage.threeRegions.prefix(2)))
    stage.elect(0, epoch: 1)
    stage.write(upTo: 1)
    for end in 1...40 {
      stage.fetch(1, at: Int64(end))
      stage.now += 100
      #expect(stage.write(upTo: Int64(end) + 1).proposals == [])
      #expect(stage.feed(.tick).proposals == [])
    }
  }

  @Test func whoHasReachedTheHighWatermarkJoinsAndCountsFromTheProposalOn() throws {
    var stage = Stage(Minimum(replicas: 2, regions: 1), inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    #expect(stage.mark == 5)
    #expect(stage.fetch(2, at: 4).proposals == [])
    let proposal = try #require(stage.fetch(2, at: 5).proposals.first)
    #expect(proposal.inSync == [NodeID(0), NodeID(1), NodeID(2)])
    #expect(proposal.joining == [NodeID(2): BrokerEpoch(1)])
    stage.write(upTo: 6)
    #expect(stage.fetch(1, at: 6).writes == [], "the controller may have said yes by now")
    #expect(stage.fetch(2, at: 6).writes == [.acknowledged])
    #expect(stage.committed == [NodeID(0), NodeID(1)])
    _ = stage.confirm(proposal)
    #expect(stage.committed == [NodeID(0), NodeID(1), NodeID(2)])
  }

  @Test func whoHasJustJoinedHasTimeToReachTheEnd() throws {
    var stage = Stage(inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    let proposal = try #require(stage.fetch(2, at: 0).proposals.first)
    #expect(stage.confirm(proposal).proposals == [])
    stage.fetch(1, at: 5)
    stage.now += Stage.lagMax
    stage.fetch(1, at: 5)
    #expect(stage.feed(.tick).proposals == [])
    stage.now += 1
    #expect(stage.feed(.tick).proposals.map(\.inSync) == [[NodeID(0), NodeID(1)]])
  }

  @Test func whoIsNotAtTheStartOfTheEpochDoesNotJoin() {
    var stage = Stage(log: Stage.log(upTo: 5, highWatermark: 2, [(0, 0)]), inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    #expect(stage.fetch(2, at: 3, last: 0).proposals == [])
    #expect(stage.fetch(2, at: 5, last: 0).proposals.count == 1)
  }

  @Test(arguments: [BrokerStatus.Availability.fenced, .stopping])
  func whoIsFencedOrStoppingDoesNotJoin(availability: BrokerStatus.Availability) {
    var stage = Stage(inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    stage.feed(.brokersChanged([BrokerStatus(NodeID(2), epoch: BrokerEpoch(1), availability)]))
    #expect(stage.fetch(2, at: 0).proposals == [])
  }

  @Test func anotherLifeThanTheOneThatIsKnownCountsForNothing() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    stage.fetch(2, at: 5, life: 2)
    #expect(stage.mark == 0, "the controller may have put it out of the in-sync set")
    #expect(stage.fetch(2, at: 5, life: 1).answers == [.refused(.notLeaderOrFollower)])
    stage.feed(.brokersChanged([BrokerStatus(NodeID(2), epoch: BrokerEpoch(2), .active)]))
    #expect(stage.mark == 5)
  }

  @Test func aRefusedNewcomerCountsUntilItsProposalIsVoid() throws {
    var stage = Stage(inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    let proposal = try #require(stage.fetch(2, at: 0).proposals.first)
    let effects = stage.feed(.proposalAnswered(proposal.id, .refused(.ineligibleReplica)))
    let withdrawal = try #require(effects.proposals.first)
    #expect(withdrawal.inSync == [NodeID(0), NodeID(1)])
    stage.feed(.brokersChanged([BrokerStatus(NodeID(2), epoch: BrokerEpoch(1), .fenced)]))
    stage.write(upTo: 1)
    stage.now += Stage.lagMax + 1
    #expect(stage.fetch(1, at: 1).writes == [], "a copy of the proposal may still be under way")
    #expect(stage.confirm(withdrawal).writes == [.acknowledged])
  }

  @Test func aProposalThatIsNotAnsweredIsMadeAgain() throws {
    var stage = Stage(inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    let proposal = try #require(stage.fetch(2, at: 0).proposals.first)
    #expect(stage.feed(.tick).proposals == [])
    stage.now += 1000
    #expect(stage.feed(.tick).proposals == [proposal])
  }

  @Test func aLeaderThatTheControllerCallsFencedStandsDown() throws {
    var stage = Stage(inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 1)
    let proposal = try #require(stage.fetch(2, at: 0).proposals.first)
    stage.feed(.proposalAnswered(proposal.id, .refused(.fencedLeaderEpoch)))
    #expect(stage.committed == nil)
    stage.elect(0, epoch: 2)
    let second = try #require(stage.fetch(2, at: 0).proposals.first)
    stage.feed(.proposalAnswered(proposal.id, .refused(.fencedLeaderEpoch)))
    #expect(stage.committed != nil, "that was an answer to the term before")
    #expect(second.id != proposal.id)
  }

  @Test func whoIsAboutToJoinIsWaitedFor() {
    var stage = Stage(Minimum(replicas: 1, regions: 1), inSync: [NodeID(0)])
    stage.elect(0, epoch: 1)
    stage.write(upTo: 4)
    #expect(stage.mark == 4)
    stage.fetch(1, at: 4)
    stage.write(upTo: 6)
    #expect(stage.mark == 4)
  }

  // MARK: Observers

  @Test func anObserverIsNeitherCountedNorWaitedFor() {
    var stage = Stage(members: Self.withObserver)
    stage.elect(0, epoch: 1)
    #expect(stage.fetch(2, at: 0).proposals == [])
    stage.write(upTo: 5)
    stage.fetch(2, at: 5)
    #expect(stage.mark == 0)
    #expect(stage.fetch(1, at: 5).writes == [.acknowledged])
    stage.change(inSync: [NodeID(0)])
    #expect((try? stage.replica.admit(.allInSync).get()) == nil)
  }

  @Test func anObserverStandsInWhileTooFewAreInSyncAndGoesAfterwards() throws {
    var stage = Stage(members: Self.withObserver)
    stage.elect(0, epoch: 1)
    stage.fetch(2, at: 0)
    let promotion = try #require(stage.change(inSync: [NodeID(0)]).proposals.first)
    #expect(promotion.inSync == [NodeID(0), NodeID(2)])
    #expect(promotion.promoted == [NodeID(2)])
    _ = stage.confirm(promotion)
    #expect((try? stage.replica.admit(.allInSync).get()) == LeaderEpoch(1))
    let joining = try #require(stage.fetch(1, at: 0).proposals.first)
    #expect(joining.inSync == [NodeID(0), NodeID(1), NodeID(2)])
    let demotion = try #require(stage.confirm(joining).proposals.first)
    #expect(demotion.inSync == [NodeID(0), NodeID(1)])
    #expect(demotion.promoted == [])
  }

  @Test func anObserverInNoNewRegionDoesNotStandInForARegion() {
    let members = [
      Member(NodeID(0), in: Region("a")), Member(NodeID(1), in: Region("b")),
      Member(NodeID(2), in: Region("a"), .observer),
    ]
    var stage = Stage(Minimum(replicas: 2, regions: 2), members: members)
    stage.elect(0, epoch: 1)
    stage.fetch(2, at: 0)
    #expect(stage.change(inSync: [NodeID(0)]).proposals == [])
  }
}
