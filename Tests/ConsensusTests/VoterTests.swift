import Consensus
import Testing
import Vocabulary

@Suite struct VoterTests {
  /// Node 1 leads voters 1, 2 and 3 in epoch 1, and everything up to 2 is committed.
  private func leader() -> Transcript {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.forget()
    return leader
  }

  @Test func aNewVoterCountsAtOnceAndIsConfirmedOnceItsRecordIsCommitted() {
    var leader = leader()
    leader.fetch(by: 4, 2, 1)
    leader.ask(.addVoter(Voter(key(4))))
    leader.say(.persisted(upTo: Offset(3), epoch: LeaderEpoch(1)))
    // Two of three would do; of four it takes three.
    leader.fetch(by: 2, 3, 1)
    leader.fetch(by: 4, 3, 1)
    leader.expect("@")
  }

  @Test func whoLagsDoesNotBecomeAVoter() {
    var leader = leader()
    leader.ask(.addVoter(Voter(key(4))))
    leader.fetch(by: 4, 0, 0)
    leader.ask(.addVoter(Voter(key(4))))
    leader.expect("@")
  }

  @Test func thereIsOneReplicaOfANodeAmongTheVoters() {
    var leader = leader()
    leader.fetch(by: 2, 2, 1)
    leader.forget()
    leader.ask(.addVoter(Voter(key(2, 2))))
    leader.ask(.addVoter(Voter(ReplicaKey(NodeID(5)))))
    leader.expect("@")
  }

  @Test func whoDoesNotVoteCannotBeRemoved() {
    var leader = leader()
    leader.ask(.removeVoter(key(4)))
    leader.ask(.removeVoter(key(2, 2)))
    leader.expect("@")
  }

  @Test func votersChangeOneAtATime() {
    var leader = leader()
    leader.ask(.removeVoter(key(3)))
    leader.ask(.removeVoter(key(2)))
    leader.expect("@")
  }

  @Test func votersDoNotChangeBeforeTheEpochHasACommittedRecord() {
    var leader = Transcript(1)
    leader.win()
    leader.ask(.removeVoter(key(3)))
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: Voter(key(2)))))
    leader.expect("@")
  }

  @Test func onlyALeaderChangesVoters() {
    var follower = Transcript(1)
    follower.follow(2, in: 3)
    follower.ask(.addVoter(Voter(key(4))))
    follower.ask(.removeVoter(key(3)))
    follower.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(3), voter: Voter(key(3)))))
    follower.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(2), voter: Voter(key(3)))))
    follower.expect("@")
  }

  @Test func aChangeThatIsNotCommittedInTimeIsAnswered() {
    var leader = leader()
    leader.ask(.removeVoter(key(3)))
    leader.forget()
    leader.say(.tick, after: 2000)
    #expect(leader.lines.contains("answer 2: remove voter REQUEST_TIMED_OUT epoch 1 leader 1"))
  }

  @Test func aLeaderThatIsRemovedLeadsUntilThatIsCommitted() {
    var leader = leader()
    leader.ask(.removeVoter(key(1)))
    leader.say(.persisted(upTo: Offset(3), epoch: LeaderEpoch(1)))
    leader.fetch(by: 2, 3, 1)
    // Its own log does not count any more: both others are needed.
    leader.fetch(by: 3, 3, 1)
    leader.expect("@")
    #expect(leader.quorum.roleName == "resigned")
  }

  @Test func theLastVoterStays() {
    var leader = Transcript(1, voters: [1])
    leader.say(.tick)
    leader.say(.persisted(upTo: Offset(2), epoch: LeaderEpoch(1)))
    leader.forget()
    leader.ask(.removeVoter(key(1)))
    leader.expect("@")
  }

  @Test func aSetOfVotersIsInForceUntilItsRecordIsCutOff() {
    var replica = Transcript(4, log: log([(1, 0)], end: 5))
    replica.say(.tick)
    replica.tell(.fetch(head(3, leader: 2, .fencedLeaderEpoch), highWatermark: .zero, .nothing), to: 1)
    #expect(!replica.quorum.isVoter)
    replica.tell(
      .fetch(head(3, leader: 2), highWatermark: Offset(5), .batches([voters(5, 3, [1, 2, 3, 4])])), to: 2)
    #expect(replica.quorum.isVoter)
    replica.say(.persisted(upTo: Offset(6), epoch: LeaderEpoch(3)))
    replica.follow(1, in: 4)
    replica.tell(
      .fetch(head(4, leader: 1), highWatermark: Offset(5), .diverging(EpochEnd(epoch: LeaderEpoch(1), end: Offset(5)))),
      to: 4)
    #expect(!replica.quorum.isVoter)
    #expect(replica.quorum.log.voters == set([1, 2, 3]))
  }

  @Test func aVoterWithNewEndpointsTellsTheLeader() {
    let election = ElectionRecord(epoch: LeaderEpoch(3), leader: NodeID(2))
    var stale = LogIndex(
      epochs: [EpochStart(epoch: LeaderEpoch(1), start: .zero)], end: Offset(5),
      voters: VoterSet([Voter(ReplicaKey(NodeID(1))), Voter(key(2)), Voter(key(3))]))
    var replica = Transcript(1, election: election, log: stale)
    replica.say(.tick)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: 1, after: 1999)
    replica.forget()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: 2, after: 1)
    replica.expect("@")
    stale = replica.quorum.log
    #expect(stale.voters.contains(key(1)))
  }

  @Test func whatAVoterTellsOfItselfIsWrittenDown() {
    var leader = leader()
    let moved = Voter(key(2), endpoints: [Endpoint(listener: "CONTROLLER", host: "b", port: 9093)])
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: moved)))
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: Voter(key(7)))))
    leader.expect("@")
    #expect(leader.quorum.log.voters.voters[1] == moved)
  }
}
