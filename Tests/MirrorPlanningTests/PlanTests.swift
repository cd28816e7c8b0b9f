import MirrorPlanning
import Testing
import Vocabulary

@Suite struct PathTests {
  @Test(arguments: 2...6) func aCircleOfAnyLengthIsRefused(length: Int) throws {
    let clusters = (0..<length).map { "cluster-\($0)" }
    var path = MirrorPath([])
    for step in 0..<length - 1 {
      path = try #require(path.leading(from: clusters[step], into: clusters[step + 1]))
    }
    #expect(path.leading(from: clusters[length - 1], into: clusters[0]) == nil)
    #expect(MirrorPath(text: path.clusters.joined(separator: ",")) == path)
  }

  @Test func aClusterIsNoSourceOfItself() { #expect(MirrorPath([]).leading(from: "a", into: "a") == nil) }

  @Test func aChainHasAnEnd() {
    var path: MirrorPath? = MirrorPath([])
    for step in 0..<MirrorPath.clustersMax + 1 { path = path?.leading(from: "c\(step)", into: "c\(step + 1)") }
    #expect(path == nil)
  }
}

@Suite struct SelectionTests {
  @Test func namesAndBeginningsAreSelected() {
    let some = NameSelection("orders, pay*")
    #expect(some.contains("orders") && some.contains("payments") && some.contains("pay"))
    #expect(!some.contains("orders2") && !some.contains("repay"))
    #expect(NameSelection("*").contains("anything"))
    #expect(!NameSelection("").contains("anything"))
  }
}

@Suite struct TopicPlanTests {
  private let name = TopicName("orders")!
  private let id = UniqueID(high: 1, low: 7)

  private func source(_ partitions: Int = 3, path: [String] = [], _ configs: [String: String] = [:]) -> SourceTopic {
    SourceTopic(name: name, id: id, partitions: partitions, path: MirrorPath(path), configs: configs)
  }
  private func plan(_ source: SourceTopic, _ own: OwnTopic?) -> [TopicStep] {
    planTopic(source, own: own, link: "eu", from: "A", into: "B")
  }

  @Test func aTopicThatIsMissingIsMadeWithThePathItCameBy() {
    #expect(
      plan(source(path: ["Z"], ["retention.ms": "5", "mirror.link": "z"]), nil)
        == [.create(path: MirrorPath(["Z", "A"]), configs: ["retention.ms": "5"])])
  }

  @Test func aPlanOverItsOwnResultIsEmpty() {
    let own = OwnTopic(
      id: id, partitions: 3, link: "eu",
      configs: ["retention.ms": "5", "mirror.link": "eu", "mirror.path": "A", "placement.allowed.regions": "us"])
    #expect(plan(source(3, ["retention.ms": "5", "min.insync.regions": "2"]), own) == [])
  }

  @Test func partitionsAndSettingsAreFollowed() {
    let own = OwnTopic(id: id, partitions: 2, link: "eu", configs: ["retention.ms": "5", "segment.ms": "9"])
    #expect(
      plan(source(3, ["retention.ms": "6"]), own)
        == [.grow(to: 3), .configure(set: ["retention.ms": "6"], unset: ["segment.ms"])])
  }

  @Test func aTopicThatClientsWriteHereIsLeftAlone() {
    let own = OwnTopic(id: id, partitions: 3, link: nil, configs: [:])
    #expect(plan(source(), own) == [.leave(.nameIsTaken(by: nil))])
  }

  @Test func aTopicThatWasMadeAgainIsLeftAlone() {
    let own = OwnTopic(id: UniqueID(high: 0, low: 1), partitions: 3, link: "eu", configs: [:])
    #expect(plan(source(), own) == [.leave(.madeAgain(id))])
  }

  @Test func aTopicThatCameFromHereIsNotCopiedBack() {
    let copy = source(path: ["B"], ["mirror.link": "b"])
    #expect(plan(copy, nil) == [.leave(.circle(MirrorPath(["B"])))])
  }

  /// It copies nothing any more, so that there is no circle, wherever it came from once.
  @Test func aTopicThatWasTakenOverBeginsWhereItWasTakenOver() {
    #expect(plan(source(path: ["B"]), nil) == [.create(path: MirrorPath(["A"]), configs: [:])])
  }

  private func source(_ partitions: Int, _ configs: [String: String]) -> SourceTopic {
    source(partitions, path: [], configs)
  }
}

