import Replication
import Testing
import Vocabulary

@Suite struct FollowerTests {
  static func copied(_ start: Int64, _ end: Int64, epoch: Int32, mark: Int64, logStart: Int64 = 0) -> FetchOutcome {
    .records(
      Copied(
        from: Offset(start), upTo: Offset(end),
        epochs: start < end ? [EpochStart(LeaderEpoch(epoch), at: Offset(start))] : [], highWatermark: Offset(mark),
        logStart: Offset(logStart)))
  }

  @Test func aFollowerAsksFromItsEndWithTheEpochOfItsLastRecord() {
    var stage = Stage(log: Stage.log(upTo: 7, highWatermark: 3, [(1, 0), (2, 4)]))
    let request = stage.elect(1, epoch: 5).fetches.first
    #expect(request?.offset == Offset(7))
    #expect(request?.lastEpoch == LeaderEpoch(2))
    #expect(request?.leaderEpoch == LeaderEpoch(5))
  }

  @Test func whatIsCopiedIsAppendedBeforeTheNextFetchSaysSo() throws {
    var stage = Stage()
    stage.elect(1, epoch: 1)
    let id = try #require(stage.underway)
    let effects = stage.answer(Self.copied(0, 3, epoch: 1, mark: 2))
    #expect(effects.prefix(2) == [.append(id, from: .zero, upTo: Offset(3)), .keepHighWatermark(Offset(2))])
    #expect(effects.count == 3)
    #expect(effects.fetches.first?.offset == Offset(3))
  }

  @Test func theHighWatermarkIsTheLeadersButNotAboveTheOwnEndAndNeverGoesBack() {
    var stage = Stage()
    stage.elect(1, epoch: 1)
    _ = stage.answer(Self.copied(0, 3, epoch: 1, mark: 9))
    #expect(stage.mark == 3)
    _ = stage.answer(Self.copied(3, 4, epoch: 1, mark: 1))
    #expect(stage.mark == 3)
  }

  @Test func anAnswerThatComesTooLateIsIgnored() throws {
    var stage = Stage()
    stage.elect(1, epoch: 1)
    let old = try #require(stage.underway)
    stage.elect(2, epoch: 2)
    #expect(stage.feed(.fetchAnswered(old, Self.copied(0, 3, epoch: 1, mark: 3))) == [])
    #expect(stage.replica.log.end == .zero)
  }

  @Test func aDivergingLogIsCutToTheLargestCommonEpoch() {
    var stage = Stage(log: Stage.log(upTo: 9, highWatermark: 2, [(1, 0), (2, 4), (3, 6)]))
    stage.elect(1, epoch: 5)
    let first = stage.answer(.diverging(EpochEnd(LeaderEpoch(2), upTo: Offset(5))))
    #expect(first.first == .truncate(to: Offset(5)))
    #expect(first.fetches.first?.lastEpoch == LeaderEpoch(2))
    let second = stage.answer(.diverging(EpochEnd(LeaderEpoch(1), upTo: Offset(3))))
    #expect(second.first == .truncate(to: Offset(3)))
    #expect(stage.replica.log.epochs.starts == [EpochStart(LeaderEpoch(1), at: .zero)])
  }

  @Test func anEpochThatTheFollowerLacksIsCutToTheOneBelow() {
    var stage = Stage(log: Stage.log(upTo: 9, highWatermark: 2, [(1, 0), (4, 6)]))
    stage.elect(1, epoch: 5)
    // The leader's epoch 3 reaches further than our epoch 1 does: only what epoch 1 wrote can be the same.
    #expect(stage.answer(.diverging(EpochEnd(LeaderEpoch(3), upTo: Offset(8)))).first == .truncate(to: Offset(6)))
  }

  @Test func whatTheLeaderNoLongerHasIsSkipped() {
    var stage = Stage(log: Stage.log(upTo: 4, highWatermark: 2, [(1, 0)]))
    stage.elect(1, epoch: 5)
    let effects = stage.answer(.outOfRange(logStart: Offset(20), logEnd: Offset(30)))
    #expect(effects.first == .restart(at: Offset(20)))
    #expect(effects.fetches.first?.offset == Offset(20))
    #expect(effects.fetches.first?.lastEpoch == LeaderEpoch.none)
  }

