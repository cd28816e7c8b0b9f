import MirrorPlanning
import Testing
import Vocabulary

@Suite struct DivergenceTests {
  /// Epochs with the offsets at which they begin.
  private func runs(_ pairs: [(Int32, Int64)]) -> [EpochRun] {
    pairs.map { EpochRun(LeaderEpoch($0.0), at: Offset($0.1)) }
  }

  private func search(
    _ pairs: [(Int32, Int64)], from start: Int64 = 0, upTo end: Int64, emptyAt: Int64? = nil
  ) throws -> DivergenceSearch {
    try #require(
      DivergenceSearch(runs(pairs), from: Offset(start), upTo: Offset(end), emptyAt: emptyAt.map { Offset($0) }))
  }

  @Test func logsPartWhereTheEpochThatBothHaveEndsFirst() throws {
    var longer = try search([(3, 0)], upTo: 400)
    #expect(longer.answered(LeaderEpoch(3), upTo: Offset(300)) == .parts(at: Offset(300)))
    // Ours went on in an epoch that the source never had.
    var later = try search([(3, 0), (4, 310)], upTo: 400)
    #expect(later.asked == LeaderEpoch(4))
    #expect(later.answered(LeaderEpoch(3), upTo: Offset(350)) == .parts(at: Offset(310)))
  }

  @Test func anEpochThatWeLackIsAskedPast() throws {
    var one = try search([(1, 0), (5, 100)], upTo: 200)
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(150)) == .ask(LeaderEpoch(1)))
    #expect(one.answered(LeaderEpoch(1), upTo: Offset(80)) == .parts(at: Offset(80)))
  }

  @Test func whereTheSourceHasAllOfItNothingIsCutOff() throws {
    var one = try search([(3, 0)], upTo: 300)
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(300)) == .same)
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(900)) == .same)
  }

  @Test func whereNothingIsSharedAllOfItIsCutOff() throws {
    var one = try search([(7, 20)], from: 20, upTo: 90)
    #expect(one.answered(LeaderEpoch(2), upTo: Offset(15)) == .parts(at: Offset(20)))
    var empty = try search([(7, 20)], from: 20, upTo: 90)
    #expect(empty.answered(.none, upTo: .none) == .parts(at: Offset(20)))
  }

  @Test func aSourceThatRemovedEverythingTakesNothingBackThatItRemoved() throws {
    var one = try search([(7, 20)], from: 20, upTo: 90, emptyAt: 60)
    #expect(one.answered(.none, upTo: .none) == .parts(at: Offset(60)))
  }

  /// Retention may have removed there what epochs would tell it by.
  @Test func whatIsKnownNotToBeSharedIsCutOffWhateverEpochsSay() throws {
    var one = try #require(
      DivergenceSearch(runs([(3, 0)]), from: .zero, upTo: Offset(400), limit: Offset(300)))
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(350)) == .parts(at: Offset(300)))
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(900)) == .parts(at: Offset(300)))
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(200)) == .parts(at: Offset(200)))
  }

  @Test func whatWasCopiedSinceIsNotTakenForWhatOnlyTheOldOwnerHas() throws {
    let shared = try #require(SharedEnd(text: "end=300,epoch=4"))
    func exceeds(_ end: Int64, _ epoch: Int32) -> Bool {
      shared.isExceeded(
        by: CopyPosition(
          start: .zero, end: Offset(end), lastEpoch: LeaderEpoch(epoch), ownEpoch: LeaderEpoch(200_000)))
    }
    #expect(exceeds(301, 4) && exceeds(400, 3))
    #expect(!exceeds(300, 4))
    #expect(!exceeds(400, 65_540))
    #expect(SharedEnd(text: "end=3") == nil)
  }

  @Test func anAnswerThatMakesNoSenseCutsNothingOff() throws {
    var one = try search([(3, 0)], upTo: 300)
    #expect(one.answered(LeaderEpoch(4), upTo: Offset(10)) == .unclear)
    #expect(one.answered(LeaderEpoch(3), upTo: Offset(-1)) == .unclear)
    #expect(DivergenceSearch([], from: .zero, upTo: .zero) == nil)
  }

  private func mark(_ base: Int64, _ next: Int64, epoch: Int32 = 3, count: Int32 = 10, crc: UInt32 = 1) -> BatchMark {
    BatchMark(base: Offset(base), next: Offset(next), epoch: LeaderEpoch(epoch), count: count, crc: crc)
  }

  @Test func batchesThatShouldBeTheSameAreCompared() {
    let own = [mark(0, 10), mark(10, 20, crc: 2), mark(20, 30, crc: 3)]
    func compare(_ source: [BatchMark], compacted: Bool = false) -> Offset? {
      difference(own: own, source: source, below: Offset(20), isCompacted: compacted)
    }
    #expect(compare(own) == nil)
    #expect(compare([mark(0, 10), mark(10, 20, crc: 9)]) == Offset(10))
    #expect(compare([mark(0, 10), mark(10, 20, epoch: 4, crc: 2)]) == Offset(10))
    #expect(compare([mark(0, 12), mark(12, 20)]) == Offset(0))
    // Behind the place where they part they may differ.
    #expect(compare([mark(0, 10), mark(10, 20, crc: 2), mark(20, 30, crc: 7)]) == nil)
    // What the source did not send is not compared.
    #expect(compare([mark(0, 10)]) == nil)
  }

  @Test func compactionMayHaveMadeBatchesAnewButNotInAnotherEpoch() {
    let own = [mark(0, 10), mark(10, 20, count: 4, crc: 2)]
    #expect(
      difference(own: own, source: [mark(0, 10, count: 2, crc: 8), mark(15, 20)], below: Offset(20), isCompacted: true)
        == nil)
    #expect(
      difference(own: own, source: [mark(0, 10, epoch: 4)], below: Offset(20), isCompacted: true) == Offset(0))
  }

  @Test func whatWasSetAsideIsReadBackAsItWasWritten() {
    let what = SetAside(
      300..<400, records: 90, bytes: 5000, epoch: LeaderEpoch(4), broker: NodeID(2), path: "/a b/c,d;e%f/x=1.log")
    #expect(SetAside(text: what.text) == what)
    #expect(!what.text.contains(" ") && !what.text.contains(";"))
    #expect(SetAside(text: "from=3,to=1") == nil)
    #expect(SetAside(text: "") == nil)
  }

  @Test func theListOfWhatWasSetAsideIsBounded() throws {
    func entry(_ from: Int64, path: String = "/x") -> SetAside {
      SetAside(from..<from + 5, records: 5, bytes: 1, epoch: LeaderEpoch(1), broker: NodeID(1), path: path)
    }
    var list: String?
    for index in 0..<Int64(SetAside.rememberedMax + 3) { list = entry(index).added(to: list) }
    #expect(SetAside.parse(list: list).map(\.range.lowerBound) == Array(3..<Int64(SetAside.rememberedMax + 3)))
    // The same once more is one, with the newer file.
    #expect(entry(5).added(to: list) == nil)
    let again = entry(5, path: "/y").added(to: list)
    #expect(SetAside.parse(list: again).count == SetAside.rememberedMax)
    #expect(SetAside.parse(list: again).last == entry(5, path: "/y"))
  }
}

