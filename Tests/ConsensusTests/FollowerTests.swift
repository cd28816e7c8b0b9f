import Consensus
import Testing
import Vocabulary

@Suite struct FollowerTests {
  /// A follower of node 2 in epoch 3, whose request 1 is a Fetch from the end of its log.
  private func follower(end: Int64 = 5) -> Transcript {
    var replica = Transcript(1, log: log([(1, 0)], end: end))
    replica.follow(2, in: 3)
    return replica
  }

  @Test func theNextRecordIsAskedForWhenTheOneBeforeIsDurable() {
    var replica = follower()
    replica.tell(
      .fetch(head(3, leader: 2), highWatermark: Offset(5), .batches([data(5, 2), data(6, 3, count: 2)])), to: 1)
    replica.say(.persisted(upTo: Offset(6), epoch: LeaderEpoch(2)))
    replica.say(.persisted(upTo: Offset(8), epoch: LeaderEpoch(3)))
    replica.expect(
      """
      > answer to #1: fetch [5-6@2 data 5] [6-8@3 data 6], committed 5, NONE epoch 3 leader 2
      append [5-6@2 data 5] [6-8@3 data 6]
      committed 5
      > persisted 6@2
      > persisted 8@3
      send #2 to 2: fetch 8@3 epoch 3 by 1a
      """)
  }

