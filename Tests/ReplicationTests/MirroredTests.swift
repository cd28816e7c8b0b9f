import Replication
import Testing
import Vocabulary

@Suite struct MirroredTests {
  /// The leader leads in epoch 70000, and copies what another cluster wrote in epochs 3 and 4.
  private func leader() -> Stage {
    var stage = Stage()
    stage.elect(0, epoch: 70_000)
    stage.feed(
      .mirrored(
        epochs: [EpochStart(LeaderEpoch(3), at: .zero), EpochStart(LeaderEpoch(4), at: Offset(6))], upTo: Offset(10)))
    return stage
  }

  @Test func aFollowerComparesByTheEpochsOfTheSource() {
    var stage = leader()
    #expect(
      stage.fetch(1, at: 10, last: 4).answers
        == [.records(upTo: Offset(10), highWatermark: .zero, logStart: .zero)])
    // It has copied more in epoch 3 than there was in the end.
    #expect(stage.fetch(2, at: 8, last: 3).answers == [.diverging(EpochEnd(LeaderEpoch(3), upTo: Offset(6)))])
  }

  @Test func whatWasCopiedIsCommittedWhenEverybodyInSyncHasIt() {
    var stage = leader()
    #expect(stage.mark == 0)
    stage.fetch(1, at: 10, last: 4)
    #expect(stage.fetch(2, at: 10, last: 4).contains(.keepHighWatermark(Offset(10))))
  }

  @Test func theFirstWriteOfOurOwnIsInAnEpochOfOurOwn() throws {
    var stage = leader()
    stage.elect(0, epoch: 70_001)
    #expect(try stage.replica.admit(.leader).get() == LeaderEpoch(70_001))
    stage.write(upTo: 11, .leader)
    // Whoever has gone on with the source's epoch meanwhile has to cut that off.
    #expect(stage.fetch(1, at: 12, last: 4).answers == [.diverging(EpochEnd(LeaderEpoch(4), upTo: Offset(10)))])
  }

  @Test func anotherLeaderOfTheCopyGoesOnWhereItEnds() {
    var stage = leader()
    stage.elect(1, epoch: 70_001)
    stage.elect(0, epoch: 70_002)
    stage.feed(.mirrored(epochs: [EpochStart(LeaderEpoch(4), at: Offset(10))], upTo: Offset(12)))
    #expect(
      stage.fetch(1, at: 12, last: 4).answers
        == [.records(upTo: Offset(12), highWatermark: .zero, logStart: .zero)])
  }

  @Test func followersBeginAnewBehindAGap() {
    var stage = leader()
    #expect(stage.feed(.mirrorRestarted(at: Offset(50))).contains(.keepHighWatermark(Offset(50))))
    #expect(stage.fetch(1, at: 10, last: 4).answers == [.outOfRange(logStart: Offset(50), logEnd: Offset(50))])
  }

  @Test func whoDoesNotLeadCopiesNothing() {
    var stage = leader()
    stage.elect(1, epoch: 70_001)
    stage.feed(.mirrored(epochs: [EpochStart(LeaderEpoch(4), at: Offset(10))], upTo: Offset(20)))
    #expect(stage.replica.log.end == Offset(10))
  }

  @Test func whatTheSourceDoesNotHaveIsCutOffOnEveryCopy() {
    var stage = leader()
    stage.fetch(1, at: 10, last: 4)
    stage.fetch(2, at: 10, last: 4)
    #expect(stage.mark == 10)
    let effects = stage.feed(.mirrorTruncated(to: Offset(8)))
    #expect(effects.contains(.truncate(to: Offset(8))) && effects.contains(.keepHighWatermark(Offset(8))))
    #expect(stage.replica.log.end == Offset(8) && stage.mark == 8)
    // Others still have it, and find out.
    #expect(stage.fetch(1, at: 10, last: 4).answers == [.diverging(EpochEnd(LeaderEpoch(4), upTo: Offset(8)))])
  }

  /// They said that they had offset 9, which was another record.
  @Test func whatOthersSaidOfWhatWasCutOffDoesNotCommitWhatComesInItsPlace() {
    var stage = leader()
    stage.fetch(1, at: 10, last: 4)
    stage.fetch(2, at: 10, last: 4)
    stage.feed(.mirrorTruncated(to: Offset(8)))
    stage.feed(.mirrored(epochs: [EpochStart(LeaderEpoch(6), at: Offset(8))], upTo: Offset(10)))
    #expect(stage.mark == 8)
    stage.fetch(1, at: 10, last: 4)
    stage.fetch(2, at: 10, last: 4)
    #expect(stage.mark == 8)
    stage.fetch(1, at: 10, last: 6)
    stage.fetch(2, at: 10, last: 6)
    #expect(stage.mark == 10)
  }

  @Test func whereNothingIsSharedTheCopyBeginsAnew() {
    var stage = leader()
    #expect(stage.feed(.mirrorTruncated(to: .zero)).contains(.restart(at: .zero)))
    #expect(stage.replica.log.end == .zero)
    stage.feed(.mirrored(epochs: [EpochStart(LeaderEpoch(2), at: .zero)], upTo: Offset(3)))
    #expect(stage.fetch(1, at: 10, last: 4).answers == [.diverging(EpochEnd(LeaderEpoch(2), upTo: Offset(3)))])
  }
}
