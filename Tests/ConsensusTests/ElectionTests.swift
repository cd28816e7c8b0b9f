import Consensus
import Testing
import Vocabulary

@Suite struct ElectionTests {
  @Test func aVoterAsksBeforeItDisturbsAnybody() {
    var replica = Transcript(1)
    replica.say(.tick, after: 999)
    replica.say(.tick, after: 1001)
    replica.expect("@")
  }

  @Test func aCandidateHasItsEpochAndItsOwnVoteDurableBeforeItAsks() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.forget()
    replica.tell(.vote(head(0), .granted), to: 1)
    replica.expect("@")
  }

  @Test func aLeaderBeginsItsEpochWithARecordAndPresentsItself() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.tell(.vote(head(0), .granted), to: 1)
    replica.forget()
    replica.tell(.vote(head(1), .granted), to: 3)
    replica.expect("@")
  }

  @Test func aProspectThatWouldLoseDisturbsNobody() {
    var replica = Transcript(1)
    replica.say(.tick, after: 2000)
    replica.forget()
    replica.tell(.vote(head(0), .denied), to: 1)
    replica.tell(.vote(head(0), .denied), to: 2)
    replica.expect("@")
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
    replica.expect("@")
  }

  @Test func aVoteIsDurableBeforeItIsGiven() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.vote(.vote, for: 2, epoch: 4, log: 5, 1)
    replica.expect("@")
  }

  @Test func aVoterVotesOnceInAnEpoch() {
    var replica = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4), votedFor: key(2)))
    replica.vote(.vote, for: 3, epoch: 4, log: 5, 1)
    replica.vote(.vote, for: 2, epoch: 4, log: 5, 1)
    replica.expect("@")
  }

  @Test func whoHasLessInItsLogGetsNoVote() {
    var replica = Transcript(1, log: log([(1, 0), (3, 4)], end: 6))
    replica.vote(.vote, for: 2, epoch: 5, log: 5, 3)
    replica.vote(.vote, for: 3, epoch: 6, log: 9, 1)
    replica.vote(.vote, for: 2, epoch: 7, log: 6, 3)
    replica.expect("@")
  }

  @Test func aPreVoteChangesNothing() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.vote(.preVote, for: 2, epoch: 0, log: 5, 0)
    replica.vote(.preVote, for: 2, epoch: 1, log: 5, 1)
    replica.vote(.preVote, for: 3, epoch: 1, log: 5, 1)
    replica.expect("@")
  }

  @Test func whoHearsFromItsLeaderGivesNoPreVote() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(5), .nothing), to: 1)
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    replica.expect("@")
  }

  @Test func aRequestForAnotherDirectoryIsRefused() {
    var replica = Transcript(1)
    replica.vote(.vote, for: 2, epoch: 1, log: 0, 0, voter: key(1, 2))
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(1), voter: key(1, 2))))
    replica.expect("@")
  }

  @Test func whatCannotBeIsAnInvalidRequest() {
    var replica = Transcript(1)
    replica.vote(.vote, for: 2, epoch: 3, log: 5, 3)
    replica.vote(.vote, for: 2, epoch: 3, log: -1, 0)
    replica.vote(.vote, for: 1, epoch: 3, log: 5, 2)
    replica.expect("@")
  }

  @Test func anOldEpochIsFenced() {
    var replica = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)))
    replica.vote(.vote, for: 2, epoch: 3, log: 5, 1)
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(3), voter: key(1))))
    replica.ask(.endQuorumEpoch(EndQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(3), successors: [])))
    replica.expect("@")
  }

  @Test func onlyWhatIsDurableIsClaimedInAnElection() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(5), .batches([data(5, 3)])), to: 1)
    replica.forget()
    replica.say(.tick, after: 2000)
    replica.expect("@")
  }

  @Test func anOnlyVoterLeadsByItself() {
    var replica = Transcript(1, voters: [1])
    replica.say(.tick)
    replica.say(.persisted(upTo: Offset(2), epoch: LeaderEpoch(1)))
    replica.expect("@")
  }

  @Test func whoLedBeforeItsRestartLeadsNoMoreInThatEpoch() {
    var replica = Transcript(
      1, election: ElectionRecord(epoch: LeaderEpoch(4), votedFor: key(1), leader: NodeID(1)),
      log: log([(4, 0)], end: 5))
    replica.say(.tick)
    replica.vote(.vote, for: 2, epoch: 4, log: 9, 3)
    replica.say(.tick, after: 2000)
    replica.expect("@")
  }

  @Test func aFollowerThatHearsNothingAsksWhetherItWouldWin() {
    var replica = Transcript(1, log: log([(1, 0)], end: 5))
    replica.follow(2, in: 3)
    replica.say(.tick, after: 2000)
    replica.expect("@")
    // Nobody else has lost the leader, so that it follows on.
    replica.tell(.vote(head(3, leader: 2), .denied), to: 2)
    replica.tell(.vote(head(3, leader: 2), .denied), to: 3)
    replica.expect("@")
  }

  @Test func aSecondLeaderOfAnEpochIsNotBelieved() {
    var replica = Transcript(1)
    replica.follow(2, in: 3)
    replica.ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(3), epoch: LeaderEpoch(3), voter: key(1))))
    replica.expect("@")
  }
}
