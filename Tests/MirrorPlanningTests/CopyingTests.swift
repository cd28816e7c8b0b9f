import MirrorPlanning
import Testing
import Vocabulary

@Suite struct CopyingTests {
  private let now = Instant(nanoseconds: 1_000_000_000)

  private func position(start: Int64 = 0, end: Int64 = 100, last: Int32 = 3, own: Int32 = 70_000) -> CopyPosition {
    CopyPosition(
      start: Offset(start), end: Offset(end), lastEpoch: LeaderEpoch(last), ownEpoch: LeaderEpoch(own))
  }

  private func records(
    from: Int64, to: Int64, epoch: Int32 = 3, mark: Int64? = nil, start: Int64 = 0
  ) -> SourceAnswer {
    .records(
      from: Offset(from), upTo: Offset(to), runs: from == to ? [] : [EpochRun(LeaderEpoch(epoch), at: Offset(from))],
      highWatermark: Offset(mark ?? to), logStart: Offset(start))
  }

  @Test func whatGoesOnWhereTheCopyEndsIsAppended() {
    var copy = PartitionCopy()
    #expect(
      copy.answered(records(from: 100, to: 120), at: position(), policy: .halt, now: now)
        == .append(logStart: .zero))
    #expect(copy.reading == SourceReading(highWatermark: Offset(120), logStart: .zero, at: now))
  }

  @Test func whatIsForAnotherPlaceIsNotAppended() {
    var copy = PartitionCopy()
    #expect(copy.answered(records(from: 90, to: 120), at: position(), policy: .halt, now: now) == .rest)
    #expect(copy.reading == nil)
  }

  @Test func nothingIsTakenThatTheSourceHasNotCommitted() {
    var copy = PartitionCopy()
    #expect(copy.answered(records(from: 100, to: 120, mark: 119), at: position(), policy: .halt, now: now) == .rest)
  }

  @Test func whyASourceIsOfNoUseIsSaidUntilItIsOfUse() {
    var copy = PartitionCopy()
    func reason() -> String {
      PartitionStatus(copy, start: .zero, end: Offset(100), mark: Offset(100), now: now).reason ?? ""
    }
    for (code, words) in [
      (ErrorCode.unsupportedVersion, "older than Kafka 2.8"), (.unsupportedForMessageFormat, "before Kafka 0.11"),
      (.corruptMessage, "checksum"), (.topicAuthorizationFailed, "TOPIC_AUTHORIZATION_FAILED"),
    ] {
      #expect(copy.answered(.refused(code), at: position(), policy: .halt, now: now) == .rest)
      #expect(reason().contains(words))
    }
    _ = copy.answered(.unreachable, at: position(), policy: .halt, now: now)
    #expect(reason() == "the source did not answer with records")
    _ = copy.answered(records(from: 100, to: 120), at: position(), policy: .halt, now: now)
    #expect(reason().isEmpty && copy.phase == .copying)
  }

  @Test func aGapHaltsWithTheExactOffsets() {
    var copy = PartitionCopy()
    #expect(copy.answered(.outOfRange, at: position(), policy: .halt, now: now) == .askBounds)
    let bounds = SourceAnswer.bounds(earliest: Offset(150), latest: Offset(200))
    let halt = Halt.gap(from: Offset(100), to: Offset(150))
    #expect(copy.answered(bounds, at: position(), policy: .halt, now: now) == .halt(halt))
    #expect(copy.phase == .halted(halt))
    #expect(!copy.wants(at: .never))
    #expect(halt.description == "the source removed offsets 100 to 149 before they were copied")
  }

  @Test func aGapIsPassedOverOnlyOnceItIsWrittenDown() {
    var copy = PartitionCopy()
    let bounds = SourceAnswer.bounds(earliest: Offset(150), latest: Offset(200))
    #expect(copy.answered(bounds, at: position(), policy: .accept, now: now) == .rest)
    #expect(copy.accepted.isEmpty && copy.namedGaps == [100..<150])
    copy.recorded = copy.namedGaps
    #expect(
      copy.answered(bounds, at: position(), policy: .accept, now: now)
        == .restart(at: Offset(150), missing: 100..<150))
    #expect(copy.accepted == [100..<150] && copy.namedGaps == [100..<150])
  }

  @Test func whatIsRemovedWhileAGapIsWrittenDownIsAnotherGap() {
    var copy = PartitionCopy()
    let first = SourceAnswer.bounds(earliest: Offset(150), latest: Offset(200))
    _ = copy.answered(first, at: position(), policy: .accept, now: now)
    copy.recorded = copy.namedGaps
    let second = SourceAnswer.bounds(earliest: Offset(180), latest: Offset(200))
    #expect(
      copy.answered(second, at: position(), policy: .accept, now: now)
        == .restart(at: Offset(150), missing: 100..<150))
  }

  @Test func aGapThatWasNotPassedOverIsNotNamed() {
    var copy = PartitionCopy()
    let bounds = SourceAnswer.bounds(earliest: Offset(150), latest: Offset(200))
    _ = copy.answered(bounds, at: position(), policy: .accept, now: now)
    let nothing = SourceAnswer.records(
      from: Offset(100), upTo: Offset(100), runs: [], highWatermark: Offset(100), logStart: .zero)
    _ = copy.answered(nothing, at: position(), policy: .accept, now: now)
    #expect(copy.namedGaps.isEmpty)
  }

  @Test func aCopyThatWasNeverBegunBeginsWhereTheSourceBegins() {
    var copy = PartitionCopy()
    let untouched = CopyPosition(start: .zero, end: .zero, lastEpoch: .none, ownEpoch: LeaderEpoch(70_000))
    let bounds = SourceAnswer.bounds(earliest: Offset(150), latest: Offset(200))
    #expect(
      copy.answered(bounds, at: untouched, policy: .halt, now: now) == .restart(at: Offset(150), missing: nil))
    #expect(copy.accepted.isEmpty)
  }

  @Test func anUncleanElectionAtTheSourceHaltsTheCopy() {
    var copy = PartitionCopy()
    #expect(
      copy.answered(.diverging(LeaderEpoch(3), upTo: Offset(80)), at: position(), policy: .accept, now: now)
        == .halt(.diverged(from: Offset(80))))
  }

  @Test func aSourceThatEndsBeforeTheCopyHaltsIt() {
    var copy = PartitionCopy()
    let bounds = SourceAnswer.bounds(earliest: .zero, latest: Offset(90))
    #expect(
      copy.answered(bounds, at: position(), policy: .accept, now: now) == .halt(.shorter(sourceEnd: Offset(90))))
  }

  @Test func anOlderEpochIsNeverAppendedAfterANewerOne() {
    var copy = PartitionCopy()
    #expect(
      copy.answered(records(from: 100, to: 120, epoch: 2), at: position(last: 3), policy: .halt, now: now)
        == .halt(.diverged(from: Offset(100))))
  }

  @Test func anEpochAboveOursWaitsUntilOursIsRaised() {
    var copy = PartitionCopy()
    #expect(
      copy.answered(records(from: 100, to: 120, epoch: 9), at: position(own: 8), policy: .halt, now: now)
        == .halt(.epochTooHigh(LeaderEpoch(9))))
    copy.resume()
    #expect(
      copy.answered(records(from: 100, to: 120, epoch: 9), at: position(own: 9), policy: .halt, now: now)
        == .append(logStart: .zero))
  }

  @Test func aTopicThatWasMadeAgainIsNeverAppendedTo() {
    var copy = PartitionCopy()
    let id = UniqueID(high: 1, low: 2)
    #expect(copy.answered(.gone(now: id), at: position(), policy: .accept, now: now) == .halt(.gone(now: id)))
  }

  @Test func afterAStopNothingIsAppendedAnyMore() {
    var copy = PartitionCopy()
    copy.stop()
    #expect(copy.answered(records(from: 100, to: 120), at: position(), policy: .halt, now: now) == .rest)
    #expect(copy.reading == nil)
  }

  @Test func whatIsKnownOfTheSourceGetsOlderWhileItDoesNotAnswer() {
    var copy = PartitionCopy()
    _ = copy.answered(records(from: 100, to: 100, mark: 130), at: position(), policy: .halt, now: now)
    _ = copy.answered(.unreachable, at: position(), policy: .halt, now: now + .seconds(5))
    let status = PartitionStatus(
      copy, start: .zero, end: Offset(100), mark: Offset(100), now: now + .seconds(7))
    #expect(status.age == .seconds(7))
    #expect(status.lag == 30)
    #expect(status.state == .waiting)
  }

  @Test func pausesGrowUpToTheLongest() {
    var copy = PartitionCopy()
    var moment = now
    for _ in 0..<12 {
      _ = copy.answered(.unreachable, at: position(), policy: .halt, now: moment)
      guard case .resting(let until) = copy.phase else {
        Issue.record("it does not rest")
        return
      }
      #expect(until - moment >= PartitionCopy.restFirst && until - moment <= PartitionCopy.restMost)
      moment = until
    }
    #expect(copy.wants(at: moment))
  }

  @Test func whatWasNeverReadIsUnknownAndNotZero() {
    let status = PartitionStatus(
      PartitionCopy(), start: .zero, end: Offset(5), mark: Offset(5), now: now)
    #expect(status.lag == nil && status.age == nil)
    #expect(!status.text.contains("source.end"))
  }

  @Test func aStatusIsReadBackAsItWasWritten() throws {
    var status = PartitionStatus(state: .halted, start: Offset(1), end: Offset(2), mark: Offset(2))
    status.sourceEnd = Offset(9)
    status.sourceStart = Offset(4)
    status.age = .milliseconds(77)
    status.accepted = [3..<5, 8..<9]
    status.reason = "words with = and blanks"
    #expect(PartitionStatus(text: status.text) == status)
    #expect(PartitionStatus(text: "state=copying start=0") == nil)
    #expect(PartitionStatus(text: "") == nil)
  }
}
