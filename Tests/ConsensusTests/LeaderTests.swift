import Consensus
import Testing
import Vocabulary

@Suite struct LeaderTests {
  @Test func aRecordIsCommittedWhenAMajorityFetchesBehindIt() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 3)]))
    leader.fetch(by: 2, 2, 1)
    leader.say(.persisted(upTo: Offset(5), epoch: LeaderEpoch(1)))
    leader.fetch(by: 2, 5, 1)
    leader.expect("@")
  }

  @Test func theLeaderCountsItselfOnlyOnceItsDiskHasTheRecord() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 1)]))
    leader.forget()
    leader.fetch(by: 2, 3, 1)
    leader.say(.persisted(upTo: Offset(3), epoch: LeaderEpoch(1)))
    leader.expect("@")
  }

  @Test func recordsOfOlderEpochsAreCommittedOnlyWithOneOfTheOwn() {
    var leader = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)), log: log([(1, 0), (2, 3)], end: 6))
    leader.win()
    // Two of three have everything of epoch 2, and that is not enough: the record of epoch 5 is missing.
    leader.fetch(by: 2, 6, 2)
    leader.fetch(by: 2, 7, 5)
    leader.expect("@")
  }

  @Test func aFetchWaitsForRecordsAndNoLongerThanAsked() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.forget()
    leader.fetch(by: 2, 2, 1, maxWait: 500)
    leader.fetch(by: 3, 2, 1, maxWait: 100)
    leader.say(.tick, after: 100)
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 1)]))
    leader.expect("@")
  }

  @Test func aFetchOfAnotherEpochIsToldWhoLeads() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 0, epoch: 0)
    leader.fetch(by: 2, 2, 1, epoch: 2)
    leader.expect("@")
    var follower = Transcript(1)
    follower.follow(2, in: 3)
    follower.fetch(by: 3, 0, 0)
    follower.expect("@")
  }

  @Test func aFetchThatCannotBeIsInvalid() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, -1, 0)
    leader.fetch(by: 2, 2, 3)
    leader.fetch(by: 1, 2, 1)
    leader.fetch(by: 2, 2, 1, maxWait: -1)
    leader.expect("@")
  }

  @Test func aDivergingFollowerIsToldWhereTheEpochEnds() {
    var leader = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)), log: log([(1, 0), (3, 4)], end: 6))
    leader.win()
    // Epoch 2 is not known here: epoch 1, which ends at 4, is the newest before it.
    leader.fetch(by: 2, 9, 2)
    leader.fetch(by: 2, 9, 3)
    leader.fetch(by: 2, 8, 5)
    leader.expect("@")
  }

  @Test func whoIsBehindTheStartOfTheLogGetsTheSnapshot() {
    var leader = Transcript(1)
    leader.win()
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 8)]))
    leader.say(.persisted(upTo: Offset(10), epoch: LeaderEpoch(1)))
    leader.fetch(by: 2, 10, 1)
    leader.forget()
    let id = SnapshotID(end: Offset(10), epoch: LeaderEpoch(1))
    leader.say(.tookSnapshot(Snapshot(id, size: ByteCount(100)), .dropPrefix))
    leader.fetch(by: 3, 2, 1)
    leader.ask(
      .fetchSnapshot(
        FetchSnapshotRequest(replica: key(3), epoch: LeaderEpoch(1), snapshot: id, position: ByteCount(40))))
    leader.ask(
      .fetchSnapshot(
        FetchSnapshotRequest(replica: key(3), epoch: LeaderEpoch(1), snapshot: id, position: ByteCount(100))))
    let other = SnapshotID(end: Offset(9), epoch: LeaderEpoch(1))
    leader.ask(
      .fetchSnapshot(
        FetchSnapshotRequest(replica: key(3), epoch: LeaderEpoch(1), snapshot: other, position: ByteCount(0))))
    leader.expect("@")
  }

  @Test func aSnapshotOfWhatIsNotCommittedIsNotUsed() {
    var leader = Transcript(1)
    leader.win()
    leader.say(
      .tookSnapshot(Snapshot(SnapshotID(end: Offset(2), epoch: LeaderEpoch(1)), size: ByteCount(9)), .dropPrefix))
    leader.expect("@")
  }

  @Test func aLeaderThatNoMajorityAsksResigns() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1, after: 2900)
    leader.say(.tick, after: 2900)
    leader.forget()
    leader.fetch(by: 2, 2, 1, maxWait: 9000)
    leader.say(.tick, after: 3000)
    leader.expect("@")
  }

  @Test func aLeaderThatIsAskedToGoNamesTheLongestLogFirst() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 3, 2, 1)
    leader.forget()
    leader.say(.resign)
    leader.expect("@")
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 1)]))
    leader.expect("@")
  }

  @Test func aNewerEpochEndsALeadership() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.fetch(by: 2, 2, 1, maxWait: 500)
    leader.forget()
    leader.vote(.vote, for: 3, epoch: 2, log: 2, 1)
    leader.expect("@")
  }
}
