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
    leader.expect(
      """
      > request 2: fetch 2@1 epoch 1 by 4a
      answer 2: fetch nothing, committed 2, NONE epoch 1 leader 1
      > request 3: add voter 4a
      append [2-3@1 voters {1a 2a 3a 4a}]
      > persisted 3@1
      > request 4: fetch 3@1 epoch 1 by 2a
      answer 4: fetch nothing, committed 2, NONE epoch 1 leader 1
      > request 5: fetch 3@1 epoch 1 by 4a
      committed 3
      answer 3: add voter NONE epoch 1 leader 1
      answer 5: fetch nothing, committed 3, NONE epoch 1 leader 1
      """)
  }

  @Test func whoLagsDoesNotBecomeAVoter() {
    var leader = leader()
    leader.ask(.addVoter(Voter(key(4))))
    leader.fetch(by: 4, 0, 0)
    leader.ask(.addVoter(Voter(key(4))))
    leader.expect(
      """
      > request 2: add voter 4a
      answer 2: add voter REQUEST_TIMED_OUT epoch 1 leader 1
      > request 3: fetch 0@0 epoch 1 by 4a
      answer 3: fetch 0..<2, committed 2, NONE epoch 1 leader 1
      > request 4: add voter 4a
      answer 4: add voter REQUEST_TIMED_OUT epoch 1 leader 1
      """)
  }

  @Test func thereIsOneReplicaOfANodeAmongTheVoters() {
    var leader = leader()
    leader.fetch(by: 2, 2, 1)
    leader.forget()
    leader.ask(.addVoter(Voter(key(2, 2))))
    leader.ask(.addVoter(Voter(ReplicaKey(NodeID(5)))))
    leader.expect(
      """
      > request 3: add voter 2b
      answer 3: add voter DUPLICATE_VOTER epoch 1 leader 1
      > request 4: add voter 5
      answer 4: add voter INVALID_REQUEST epoch 1 leader 1
      """)
  }

  @Test func whoDoesNotVoteCannotBeRemoved() {
    var leader = leader()
    leader.ask(.removeVoter(key(4)))
    leader.ask(.removeVoter(key(2, 2)))
    leader.expect(
      """
      > request 2: remove voter 4a
      answer 2: remove voter VOTER_NOT_FOUND epoch 1 leader 1
      > request 3: remove voter 2b
      answer 3: remove voter VOTER_NOT_FOUND epoch 1 leader 1
      """)
  }

  @Test func votersChangeOneAtATime() {
    var leader = leader()
    leader.ask(.removeVoter(key(3)))
    leader.ask(.removeVoter(key(2)))
    leader.expect(
      """
      > request 2: remove voter 3a
      append [2-3@1 voters {1a 2a}]
      > request 3: remove voter 2a
      answer 3: remove voter REQUEST_TIMED_OUT epoch 1 leader 1
      """)
  }

  @Test func votersDoNotChangeBeforeTheEpochHasACommittedRecord() {
    var leader = Transcript(1)
    leader.win()
    leader.ask(.removeVoter(key(3)))
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: Voter(key(2)))))
    leader.expect(
      """
      > request 1: remove voter 3a
      answer 1: remove voter REQUEST_TIMED_OUT epoch 1 leader 1
      > request 2: update voter 2a epoch 1
      answer 2: update voter REQUEST_TIMED_OUT epoch 1 leader 1
      """)
  }

  @Test func onlyALeaderChangesVoters() {
    var follower = Transcript(1)
    follower.follow(2, in: 3)
    follower.ask(.addVoter(Voter(key(4))))
    follower.ask(.removeVoter(key(3)))
    follower.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(3), voter: Voter(key(3)))))
    follower.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(2), voter: Voter(key(3)))))
    follower.expect(
      """
      > request 2: add voter 4a
      answer 2: add voter NOT_LEADER_OR_FOLLOWER epoch 3 leader 2
      > request 3: remove voter 3a
      answer 3: remove voter NOT_LEADER_OR_FOLLOWER epoch 3 leader 2
      > request 4: update voter 3a epoch 3
      answer 4: update voter NOT_LEADER_OR_FOLLOWER epoch 3 leader 2
      > request 5: update voter 3a epoch 2
      answer 5: update voter FENCED_LEADER_EPOCH epoch 3 leader 2
      """)
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
    leader.expect(
      """
      > request 2: remove voter 1a
      append [2-3@1 voters {2a 3a}]
      > persisted 3@1
      > request 3: fetch 3@1 epoch 1 by 2a
      answer 3: fetch nothing, committed 2, NONE epoch 1 leader 1
      > request 4: fetch 3@1 epoch 1 by 3a
      committed 3
      answer 2: remove voter NONE epoch 1 leader 1
      no longer lead epoch 1
      answer 4: fetch nothing, committed 3, NOT_LEADER_OR_FOLLOWER epoch 1 leader none
      send #7 to 2: end 1 of 1, then [2a 3a]
      send #8 to 3: end 1 of 1, then [2a 3a]
      """)
    #expect(leader.quorum.roleName == "resigned")
  }

  @Test func theLastVoterStays() {
    var leader = Transcript(1, voters: [1])
    leader.say(.tick)
    leader.say(.persisted(upTo: Offset(2), epoch: LeaderEpoch(1)))
    leader.forget()
    leader.ask(.removeVoter(key(1)))
    leader.expect(
      """
      > request 1: remove voter 1a
      answer 1: remove voter INVALID_REQUEST epoch 1 leader 1
      """)
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
      to: 3)
    #expect(!replica.quorum.isVoter)
    #expect(replica.quorum.log.voters == set([1, 2, 3]))
  }

  @Test func aVoterWithNewEndpointsTellsTheLeader() {
    let election = ElectionRecord(epoch: LeaderEpoch(3), leader: NodeID(2))
    let configured = LogIndex(
      epochs: [EpochStart(epoch: LeaderEpoch(1), start: .zero)], end: Offset(5),
      voters: VoterSet([Voter(ReplicaKey(NodeID(1))), Voter(key(2)), Voter(key(3))]))
    var replica = Transcript(1, election: election, log: configured)
    replica.say(.tick)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: 1, after: 1999)
    replica.forget()
    // A Fetch is under way when the time has come: the update is sent in place of the next one.
    replica.say(.tick, after: 1)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: 2, after: 1)
    replica.expect(
      """
      > tick
      > answer to #2: fetch nothing, committed 0, NONE epoch 3 leader 2
      send #3 to 2: update voter 1a epoch 3
      """)
    #expect(replica.quorum.isVoter)
  }

  @Test func whatAVoterTellsOfItselfIsWrittenDown() {
    var leader = leader()
    let moved = Voter(key(2), endpoints: [Endpoint(listener: "CONTROLLER", host: "b", port: 9093)])
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: moved)))
    leader.ask(.updateVoter(UpdateVoter(epoch: LeaderEpoch(1), voter: Voter(key(7)))))
    leader.expect(
      """
      > request 2: update voter 2a epoch 1
      append [2-3@1 voters {1a 2a 3a}]
      answer 2: update voter NONE epoch 1 leader 1
      > request 3: update voter 7a epoch 1
      answer 3: update voter REQUEST_TIMED_OUT epoch 1 leader 1
      """)
    #expect(leader.quorum.log.voters.voters[1] == moved)
  }

  /// A leader is nobody's follower, who would have its record changed.
  @Test func whoLeadsElsewhereThanTheLogSaysWritesItDown() {
    let was = Voter(key(1), endpoints: [Endpoint(listener: "CONTROLLER", host: "a", port: 9093)])
    let entry = VotersEntry(offset: Offset(1), voters: VoterSet([was, Voter(key(2)), Voter(key(3))]))
    let log = LogIndex(
      epochs: [EpochStart(epoch: LeaderEpoch(1), start: .zero)], end: Offset(2), voters: VoterSet(),
      entries: [entry])
    var leader = Transcript(1, log: log)
    leader.win()
    #expect(leader.quorum.log.end == Offset(4))
    #expect(leader.quorum.log.voters == set([1, 2, 3]))
    #expect(leader.quorum.log.votersOffset == Offset(3))
    // Who is where the log says adds nothing.
    let right = LogIndex(
      epochs: [EpochStart(epoch: LeaderEpoch(1), start: .zero)], end: Offset(2), voters: VoterSet(),
      entries: [VotersEntry(offset: Offset(1), voters: set([1, 2, 3]))])
    var other = Transcript(1, log: right)
    other.win()
    #expect(other.quorum.log.end == Offset(3))
  }

  @Test func whoListensEverywhereDoesNotWriteThatDown() {
    let known = VoterSet([Voter(key(1), endpoints: [Endpoint(listener: "CONTROLLER", host: "a", port: 9093)])])
    let log = LogIndex(
      epochs: [EpochStart(epoch: LeaderEpoch(1), start: .zero)], end: Offset(2), voters: VoterSet(),
      entries: [VotersEntry(offset: Offset(1), voters: known)])
    for host in ["", "0.0.0.0", "::"] {
      let local = Voter(key(1), endpoints: [Endpoint(listener: "CONTROLLER", host: host, port: 9093)])
      var quorum = Quorum(
        local: local, settings: QuorumSettings(), election: ElectionRecord(), log: log, at: .init(nanoseconds: 0),
        chance: 0)
      var effects: [Effect] = []
      quorum.handle(.tick, at: .init(nanoseconds: 2_000_000_000), chance: 0, into: &effects)
      #expect(quorum.epoch == LeaderEpoch(1) && quorum.log.end == Offset(3), "it leads, and added no voters")
      #expect(quorum.log.voters == known)
    }
  }
}