  @Test(arguments: [(5, 2), (6, 6)])
  func whatTheLeaderHasRemovedGoesBeforeAnythingIsCommitted(start: Int64, mark: Int64) {
    var stage = Stage(log: Stage.log(upTo: 6, highWatermark: mark, [(1, 0)]))
    stage.elect(1, epoch: 5)
    let effects = stage.answer(Self.copied(6, 8, epoch: 5, mark: 8, logStart: start))
    #expect(effects.first == .deleteBefore(Offset(start)))
    #expect(stage.replica.log.start == Offset(start))
  }

  /// Its records may never have been committed, and the log would take their producers' repeats for stored.
  @Test func aFollowerWhoseRecordsTheLeaderCanNoLongerCompareBeginsAnew() {
    var stage = Stage(log: Stage.log(upTo: 6, highWatermark: 5, [(1, 0)]))
    stage.elect(1, epoch: 5)
    let effects = stage.answer(Self.copied(6, 8, epoch: 5, mark: 8, logStart: 6))
    #expect(effects.first == .restart(at: Offset(6)))
    #expect(stage.replica.log.start == Offset(6) && stage.replica.log.end == Offset(8))
    #expect(stage.replica.log.epochs.latest == LeaderEpoch(5))
  }

  @Test func aRefusedFetchIsTriedAgainSoonAndThenLessAndLessOften() {
    var stage = Stage()
    stage.elect(1, epoch: 1)
    func refuse(_ stage: inout Stage, expecting pause: Int64) {
      #expect(stage.answer(.refused(.notLeaderOrFollower)) == [])
      stage.now += pause - 1
      #expect(stage.feed(.tick) == [])
      stage.now += 1
      #expect(stage.feed(.tick).fetches.count == 1)
    }
    for pause: Int64 in [63, 125, 250, 500, 1000, 1000] { refuse(&stage, expecting: pause) }
    #expect(stage.answer(Self.copied(0, 3, epoch: 1, mark: 0)).fetches.count == 1)
    refuse(&stage, expecting: 63)
  }

  @Test func aFetchThatIsNotAnsweredIsSentAnew() {
    var stage = Stage()
    let first = stage.elect(1, epoch: 1).fetches.first
    stage.now += 30_000
    let second = stage.feed(.tick).fetches.first
    #expect(second != nil && second?.id != first?.id)
  }

  @Test(
    arguments: [
      (5, 8, [(1, 5)]), (3, 2, [(1, 3)]), (3, 6, []), (3, 6, [(1, 4)]), (3, 6, [(9, 3)]), (3, 6, [(2, 3), (1, 4)]),
      (3, 6, [(1, 3), (2, 7)]),
    ] as [(Int64, Int64, [(Int32, Int64)])])
  func recordsThatDoNotContinueTheLogAreNotTaken(start: Int64, end: Int64, epochs: [(Int32, Int64)]) {
    var stage = Stage(log: Stage.log(upTo: 3, [(1, 0)]))
    stage.elect(1, epoch: 5)
    let wrong = Copied(
      from: Offset(start), upTo: Offset(end), epochs: epochs.map { EpochStart(LeaderEpoch($0), at: Offset($1)) },
      highWatermark: .zero, logStart: .zero)
    #expect(stage.answer(.records(wrong)) == [])
    #expect(stage.replica.log.end == Offset(3))
  }

  @Test func afterACrashNothingAboveTheRecoveredEndIsBelieved() {
    let log = Stage.log(upTo: 5, highWatermark: 9, [(1, 0), (2, 4), (3, 7)])
    #expect(log.highWatermark == Offset(5))
    #expect(log.epochs.latest == LeaderEpoch(2))
  }

  @Test func aFormerLeaderWithoutRecordsTakesOlderOnesInItsPlace() {
    var stage = Stage(log: Stage.log(upTo: 5, [(1, 0)]))
    stage.elect(0, epoch: 3)
    stage.elect(1, epoch: 4)
    _ = stage.answer(Self.copied(5, 8, epoch: 2, mark: 5))
    #expect(stage.replica.log.epochs.starts.last == EpochStart(LeaderEpoch(2), at: Offset(5)))
  }
}