@Suite struct PartingTests {
  private let now = Instant(nanoseconds: 1_000_000_000)
  private let own = LeaderEpoch(70_000)
  private let what = SetAside(
    80..<100, records: 20, bytes: 1, epoch: LeaderEpoch(3), broker: NodeID(1), path: "/kept")

  private func diverged() -> PartitionCopy {
    var copy = PartitionCopy()
    let position = CopyPosition(start: .zero, end: Offset(100), lastEpoch: LeaderEpoch(3), ownEpoch: own)
    _ = copy.answered(.diverging(LeaderEpoch(3), upTo: Offset(80)), at: position, policy: .halt, now: now)
    return copy
  }

  private func begins(_ copy: inout PartitionCopy, _ expected: Bool = true, at moment: Instant) {
    let begins = copy.beginParting(at: moment)
    #expect(begins == expected)
  }

  @Test func nothingIsCutOffBeforeTheMetadataSaysWhereItIsKept() {
    var copy = diverged()
    #expect(copy.mayCut([what]) == nil)
    begins(&copy, at: now)
    #expect(copy.mayCut([what]) == nil)
    copy.saved(what, cutTo: Offset(80))
    #expect(copy.mayCut([]) == nil)
    #expect(copy.mayCut([what])?.what == what && copy.mayCut([what])?.cutTo == Offset(80))
  }