@Suite struct PromotionTests {
  private let name = TopicName("orders")!
  private let asked = Instant(nanoseconds: 0)

  private func place(_ index: Int32) -> TopicPartition { TopicPartition(name, PartitionIndex(index)) }

  private func plan(
    _ found: [TopicPartition: PartitionFinding], after span: TimeSpan = .seconds(1), done: Bool = false
  ) -> PromotionStep {
    planPromotion(
      isPromoted: done, generation: 4, topics: [name: 2], found: found, asked: asked, now: asked + span)
  }

  @Test func leadersThatMayStillCopyAreWaitedFor() {
    let found = [place(0): PartitionFinding(end: Offset(10), sourceEnd: nil, age: nil)]
    #expect(plan(found) == .waitFor([place(1)]))
  }

  @Test func aPartitionWithoutALeaderDoesNotKeepTheOthersFromTakingWrites() {
    let found = [place(0): PartitionFinding(end: Offset(10), sourceEnd: Offset(12), age: .milliseconds(350))]
    #expect(
      plan(found, after: promotionPatience)
        == .promote(
          generation: 5, reports: [name: "generation=5;0:end=10,source.end=12,age.ms=350;1:unknown"]))
  }

  @Test func aFailoverThatIsDoneIsNotDoneAgain() { #expect(plan([:], done: true) == .done) }

  @Test func theReportSaysWhatIsLostAndWhatNobodyKnows() throws {
    let found = [
      place(0): PartitionFinding(end: Offset(10), sourceEnd: Offset(12), age: .milliseconds(350)),
      place(1): PartitionFinding(end: Offset(7), sourceEnd: nil, age: nil),
    ]
    guard case .promote(_, let reports) = plan(found) else {
      Issue.record("it does not promote")
      return
    }
    let report = try #require(reports[name])
    let parsed = PartitionFinding.parse(report)
    #expect(parsed.map(\.index) == [0, 1])
    #expect(parsed[0].finding == found[place(0)] && parsed[0].finding?.knownLoss == 2)
    #expect(parsed[1].finding == found[place(1)] && parsed[1].finding?.knownLoss == nil)
  }
}

@Suite struct SwitchoverTests {
  private let name = TopicName("orders")!
  private func place(_ index: Int32) -> TopicPartition { TopicPartition(name, PartitionIndex(index)) }
  private func ended(_ end: Int64?, fenced: Bool = true) -> SourceStanding {
    SourceStanding(isFenced: fenced, end: end.map { Offset($0) })
  }

  private func plan(
    fenced: Bool = true, _ source: [TopicPartition: SourceStanding], _ copies: [TopicPartition: Offset],
    seen: Int = 2, counted: Int? = 2, closedFor: TimeSpan? = .seconds(1), age: TimeSpan = .milliseconds(300),
    open: Int? = 0
  ) -> SwitchoverStep {
    planSwitchover(
      generation: 1, topics: [name: 2], fenced: fenced ? [name] : [],
      counts: [name: SourceCount(seen: seen, closed: counted)], source: source,
      copies: copies.mapValues { PartitionFinding(end: $0, sourceEnd: $0, age: age, open: open) }, closedFor: closedFor)
  }

  @Test func aCopyThatHasNotHeardOfTheSourceSinceItWasClosedDoesNotCount() {
    let source = [place(0): ended(10), place(1): ended(10)]
    let copies = [place(0): Offset(10), place(1): Offset(10)]
    #expect(plan(source, copies, closedFor: .milliseconds(300)) == .waitForCopies([place(0), place(1)]))
    #expect(plan(source, copies, closedFor: nil) == .waitForCopies([place(0), place(1)]))
  }

