import Replication
import Testing
import Vocabulary

@Suite struct LeaderTests {
  @Test func aWriteIsAcknowledgedWhenEverybodyInSyncHasIt() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    #expect(stage.write(upTo: 5).writes == [])
    #expect(stage.fetch(1, at: 5).writes == [])
    let effects = stage.fetch(2, at: 5)
    #expect(effects.writes == [.acknowledged])
    #expect(effects.first == .keepHighWatermark(Offset(5)))
    #expect(effects.answers == [.records(upTo: Offset(5), highWatermark: Offset(5), logStart: .zero)])
  }

  @Test func aWriteForTheLeaderAloneIsAcknowledgedAtOnce() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    #expect(stage.write(upTo: 5, .leader).writes == [.acknowledged])
    #expect(stage.mark == 0)
  }

  /// It comes with metadata that may say that this replica leads no more, or who is eligible no more.
  @Test func aLowerMinimumCommitsNothingBeforeTheMetadataThatItCameWith() {
    var stage = Stage(inSync: [NodeID(0)])
    stage.elect(0, epoch: 1)
    stage.write(upTo: 3, .leader)
    #expect(stage.mark == 0)
    var settings = stage.replica.settings
    settings.minimum = Minimum(replicas: 1, regions: 1)
    #expect(stage.feed(.settingsChanged(settings)).isEmpty && stage.mark == 0)
    stage.change(inSync: [NodeID(0)])
    #expect(stage.mark == 3)
  }

  @Test func aWriteIsRefusedWhileTooFewAreInSync() throws {
    var stage = Stage(inSync: [NodeID(0)])
    stage.elect(0, epoch: 1)
    #expect(throws: Refusal.self) { try stage.replica.admit(.allInSync).get() }
    #expect(try stage.replica.admit(.leader).get() == LeaderEpoch(1))
    guard case .failure(let refusal) = stage.replica.admit(.allInSync) else { return }
    #expect(refusal.code == .notEnoughReplicas)
  }

  @Test func aWriteIsRefusedWhileTheInSyncSetSpansTooFewRegions() {
    let members = [
      Member(NodeID(0), in: Region("a")), Member(NodeID(1), in: Region("a")), Member(NodeID(2), in: Region("b")),
    ]
    var stage = Stage(Minimum(replicas: 2, regions: 2), members: members)
    stage.elect(0, epoch: 1)
    #expect((try? stage.replica.admit(.allInSync).get()) == LeaderEpoch(1))
    stage.write(upTo: 3)
    stage.fetch(1, at: 3)
    #expect(stage.mark == 0)
    #expect(stage.change(inSync: [NodeID(0), NodeID(1)]).writes == [.refused(.notEnoughReplicasAfterAppend)])
    #expect((try? stage.replica.admit(.allInSync).get()) == nil)
    #expect(stage.mark == 0, "nothing is committed in one Region alone")
  }

  @Test func aWriteThatCanNoLongerBeKeptIsToldSoAfterTheAppend() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    #expect(stage.change(inSync: [NodeID(0)]).writes == [.refused(.notEnoughReplicasAfterAppend)])
  }

  @Test func aWriteThatWaitsTooLongIsToldSo() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.now += 30_000
    #expect(stage.feed(.tick).writes == [.refused(.requestTimedOut)])
  }

  @Test func aRepeatedWriteThatIsCommittedAlreadyIsAcknowledgedAtOnce() {
    var stage = Stage(log: Stage.log(upTo: 4, highWatermark: 4, [(0, 0)]))
    stage.elect(0, epoch: 1)
    #expect(stage.write(upTo: 4).writes == [.acknowledged])
    #expect(stage.replica.log.end == Offset(4))
  }

  @Test func theHighWatermarkNeverGoesBack() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    stage.fetch(2, at: 5)
    stage.fetch(1, at: 2)
    #expect(stage.mark == 5)
    stage.write(upTo: 7)
    stage.fetch(2, at: 7)
    #expect(stage.mark == 5)
  }

  @Test func aNewLeaderMarksTheStartOfItsEpoch() {
    var stage = Stage(log: Stage.log(upTo: 7, [(1, 0), (2, 4)]))
    stage.elect(0, epoch: 5)
    #expect(stage.replica.log.epochs.starts.last == EpochStart(LeaderEpoch(5), at: Offset(7)))
    #expect(stage.replica.end(of: LeaderEpoch(4)) == EpochEnd(LeaderEpoch(2), upTo: Offset(7)))
    #expect(stage.replica.end(of: LeaderEpoch(1)) == EpochEnd(LeaderEpoch(1), upTo: Offset(4)))
  }

  @Test func aFetchFromAnotherEpochIsRefusedAndCountsForNothing() {
    var stage = Stage()
    stage.elect(0, epoch: 3)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    #expect(stage.fetch(2, at: 5, epoch: 2).answers == [.refused(.fencedLeaderEpoch)])
    #expect(stage.mark == 0)
  }

  @Test func aLeaderThatHearsOfANewerEpochStandsDown() {
    var stage = Stage()
    stage.elect(0, epoch: 3)
    stage.write(upTo: 5)
    let effects = stage.fetch(1, at: 5, epoch: 4)
    #expect(effects.writes == [.refused(.notLeaderOrFollower)])
    #expect(effects.answers == [.refused(.notLeaderOrFollower)])
    #expect((try? stage.replica.admit(.leader).get()) == nil)
  }

  @Test func aConsumerWithAnUnknownEpochDoesNotUnseatALeader() {
    var stage = Stage()
    stage.elect(0, epoch: 3)
    #expect(stage.replica.read(from: .zero, epoch: LeaderEpoch(9)) == .refused(.unknownLeaderEpoch))
    #expect(stage.replica.read(from: .zero, epoch: LeaderEpoch(2)) == .refused(.fencedLeaderEpoch))
    #expect(stage.committed != nil)
  }

  @Test func metadataThatIsOlderThanWhatIsKnownDoesNothing() {
    var stage = Stage()
    stage.elect(0, epoch: 3)
    let old = stage.state
    stage.change(inSync: [NodeID(0), NodeID(1)])
    #expect(stage.feed(.assigned(old)) == [])
    #expect(stage.committed == [NodeID(0), NodeID(1)])
  }

  @Test func alsoALogThatDivergesIsToldWhere() {
    var stage = Stage(log: Stage.log(upTo: 7, [(1, 0), (2, 4)]))
    stage.elect(0, epoch: 5)
    #expect(stage.fetch(1, at: 9, last: 3).answers == [.diverging(EpochEnd(LeaderEpoch(2), upTo: Offset(7)))])
    #expect(stage.fetch(1, at: 6, last: 1).answers == [.diverging(EpochEnd(LeaderEpoch(1), upTo: Offset(4)))])
    stage.fetch(2, at: 7, last: 2)
    #expect(stage.mark == 0, "a log that diverges counts for nothing")
  }

  @Test func aFetchBelowTheStartIsToldTheRange() {
    var stage = Stage(log: Stage.log(upTo: 7, highWatermark: 7, [(1, 0)]))
    stage.elect(0, epoch: 5)
    stage.feed(.logStartMoved(Offset(3)))
    #expect(stage.fetch(1, at: 0).answers == [.outOfRange(logStart: Offset(3), logEnd: Offset(7))])
  }

  @Test func aLogThatCannotBeComparedAnyMoreCountsOnceTheFollowerHasRemovedAsMuch() {
    var stage = Stage(log: Stage.log(upTo: 9, highWatermark: 9, [(1, 0), (2, 4)]), inSync: [NodeID(0), NodeID(1)])
    stage.elect(0, epoch: 5)
    stage.feed(.logStartMoved(Offset(9)))
    // Epoch 1 ended at 4; nobody here knows that any more.
    let effects = stage.fetch(2, at: 9, last: 1)
    #expect(effects.answers == [.records(upTo: Offset(9), highWatermark: Offset(9), logStart: Offset(9))])
    #expect(effects.proposals == [])
    #expect(stage.fetch(2, at: 9, last: LeaderEpoch.none.value).proposals.count == 1)
  }

  @Test func anEarlierLifeThatWasElectedDoesNotLead() {
    var stage = Stage()
    stage.elect(0, epoch: 1, life: 0)
    #expect(stage.committed == nil)
    stage.elect(0, epoch: 2, life: 1)
    #expect(stage.committed != nil)
  }

  @Test func anEpochThatTheLogHasSeenIsNotLedAgain() {
    var stage = Stage(log: Stage.log(upTo: 3, [(4, 0)]))
    stage.elect(0, epoch: 4)
    #expect(stage.committed == nil)
  }
}