  @Test func aNoticeFromBeforeATruncationSaysNothing() {
    var replica = follower()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(3), .batches([data(5, 2)])), to: 1)
    replica.say(.persisted(upTo: Offset(6), epoch: LeaderEpoch(2)))
    replica.tell(
      .fetch(head(3, leader: 2), highWatermark: Offset(3), .diverging(EpochEnd(epoch: LeaderEpoch(1), end: Offset(5)))),
      to: 2)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(3), .batches([data(5, 3)])), to: 3)
    replica.forget()
    replica.say(.persisted(upTo: Offset(6), epoch: LeaderEpoch(2)))
    replica.expect(
      """
      > persisted 6@2
      """)
    replica.say(.persisted(upTo: Offset(6), epoch: LeaderEpoch(3)))
    replica.expect(
      """
      > persisted 6@3
      send #4 to 2: fetch 6@3 epoch 3 by 1a
      """)
  }

  @Test func aDivergingLogIsCutWhereBothStillAgreed() {
    var replica = Transcript(1, log: log([(1, 0), (2, 4)], end: 9))
    replica.follow(2, in: 3)
    replica.tell(
      .fetch(head(3, leader: 2), highWatermark: Offset(3), .diverging(EpochEnd(epoch: LeaderEpoch(1), end: Offset(3)))),
      to: 1)
    replica.expect(
      """
      > answer to #1: fetch diverging, 1 ends at 3, committed 3, NONE epoch 3 leader 2
      truncate to 3
      send #2 to 2: fetch 3@1 epoch 3 by 1a
      """)
  }

  @Test func committedRecordsAreNeverCut() {
    var replica = follower()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(5), .nothing), to: 1)
    replica.forget()
    replica.tell(
      .fetch(head(3, leader: 2), highWatermark: Offset(3), .diverging(EpochEnd(epoch: LeaderEpoch(1), end: Offset(3)))),
      to: 2)
    replica.expect(
      """
      > answer to #2: fetch diverging, 1 ends at 3, committed 3, NONE epoch 3 leader 2
      report a truncation of committed records to 3
      send #3 to 2: fetch 5@1 epoch 3 by 1a
      """)
  }

  @Test func theHighWatermarkIsNeverBeyondTheOwnLogAndNeverGoesBack() {
    var replica = follower()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(9), .nothing), to: 1)
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(4), .nothing), to: 2)
    replica.expect(
      """
      > answer to #1: fetch nothing, committed 9, NONE epoch 3 leader 2
      committed 5
      send #2 to 2: fetch 5@1 epoch 3 by 1a
      > answer to #2: fetch nothing, committed 4, NONE epoch 3 leader 2
      send #3 to 2: fetch 5@1 epoch 3 by 1a
      """)
  }

  @Test(arguments: [[data(6, 3)], [data(4, 3)], [data(5, 4)], [data(5, 0)], [data(5, 3, count: 0)]])
  func batchesThatDoNotContinueTheLogAreNotAppended(batches: [LogBatch]) {
    var replica = follower()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(9), .batches(batches)), to: 1)
    #expect(replica.quorum.log.end == Offset(5))
    #expect(replica.quorum.highWatermark == .zero)
    #expect(!replica.lines.contains { $0.hasPrefix("append") })
  }

  @Test func aSnapshotTakesThePlaceOfTheLogOnceItIsWhole() {
    var replica = follower()
    let id = SnapshotID(end: Offset(90), epoch: LeaderEpoch(2))
    let piece = { (position: Int, count: Int) in
      Answer.fetchSnapshot(
        head(3, leader: 2),
        Piece(snapshot: id, size: ByteCount(10), position: ByteCount(position), count: ByteCount(count)))
    }
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(99), .snapshot(id)), to: 1)
    replica.tell(piece(0, 6), to: 2)
    replica.tell(piece(6, 4), to: 3)
    replica.say(.checkedSnapshot(Snapshot(id, size: ByteCount(10)), voters: set([1, 2, 4])))
    replica.expect(
      """
      > answer to #1: fetch snapshot 90@2, committed 99, NONE epoch 3 leader 2
      send #2 to 2: fetch snapshot 90@2 from 0 epoch 3
      > answer to #2: piece 0+6 of 10 of 90@2, NONE epoch 3 leader 2
      write piece 0+6 of 10 of 90@2
      send #3 to 2: fetch snapshot 90@2 from 6 epoch 3
      > answer to #3: piece 6+4 of 10 of 90@2, NONE epoch 3 leader 2
      write piece 6+4 of 10 of 90@2
      check snapshot 90@2
      > checked snapshot 90@2 {1a 2a 4a}
      install snapshot 90@2
      committed 90
      send #4 to 2: fetch 90@2 epoch 3 by 1a
      """)
    #expect(replica.quorum.log.voters == set([1, 2, 4]))
  }

  @Test func aPieceThatDoesNotFitEndsTheDownload() {
    var replica = follower()
    let id = SnapshotID(end: Offset(90), epoch: LeaderEpoch(2))
    replica.tell(.fetch(head(3, leader: 2), highWatermark: Offset(99), .snapshot(id)), to: 1)
    replica.forget()
    let piece = Piece(snapshot: id, size: ByteCount(10), position: ByteCount(8), count: ByteCount(4))
    replica.tell(.fetchSnapshot(head(3, leader: 2), piece), to: 2)
    replica.expect(
      """
      > answer to #2: piece 8+4 of 10 of 90@2, NONE epoch 3 leader 2
      send #3 to 2: fetch 5@1 epoch 3 by 1a
      """)
  }

  @Test func aLeaderThatIsNoLongerOneNamesTheNext() {
    var replica = follower()
    replica.tell(.fetch(head(4, leader: 3, .fencedLeaderEpoch), highWatermark: .zero, .nothing), to: 1)
    replica.expect(
      """
      > answer to #1: fetch nothing, committed 0, FENCED_LEADER_EPOCH epoch 4 leader 3
      persist epoch 4 vote none leader 3
      leader of 4 is 3
      send #2 to 3: fetch 5@1 epoch 4 by 1a
      """)
  }

  @Test func theFirstSuccessorStandsAtOnceAndTheOthersWait() {
    var first = follower()
    let end = EndQuorumEpoch(leader: NodeID(2), epoch: LeaderEpoch(3), successors: [key(1), key(3)])
    first.ask(.endQuorumEpoch(end))
    first.expect(
      """
      > request 2: end 3 of 2, then [1a 3a]
      answer 2: end NONE epoch 3 leader 2
      send #2 to 2: pre-vote for 1a by 2a epoch 3 log 5@1
      send #3 to 3: pre-vote for 1a by 3a epoch 3 log 5@1
      """)
    var second = Transcript(3, log: log([(1, 0)], end: 5))
    second.follow(2, in: 3)
    second.ask(.endQuorumEpoch(end))
    second.say(.tick, after: 499)
    second.expect(
      """
      > request 2: end 3 of 2, then [1a 3a]
      answer 2: end NONE epoch 3 leader 2
      > tick
      """)
    second.say(.tick, after: 1)
    second.expect(
      """
      > tick
      send #2 to 1: pre-vote for 3a by 1a epoch 3 log 5@1
      send #3 to 2: pre-vote for 3a by 2a epoch 3 log 5@1
      """)
  }

  /// It was in touch, and then a Fetch failed; request 3 is the next one.
  private func followerThatMissedItsLeader() -> Transcript {
    var replica = follower()
    replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: 1)
    replica.say(.failed(RequestID(2)))
    replica.say(.tick, after: 20)
    return replica
  }

  /// Chance is the same at each step here: the pause is less than half an election timeout of 1,000 ms.
  @Test func aLeaderThatIsMissedTwiceIsAskedAboutBeforeItsTimeIsUp() {
    var replica = followerThatMissedItsLeader()
    replica.say(.failed(RequestID(3)))
    replica.forget()
    replica.say(.tick, after: 500)
    replica.expect(
      """
      > tick
      send #4 to 2: pre-vote for 1a by 2a epoch 3 log 5@1
      send #5 to 3: pre-vote for 1a by 3a epoch 3 log 5@1
      """)
  }

  @Test func aLeaderThatIsMissedOnceIsWaitedFor() {
    var replica = follower()
    for (answered, missed) in [(1, 2), (3, 4), (5, 6)] as [(UInt64, UInt64)] {
      replica.tell(.fetch(head(3, leader: 2), highWatermark: .zero, .nothing), to: answered)
      replica.say(.failed(RequestID(missed)))
      replica.say(.tick, after: 20)
    }
    replica.forget()
    replica.say(.tick, after: 500)
    replica.expect("> tick")
  }

  @Test func aFollowerThatHasMissedItsLeaderTwiceGivesOthersAPreVote() {
    var replica = followerThatMissedItsLeader()
    replica.forget()
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    replica.say(.failed(RequestID(3)))
    replica.vote(.preVote, for: 3, epoch: 3, log: 5, 1)
    #expect(replica.lines.filter { $0.contains("DENIED") || $0.contains("denied") }.count == 1, "\(replica.lines)")
    #expect(replica.lines.last?.lowercased().contains("granted") == true, "\(replica.lines)")
  }

  /// The others are in touch with it: nothing is won by asking again at once.
  @Test func afterARefusedPreVoteTheLeaderHasAllItsTimeAgain() {
    var replica = followerThatMissedItsLeader()
    replica.say(.failed(RequestID(3)))
    replica.say(.tick, after: 500)
    replica.tell(.vote(head(3, leader: 2), .denied), to: 4)
    replica.tell(.vote(head(3, leader: 2), .denied), to: 5)
    replica.forget()
    replica.say(.failed(RequestID(6)))
    replica.say(.tick, after: 20)
    replica.say(.failed(RequestID(7)))
    replica.say(.tick, after: 1_900)
    #expect(!replica.lines.contains { $0.contains("pre-vote") }, "\(replica.lines)")
    replica.say(.tick, after: 100)
    #expect(replica.lines.contains { $0.contains("pre-vote") }, "\(replica.lines)")
  }

  @Test func anObserverAsksAroundAndNeverStands() {
    var settings = QuorumSettings()
    settings.bootstrap = [NodeID(2)]
    var observer = Transcript(9, log: LogIndex(voters: VoterSet()), settings: settings)
    observer.say(.tick)
    observer.tell(.fetch(head(3, leader: 1, .fencedLeaderEpoch), highWatermark: .zero, .nothing), to: 1)
    observer.say(.failed(RequestID(2)), after: 100)
    observer.say(.tick, after: 20000)
    observer.expect(
      """
      > tick
      send #1 to 2: fetch 0@0 epoch 0 by 9a
      > answer to #1: fetch nothing, committed 0, FENCED_LEADER_EPOCH epoch 3 leader 1
      persist epoch 3 vote none leader 1
      leader of 3 is 1
      send #2 to 1: fetch 0@0 epoch 3 by 9a
      > no answer to #2
      send #3 to 2: fetch 0@0 epoch 3 by 9a
      > tick
      """)
  }

  /// A bootstrap server may be the leader under another name: what two answers brought would be there twice.
  @Test func anObserverHasOneFetchUnderWayWhomeverItAsks() {
    var settings = QuorumSettings()
    settings.bootstrap = [NodeID(2)]
    var observer = Transcript(9, log: LogIndex(voters: VoterSet()), settings: settings)
    observer.say(.tick)
    observer.tell(.fetch(head(3, leader: 1, .fencedLeaderEpoch), highWatermark: .zero, .nothing), to: 1)
    observer.say(.failed(RequestID(2)), after: 100)
    observer.forget()
    observer.say(.tick, after: 200)
    observer.tell(.fetch(head(3, leader: 1), highWatermark: .zero, .nothing), to: 3)
    observer.expect(
      """
      > tick
      > answer to #3: fetch nothing, committed 0, NONE epoch 3 leader 1
      send #4 to 1: fetch 0@0 epoch 3 by 9a
      """)
  }
}
