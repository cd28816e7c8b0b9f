import Replication
import Testing
import Vocabulary

@Suite struct ReadingTests {
  @Test func nothingAboveTheHighWatermarkIsShown() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 3)
    stage.fetch(2, at: 5)
    #expect(stage.replica.read(from: Offset(1)) == .readable(Readable(end: Offset(3), highWatermark: Offset(3))))
    #expect(stage.replica.read(from: Offset(4)) == .readable(Readable(end: Offset(4), highWatermark: Offset(3))))
    #expect(stage.replica.read(from: Offset(6)) == .refused(.offsetOutOfRange))
  }

  @Test func aNewLeaderShowsNoHighWatermarkThatCouldHaveGoneBack() {
    var stage = Stage(log: Stage.log(upTo: 8, highWatermark: 4, [(1, 0)]))
    stage.elect(0, epoch: 2)
    #expect(stage.replica.read(from: Offset(1)) == .readable(Readable(end: Offset(4), highWatermark: nil)))
    #expect(stage.replica.read(from: Offset(6)) == .refused(.offsetNotAvailable))
    stage.fetch(1, at: 8, last: 1)
    stage.fetch(2, at: 8, last: 1)
    #expect(stage.replica.read(from: Offset(6)) == .readable(Readable(end: Offset(8), highWatermark: Offset(8))))
  }

  @Test func aFollowerShowsWhatItKnowsToBeCommitted() {
    var stage = Stage(log: Stage.log(upTo: 8, highWatermark: 4, [(1, 0)]))
    #expect(stage.replica.read(from: .zero) == .refused(.notLeaderOrFollower))
    stage.elect(1, epoch: 2)
    #expect(stage.replica.read(from: Offset(1)) == .readable(Readable(end: Offset(4), highWatermark: Offset(4))))
    #expect(stage.replica.read(from: Offset(5)) == .refused(.offsetNotAvailable))
  }

  @Test func aConsumerIsSentToACopyInItsRegionThatHasCaughtUp() {
    var stage = Stage()
    stage.elect(0, epoch: 1)
    stage.write(upTo: 5)
    stage.fetch(1, at: 5)
    stage.fetch(2, at: 3)
    let now = Instant(nanoseconds: 0)
    #expect(stage.replica.preferredReader(in: Region("b"), from: Offset(2), at: now) == NodeID(1))
    #expect(stage.replica.preferredReader(in: Region("b"), from: Offset(4), at: now) == nil, "not yet committed")
    #expect(stage.replica.preferredReader(in: Region("a"), from: Offset(2), at: now) == nil, "here")
    #expect(stage.replica.preferredReader(in: Region("z"), from: Offset(2), at: now) == nil)
    let later = Instant(nanoseconds: (Stage.lagMax + 1) * 1_000_000)
    #expect(stage.replica.preferredReader(in: Region("c"), from: Offset(2), at: later) == nil, "too far behind")
  }
}