  @Test func aCopyThatIsLongerThanTheSourceDoesNotCount() {
    let source = [place(0): ended(10), place(1): ended(10)]
    #expect(plan(source, [place(0): Offset(10), place(1): Offset(11)]) == .waitForCopies([place(1)]))
  }

  @Test func theSourceIsClosedFirst() {
    let all = [place(0): Offset(10), place(1): Offset(10)]
    #expect(plan(fenced: false, [place(0): ended(10), place(1): ended(10)], all) == .fence([name]))
  }

  @Test func anEndIsBelievedOnlyOfALeaderThatIsClosed() {
    let all = [place(0): Offset(10), place(1): Offset(10)]
    #expect(plan([place(0): ended(10), place(1): ended(10, fenced: false)], all) == .waitForSource([place(1)]))
    #expect(plan([place(0): ended(10), place(1): ended(nil)], all) == .waitForSource([place(1)]))
    #expect(plan([place(0): ended(10)], all) == .waitForSource([place(1)]))
  }

  @Test func whatIsOpenEndsBeforeAnythingChangesSides() {
    let source = [place(0): ended(10), place(1): ended(10)]
    let copies = [place(0): Offset(10), place(1): Offset(10)]
    #expect(plan(source, copies, open: 2) == .waitForTransactions([place(0): 2, place(1): 2]))
    // Who does not say what is open may have something.
    #expect(plan(source, copies, open: nil) == .waitForCopies([place(0), place(1)]))
    if case .promote = plan(source, copies) {} else { Issue.record("nothing is open, and it waits") }
  }

  @Test func theReportSaysWhatWillBeTakenBack() {
    let found = [place(0): PartitionFinding(end: Offset(10), sourceEnd: Offset(10), age: .zero, open: 3)]
    let step = planPromotion(
      isPromoted: false, generation: 1, topics: [name: 1], found: found, asked: Instant(nanoseconds: 0),
      now: Instant(nanoseconds: 0))
    #expect(step == .promote(generation: 2, reports: [name: "generation=2;0:end=10,source.end=10,age.ms=0,aborted=3"]))
    #expect(PartitionFinding.parse("generation=2;0:end=10,source.end=10,age.ms=0,aborted=3").first?.finding?.open == 3)
    #expect(PartitionFinding.parse("generation=2;0:end=10").first?.finding?.open == nil)
  }

  @Test func partitionsThatTheSourceGotMeanwhileAreMadeHereFirst() {
    let source = [place(0): ended(10), place(1): ended(10)]
    let copies = [place(0): Offset(10), place(1): Offset(10)]
    #expect(plan(source, copies, counted: nil) == .waitForCounts([name]))
    #expect(plan(source, copies, counted: 3) == .grow([name]))
    // What is seen before the source is closed is made before it.
    #expect(plan(fenced: false, source, copies, seen: 3, counted: nil) == .grow([name]))
    #expect(plan(source, copies, seen: 3, counted: 2) == .grow([name]))
  }

  @Test func nothingChangesSidesBeforeEveryRecordIsCommittedHere() {
    let source = [place(0): ended(10), place(1): ended(20)]
    #expect(plan(source, [place(0): Offset(10), place(1): Offset(19)]) == .waitForCopies([place(1)]))
    #expect(plan(source, [place(0): Offset(10)]) == .waitForCopies([place(1)]))
    guard case .promote(let generation, let reports) = plan(source, [place(0): Offset(10), place(1): Offset(20)])
    else {
      Issue.record("it does not promote")
      return
    }
    #expect(generation == 2)
    #expect(PartitionFinding.parse(reports[name] ?? "").map { $0.finding?.knownLoss } == [0, 0])
  }
}
