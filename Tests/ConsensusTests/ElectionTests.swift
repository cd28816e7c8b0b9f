import Consensus
import Testing
import Vocabulary

@Suite struct ElectionTests {
  @Test func aVoterAsksBeforeItDisturbsAnybody() {
    var replica = Transcript(1)
    replica.say(.tick, after: 999)
    replica.say(.tick, after: 1001)
    replica.expect(
      """
      > tick
      > tick
      send #1 to 2: pre-vote for 1a by 2a epoch 0 log 0@0
      send #2 to 3: pre-vote for 1a by 3a epoch 0 log 0@0
      """)
  }

  @Test func aCandidateHasItsEpochAndItsOwnVoteDurableBeforeItAsks() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.forget()
    replica.tell(.vote(head(0), .granted), to: 1)
    replica.expect(
      """
      > answer to #1: vote granted, NONE epoch 0 leader none
      persist epoch 1 vote 1a leader none
      send #3 to 2: vote for 1a by 2a epoch 1 log 0@0
      send #4 to 3: vote for 1a by 3a epoch 1 log 0@0
      """)
  }

  @Test func aLeaderBeginsItsEpochWithARecordAndPresentsItself() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.tell(.vote(head(0), .granted), to: 1)
    replica.forget()
    replica.tell(.vote(head(1), .granted), to: 3)
    replica.expect(
      """
      > answer to #3: vote granted, NONE epoch 1 leader none
      persist epoch 1 vote 1a leader 1
      leader of 1 is 1
      append [0-1@1 leader 1 by 1,2] [1-2@1 voters {1a 2a 3a}]
      lead epoch 1 from 0
      send #5 to 2: begin 1 of 1 for 2a
      send #6 to 3: begin 1 of 1 for 3a
      """)
  }

  @Test func aProspectThatWouldLoseDisturbsNobody() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.forget()
    replica.tell(.vote(head(0), .denied), to: 1)
    replica.tell(.vote(head(0), .denied), to: 2)
    replica.expect(
      """
      > answer to #1: vote denied, NONE epoch 0 leader none
      > answer to #2: vote denied, NONE epoch 0 leader none
      """)
    #expect(replica.quorum.roleName == "unattached")
  }

  @Test func aCandidateThatLostWaitsBeforeItAsksAgain() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.tell(.vote(head(0), .granted), to: 1)
    replica.tell(.vote(head(1), .denied), to: 3)
    replica.tell(.vote(head(1), .denied), to: 4)
    replica.forget()
    replica.say(.tick, after: 1000)
    replica.expect(
      """
      > tick
      send #5 to 2: pre-vote for 1a by 2a epoch 1 log 0@0
      send #6 to 3: pre-vote for 1a by 3a epoch 1 log 0@0
      """)
  }

  @Test func aVoteIsDurableBeforeItIsGiven() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.vote(.vote, for: 2, epoch: 4, log: 5, 1)
    replica.expect(
      """
      > request 1: vote for 2a by 1a epoch 4 log 5@1
      persist epoch 4 vote 2a leader none
      answer 1: vote granted, NONE epoch 4 leader none
      """)
  }

  @Test func aVoterVotesOnceInAnEpoch() {
    var replica = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4), votedFor: key(2)))
    replica.vote(.vote, for: 3, epoch: 4, log: 5, 1)
    replica.vote(.vote, for: 2, epoch: 4, log: 5, 1)
    replica.expect(
      """
      > request 1: vote for 3a by 1a epoch 4 log 5@1
      answer 1: vote denied, NONE epoch 4 leader none
      > request 2: vote for 2a by 1a epoch 4 log 5@1
      answer 2: vote granted, NONE epoch 4 leader none
      """)
  }

  @Test func whoHasLessInItsLogGetsNoVote() {
    var replica = Transcript(1, log: log([(1, 0), (3, 4)], end: 6))
    replica.vote(.vote, for: 2, epoch: 5, log: 5, 3)
    replica.vote(.vote, for: 3, epoch: 6, log: 9, 1)
    replica.vote(.vote, for: 2, epoch: 7, log: 6, 3)
    replica.expect(
      """
      > request 1: vote for 2a by 1a epoch 5 log 5@3
      persist epoch 5 vote none leader none
      answer 1: vote denied, NONE epoch 5 leader none
      > request 2: vote for 3a by 1a epoch 6 log 9@1
      persist epoch 6 vote none leader none
      answer 2: vote denied, NONE epoch 6 leader none
      > request 3: vote for 2a by 1a epoch 7 log 6@3
      persist epoch 7 vote 2a leader none
      answer 3: vote granted, NONE epoch 7 leader none
      """)
  }

  @Test func aPreVoteChangesNothing() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.vote(.preVote, for: 2, epoch: 0, log: 5, 0)
    replica.vote(.preVote, for: 2, epoch: 1, log: 5, 1)
    replica.vote(.preVote, for: 3, epoch: 1, log: 5, 1)
    replica.expect(
      """
      > request 1: pre-vote for 2a by 1a epoch 0 log 5@0
      answer 1: vote denied, NONE epoch 0 leader none
      > request 2: pre-vote for 2a by 1a epoch 1 log 5@1
      persist epoch 1 vote none leader none
      answer 2: vote granted, NONE epoch 1 leader none
      > request 3: pre-vote for 3a by 1a epoch 1 log 5@1
      answer 3: vote granted, NONE epoch 1 leader none
      """)
  }

  @Test func whoHearsFromItsLeaderGivesNoPreVote() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(5), .nothing), to: 1)
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    replica.expect(
      """
      > request 2: pre-vote for 3a by 1a epoch 3 log 5@1
      answer 2: vote granted, NONE epoch 3 leader 2
      > answer to #1: fetch nothing, committed 5, NONE epoch 3 leader 2
      committed 5
      send #2 to 2: fetch 5@1 epoch 3 by 1a
      > request 3: pre-vote for 3a by 1a epoch 3 log 5@1
      answer 3: vote denied, NONE epoch 3 leader 2
      """)
  }

  @Test func aRequestForAnotherDirectoryIsRefused() {
    var replica = Transcript(1)
    replica.vote(.vote, for: 2, epoch: 1, log: 0, 0, voter: key(1, 2))
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(1), voter: key(1, 2))))
    replica.expect(
      """
      > request 1: vote for 2a by 1b epoch 1 log 0@0
      persist epoch 1 vote none leader none
      answer 1: vote denied, INVALID_VOTER_KEY epoch 1 leader none
      > request 2: begin 1 of 2 for 1b
      persist epoch 1 vote none leader 2
      leader of 1 is 2
      answer 2: begin INVALID_VOTER_KEY epoch 1 leader 2
      send #1 to 2: fetch 0@0 epoch 1 by 1a
      """)
  }

  @Test func whatCannotBeIsAnInvalidRequest() {
    var replica = Transcript(1)
    replica.vote(.vote, for: 2, epoch: 3, log: 5, 3)
    replica.vote(.vote, for: 2, epoch: 3, log: -1, 0)
    replica.vote(.vote, for: 1, epoch: 3, log: 5, 2)
    replica.expect(
      """
      > request 1: vote for 2a by 1a epoch 3 log 5@3
      answer 1: vote denied, INVALID_REQUEST epoch 0 leader none
      > request 2: vote for 2a by 1a epoch 3 log -1@0
      answer 2: vote denied, INVALID_REQUEST epoch 0 leader none
      > request 3: vote for 1a by 1a epoch 3 log 5@2
      answer 3: vote denied, INVALID_REQUEST epoch 0 leader none
      """)
  }

  @Test func anOldEpochIsFenced() {
    var replica = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)))
    replica.vote(.vote, for: 2, epoch: 3, log: 5, 1)
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(3), voter: key(1))))
    replica.ask(.endQuorumEpoch(EndQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(3), successors: [])))
    replica.expect(
      """
      > request 1: vote for 2a by 1a epoch 3 log 5@1
      answer 1: vote denied, FENCED_LEADER_EPOCH epoch 4 leader none
      > request 2: begin 3 of 2 for 1a
      answer 2: begin FENCED_LEADER_EPOCH epoch 4 leader none
      > request 3: end 3 of 2, then []
      answer 3: end FENCED_LEADER_EPOCH epoch 4 leader none
      """)
  }

  @Test func onlyWhatIsDurableIsClaimedInAnElection() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(5), .batches([data(5, 3)])), to: 1)
    replica.forget()
    replica.say(.tick, after: 2000)
    replica.expect(
      """
      > tick
      send #2 to 2: pre-vote for 1a by 2a epoch 3 log 5@1
      send #3 to 3: pre-vote for 1a by 3a epoch 3 log 5@1
      """)
  }

  @Test func anOnlyVoterLeadsByItself() {
    var replica = Transcript(1, voters: [1])
    replica.say(.tick)
    replica.say(.persisted(upTo: Offset(2), epoch: LeaderEpoch(1)))
    replica.expect(
      """
      > tick
      persist epoch 1 vote 1a leader 1
      leader of 1 is 1
      append [0-1@1 leader 1 by 1] [1-2@1 voters {1a}]
      lead epoch 1 from 0
      > persisted 2@1
      committed 2
      """)
  }

  @Test func whoLedBeforeItsRestartLeadsNoMoreInThatEpoch() {
    var replica = Transcript(
      1, election: ElectionRecord(epoch: LeaderEpoch(4), votedFor: key(1), leader: NodeID(1)),
      log: log([(4, 0)], end: 5))
    replica.say(.tick)
    replica.vote(.vote, for: 2, epoch: 4, log: 9, 3)
    replica.say(.tick, after: 2000)
    replica.expect(
      """
      > tick
      send #1 to 2: end 4 of 1, then []
      send #2 to 3: end 4 of 1, then []
      > request 1: vote for 2a by 1a epoch 4 log 9@3
      answer 1: vote denied, NONE epoch 4 leader none
      > tick
      persist epoch 5 vote none leader none
      """)
  }

  @Test func aFollowerThatHearsNothingAsksWhetherItWouldWin() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.say(.tick, after: 2000)
    replica.expect(
      """
      > tick
      send #2 to 2: pre-vote for 1a by 2a epoch 3 log 5@1
      send #3 to 3: pre-vote for 1a by 3a epoch 3 log 5@1
      """)
    // Nobody else has lost the leader, so that it follows on.
    replica.tell(.vote(head(3, leader: 2), .denied), to: 2)
    replica.tell(.vote(head(3, leader: 2), .denied), to: 3)
    replica.expect(
      """
      > answer to #2: vote denied, NONE epoch 3 leader 2
      > answer to #3: vote denied, NONE epoch 3 leader 2
      send #4 to 2: fetch 5@1 epoch 3 by 1a
      """)
  }

  @Test func aSecondLeaderOfAnEpochIsNotBelieved() {
    var replica = Transcript(1)
    replica.follow(2, in: 3)
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(3), epoch: LeaderEpoch(3), voter: key(1))))
    replica.expect(
      """
      > request 2: begin 3 of 3 for 1a
      report a second leader 3 of epoch 3
      answer 2: begin INVALID_REQUEST epoch 3 leader 2
      """)
  }
}