  @Test func copyingGoesOnInTheNextEpochOnly() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.saved(what, cutTo: Offset(80))
    copy.cutOff(true, in: own)
    copy.resume()
    copy.epochBegan(own)
    #expect(!copy.wants(at: .never))
    let status = PartitionStatus(copy, start: .zero, end: Offset(80), mark: Offset(80), now: now)
    #expect(status.state == .waiting && status.cut == own)
    copy.epochBegan(LeaderEpoch(own.value + 1))
    #expect(copy.wants(at: now) && copy.parting == .none)
  }

  @Test func aPauseDoesNotSpareTheNextEpoch() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.saved(what, cutTo: Offset(80))
    copy.cutOff(true, in: own)
    copy.stop()
    copy.resume()
    #expect(!copy.wants(at: .never))
    copy.stop()
    copy.epochBegan(LeaderEpoch(own.value + 1))
    #expect(copy.phase == .stopped)
    copy.resume()
    #expect(copy.wants(at: now))
  }

  @Test func whoeverLeadsInAnotherEpochLooksAnew() {
    var copy = diverged()
    begins(&copy, at: now)
    begins(&copy, false, at: now)
    copy.saved(what, cutTo: Offset(80))
    copy.epochBegan(LeaderEpoch(own.value + 1))
    #expect(copy.mayCut([what]) == nil)
    begins(&copy, at: now)
  }

  @Test func aLogThatChangedMeanwhileIsNotCut() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.saved(what, cutTo: Offset(80))
    copy.cutOff(false, in: own)
    #expect(copy.parting == .none && copy.phase == .halted(.diverged(from: Offset(80))))
  }

  @Test func logsThatDifferWhereTheyShouldNotStandStillForGood() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.partingFailed(.differs(at: Offset(70)), at: now)
    #expect(copy.phase == .halted(.differs(at: Offset(70))))
    begins(&copy, false, at: .never)
  }

  @Test func moreThanMayBeSetAsideStaysWhereItIs() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.partingFailed(.tooMuch(limit: 10), at: now)
    #expect(copy.phase == .halted(.tooMuch(limit: 10)))
    begins(&copy, false, at: .never)
  }

  @Test func aSourceThatDoesNotAnswerIsAskedAgainAfterAPause() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.partingFailed(.notNow("no answer"), at: now)
    begins(&copy, false, at: now)
    let status = PartitionStatus(copy, start: .zero, end: Offset(100), mark: Offset(100), now: now)
    #expect(status.state == .halted && status.reason?.contains("could not be set aside yet: no answer") == true)
    begins(&copy, at: now + PartitionCopy.partingPause)
    copy.partingWasNeedless(at: now)
    #expect(copy.wants(at: now))
  }

  @Test func nothingIsCopiedBehindWhatOnlyTheOldOwnerHas() {
    var copy = PartitionCopy()
    copy.holds(beyond: SharedEnd(Offset(80), epoch: LeaderEpoch(4)))
    #expect(!copy.wants(at: .never))
    begins(&copy, at: now)
    // Being set aside already, it is not held up again.
    copy.holds(beyond: SharedEnd(Offset(80), epoch: LeaderEpoch(4)))
    #expect(copy.parting == .searching)
    var paused = PartitionCopy()
    paused.stop()
    paused.holds(beyond: SharedEnd(Offset(80), epoch: LeaderEpoch(4)))
    #expect(paused.phase == .stopped)
  }

  @Test func aCopyThatOnlyWaitsHasNothingToSetAside() {
    var copy = PartitionCopy()
    begins(&copy, false, at: now)
  }

  @Test func aStatusWithWhatIsBeingSetAsideIsReadBack() {
    var copy = diverged()
    begins(&copy, at: now)
    copy.saved(what, cutTo: Offset(80))
    var status = PartitionStatus(copy, start: .zero, end: Offset(100), mark: Offset(100), now: now)
    status.copied = 77
    #expect(status.saved == what)
    #expect(PartitionStatus(text: status.text) == status)
  }
}
