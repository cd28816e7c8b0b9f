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
    leader.expect(
      """
      > request 1: fetch 2@1 epoch 1 by 2a
      committed 2
      answer 1: fetch nothing, committed 2, NONE epoch 1 leader 1
      > propose in 1: 7*3
      append [2-5@1 data 7]
      > request 2: fetch 2@1 epoch 1 by 2a
      answer 2: fetch 2..<5, committed 2, NONE epoch 1 leader 1
      > persisted 5@1
      > request 3: fetch 5@1 epoch 1 by 2a
      committed 5
      answer 3: fetch nothing, committed 5, NONE epoch 1 leader 1
      """)
  }

  @Test func theLeaderCountsItselfOnlyOnceItsDiskHasTheRecord() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 1)]))
    leader.forget()
    leader.fetch(by: 2, 3, 1)
    leader.say(.persisted(upTo: Offset(3), epoch: LeaderEpoch(1)))
    leader.expect(
      """
      > request 2: fetch 3@1 epoch 1 by 2a
      answer 2: fetch nothing, committed 2, NONE epoch 1 leader 1
      > persisted 3@1
      committed 3
      """)
  }

  @Test func recordsOfOlderEpochsAreCommittedOnlyWithOneOfTheOwn() {
    var leader = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)), log: log([(1, 0), (2, 3)], end: 6))
    leader.win()
    // Two of three have everything of epoch 2, and that is not enough: the record of epoch 5 is missing.
    leader.fetch(by: 2, 6, 2)
    leader.fetch(by: 2, 7, 5)
    leader.expect(
      """
      > request 1: fetch 6@2 epoch 5 by 2a
      answer 1: fetch 6..<7, committed 0, NONE epoch 5 leader 1
      > request 2: fetch 7@5 epoch 5 by 2a
      committed 7
      answer 2: fetch nothing, committed 7, NONE epoch 5 leader 1
      """)
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
    leader.expect(
      """
      > request 2: fetch 2@1 epoch 1 by 2a
      > request 3: fetch 2@1 epoch 1 by 3a
      > tick
      answer 3: fetch nothing, committed 2, NONE epoch 1 leader 1
      > propose in 1: 7*1
      append [2-3@1 data 7]
      answer 2: fetch 2..<3, committed 2, NONE epoch 1 leader 1
      """)
  }

  @Test func aFetchOfAnotherEpochIsToldWhoLeads() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 0, epoch: 0)
    leader.fetch(by: 2, 2, 1, epoch: 2)
    leader.expect(
      """
      > request 1: fetch 2@0 epoch 0 by 2a
      answer 1: fetch nothing, committed 0, FENCED_LEADER_EPOCH epoch 1 leader 1
      > request 2: fetch 2@1 epoch 2 by 2a
      answer 2: fetch nothing, committed 0, UNKNOWN_LEADER_EPOCH epoch 1 leader 1
      """)
    var follower = Transcript(1)
    follower.follow(2, in: 3)
    follower.fetch(by: 3, 0, 0)
    follower.expect(
      """
      > request 2: fetch 0@0 epoch 3 by 3a
      answer 2: fetch nothing, committed 0, NOT_LEADER_OR_FOLLOWER epoch 3 leader 2
      """)
  }

  @Test func aFetchThatCannotBeIsInvalid() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, -1, 0)
    leader.fetch(by: 2, 2, 3)
    leader.fetch(by: 1, 2, 1)
    leader.fetch(by: 2, 2, 1, maxWait: -1)
    leader.expect(
      """
      > request 1: fetch -1@0 epoch 1 by 2a
      answer 1: fetch nothing, committed 0, INVALID_REQUEST epoch 1 leader 1
      > request 2: fetch 2@3 epoch 1 by 2a
      answer 2: fetch nothing, committed 0, INVALID_REQUEST epoch 1 leader 1
      > request 3: fetch 2@1 epoch 1 by 1a
      answer 3: fetch nothing, committed 0, INVALID_REQUEST epoch 1 leader 1
      > request 4: fetch 2@1 epoch 1 by 2a
      answer 4: fetch nothing, committed 0, INVALID_REQUEST epoch 1 leader 1
      """)
  }

  @Test func aDivergingFollowerIsToldWhereTheEpochEnds() {
    var leader = Transcript(1, election: ElectionRecord(epoch: LeaderEpoch(4)), log: log([(1, 0), (3, 4)], end: 6))
    leader.win()
    // Epoch 2 is not known here: epoch 1, which ends at 4, is the newest before it.
    leader.fetch(by: 2, 9, 2)
    leader.fetch(by: 2, 9, 3)
    leader.fetch(by: 2, 8, 5)
    leader.expect(
      """
      > request 1: fetch 9@2 epoch 5 by 2a
      answer 1: fetch diverging, 1 ends at 4, committed 0, NONE epoch 5 leader 1
      > request 2: fetch 9@3 epoch 5 by 2a
      answer 2: fetch diverging, 3 ends at 6, committed 0, NONE epoch 5 leader 1
      > request 3: fetch 8@5 epoch 5 by 2a
      answer 3: fetch diverging, 5 ends at 7, committed 0, NONE epoch 5 leader 1
      """)
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
    leader.expect(
      """
      > took snapshot 10@1, dropPrefix
      drop everything before 10
      > request 2: fetch 2@1 epoch 1 by 3a
      answer 2: fetch snapshot 10@1, committed 10, NONE epoch 1 leader 1
      > request 3: fetch snapshot 10@1 from 40 epoch 1
      answer 3: piece 40+60 of 100 of 10@1, NONE epoch 1 leader 1
      > request 4: fetch snapshot 10@1 from 100 epoch 1
      answer 4: no piece, POSITION_OUT_OF_RANGE epoch 1 leader 1
      > request 5: fetch snapshot 9@1 from 0 epoch 1
      answer 5: no piece, SNAPSHOT_NOT_FOUND epoch 1 leader 1
      """)
  }

  @Test func aSnapshotOfWhatIsNotCommittedIsNotUsed() {
    var leader = Transcript(1)
    leader.win()
    leader.say(
      .tookSnapshot(Snapshot(SnapshotID(end: Offset(2), epoch: LeaderEpoch(1)), size: ByteCount(9)), .dropPrefix))
    leader.expect(
      """
      > took snapshot 2@1, dropPrefix
      """)
  }

  @Test func aLeaderThatNoMajorityAsksResigns() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1, after: 2900)
    leader.say(.tick, after: 2900)
    leader.forget()
    leader.fetch(by: 2, 2, 1, maxWait: 9000)
    leader.say(.tick, after: 3000)
    leader.expect(
      """
      > request 2: fetch 2@1 epoch 1 by 2a
      > tick
      no longer lead epoch 1
      answer 2: fetch nothing, committed 2, NOT_LEADER_OR_FOLLOWER epoch 1 leader none
      send #9 to 2: end 1 of 1, then [2a 3a]
      send #10 to 3: end 1 of 1, then [2a 3a]
      """)
  }

  @Test func aLeaderThatIsAskedToGoNamesTheLongestLogFirst() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 3, 2, 1)
    leader.forget()
    leader.say(.resign)
    leader.expect(
      """
      > resign
      no longer lead epoch 1
      send #7 to 2: end 1 of 1, then [3a 2a]
      send #8 to 3: end 1 of 1, then [3a 2a]
      """)
    leader.say(.propose(epoch: LeaderEpoch(1), [Proposal(name: 7, count: 1)]))
    leader.expect(
      """
      > propose in 1: 7*1
      refuse 7: NOT_LEADER_OR_FOLLOWER
      """)
  }

  @Test func aNewerEpochEndsALeadership() {
    var leader = Transcript(1)
    leader.win()
    leader.fetch(by: 2, 2, 1)
    leader.fetch(by: 2, 2, 1, maxWait: 500)
    leader.forget()
    leader.vote(.vote, for: 3, epoch: 2, log: 2, 1)
    leader.expect(
      """
      > request 3: vote for 3a by 1a epoch 2 log 2@1
      persist epoch 2 vote none leader none
      leader of 2 is none
      no longer lead epoch 1
      answer 2: fetch nothing, committed 2, NOT_LEADER_OR_FOLLOWER epoch 2 leader none
      persist epoch 2 vote 3a leader none
      answer 3: vote granted, NONE epoch 2 leader none
      """)
  }
}
