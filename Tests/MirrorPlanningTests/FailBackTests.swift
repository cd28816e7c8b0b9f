import MirrorPlanning
import Testing
import Vocabulary

@Suite struct FailBackTests {
  private let name = TopicName("orders")!
  private let id = UniqueID(high: 1, low: 7)

  /// The topic at the cluster that has taken over, whose source was "A".
  private func source(
    generation: Int32 = 2, partitions: Int = 2, path: [String] = ["A"], link: String? = nil
  ) -> SourceTopic {
    var configs = [
      "mirror.report": "generation=\(generation);0:unknown;1:end=30,source.end=35,age.ms=4",
      "mirror.path": path.joined(separator: ","),
    ]
    configs["mirror.link"] = link
    return SourceTopic(name: name, id: id, partitions: partitions, path: MirrorPath(path), configs: configs)
  }

  private func own(_ generation: Int32? = nil, id: UniqueID? = nil) -> OwnTopic {
    OwnTopic(
      id: id ?? self.id, partitions: 2, link: nil,
      configs: generation.map { ["mirror.report": "generation=\($0)"] } ?? [:])
  }

  private func plan(_ source: SourceTopic, _ own: OwnTopic, failsBack: Bool = true) -> [TopicStep] {
    planTopic(source, own: own, link: "home", from: "B", into: "A", failsBack: failsBack)
  }

  @Test func aTopicIsGivenUpToWhoHasTakenItOver() {
    #expect(plan(source(), own()) == [.giveUp(path: MirrorPath(["B"]), generation: 2, shared: [1: Offset(30)])])
  }

  @Test func nothingIsGivenUpUnlessAFailBackWasAskedFor() {
    #expect(plan(source(), own(), failsBack: false) == [.leave(.nameIsTaken(by: nil))])
  }

  @Test func aGenerationHasOneWriter() {
    #expect(plan(source(generation: 2), own(2)) == [.leave(.isNotLater(own: 2, source: 2))])
    #expect(plan(source(generation: 2), own(3)) == [.leave(.isNotLater(own: 3, source: 2))])
    #expect(
      plan(source(generation: 3), own(2)) == [.giveUp(path: MirrorPath(["B"]), generation: 3, shared: [1: Offset(30)])])
  }

  @Test func whoOnlyCopiesATopicIsNotItsOwner() {
    #expect(plan(source(path: ["Z"], link: "z"), own()) == [.leave(.isMirroredThere(by: "z"))])
  }

  @Test func aTopicThatNeverCameFromHereIsAnotherOne() {
    #expect(plan(source(path: ["Z"]), own()) == [.leave(.neverCameFromHere)])
    let other = UniqueID(high: 9, low: 9)
    #expect(plan(source(), own(id: other)) == [.leave(.madeAgain(id))])
    #expect(plan(source(partitions: 1), own()) == [.leave(.shrunk(to: 1))])
  }

  @Test func generationsAreReadFromReports() {
    #expect(ownershipGeneration([:]) == 1)
    #expect(ownershipGeneration(["mirror.report": "generation=12;0:end=4"]) == 12)
    #expect(ownershipGeneration(["mirror.report": "nonsense"]) == 1)
  }

  private func status(_ state: PartitionStatus.State, age: Int64?) -> PartitionStatus {
    var status = PartitionStatus(state: state, start: .zero, end: Offset(5), mark: Offset(5))
    status.age = age.map { .milliseconds($0) }
    status.reason = state == .halted ? "it differs" : nil
    return status
  }

  private func plan(_ first: PartitionStatus?, _ second: PartitionStatus?, since: Int64?) -> FailBackStep {
    var statuses: [TopicPartition: PartitionStatus] = [:]
    statuses[TopicPartition(name, PartitionIndex(0))] = first
    statuses[TopicPartition(name, PartitionIndex(1))] = second
    return planFailBack(topics: [name: 2], statuses: statuses, givenUpFor: since.map { .milliseconds($0) })
  }

  @Test func aFailBackIsDoneOnceEveryCopyHasHeardOfItsSource() {
    #expect(plan(status(.copying, age: 100), status(.copying, age: 50), since: 300) == .done)
    let second = TopicPartition(name, PartitionIndex(1))
    #expect(
      plan(status(.copying, age: 100), status(.halted, age: 50), since: 300)
        == .waitFor([second], reason: "orders-1: it differs"))
    for late in [status(.copying, age: 300), status(.copying, age: nil), nil] {
      guard case .waitFor([second], _) = plan(status(.copying, age: 100), late, since: 300) else {
        Issue.record("it does not wait")
        continue
      }
    }
    guard case .waitFor = plan(status(.copying, age: 100), status(.copying, age: 50), since: nil) else {
      Issue.record("it does not wait for topics that are still to be given up")
      return
    }
    #expect(planFailBack(topics: [:], statuses: [:], givenUpFor: .seconds(1)) == .nothingToDo)
  }
}

@Suite struct KeepingTests {
  private let now = Timestamp(milliseconds: 1_000_000)
  private func place(_ index: Int32) -> TopicPartition { TopicPartition(TopicName("orders")!, PartitionIndex(index)) }

  private func status(_ end: Int64?, age: Int64 = 100, gaps: [Range<Int64>] = []) -> PartitionStatus {
    var status = PartitionStatus(state: .copying, start: .zero, end: .zero, mark: .zero)
    status.sourceEnd = end.map { Offset($0) }
    status.sourceStart = end.map { _ in .zero }
    status.age = end.map { _ in .milliseconds(age) }
    status.accepted = gaps
    return status
  }

  private func kept(_ end: Int64, ago: Int64, gaps: [Range<Int64>] = []) -> KnownSource {
    KnownSource(
      end: Offset(end), start: .zero, at: Timestamp(milliseconds: now.milliseconds - ago), gaps: gaps)
  }

  @Test func whatIsKnownIsReadBackWithItsAge() throws {
    let known = try #require(KnownSource(status(120, age: 400, gaps: [3..<5, 9..<10]), now: now))
    #expect(KnownSource(text: known.text) == known)
    #expect(known.at.milliseconds == now.milliseconds - 400)
    let moment = Instant(nanoseconds: 5_000_000_000)
    let reading = try #require(known.reading(at: moment, Timestamp(milliseconds: now.milliseconds + 1000)))
    #expect(moment - reading.at == .milliseconds(1400))
    #expect(reading.highWatermark == Offset(120))
    // A clock that went back makes it no younger than now.
    #expect(known.reading(at: moment, Timestamp(milliseconds: 0))?.at == moment)
  }

  @Test func aLeaderThatComesUpGoesOnWithWhatWasKnown() throws {
    let known = kept(120, ago: 5000, gaps: [3..<5])
    let moment = Instant(nanoseconds: 0)
    let copy = PartitionCopy(reading: known.reading(at: moment, now), accepted: known.gaps)
    let status = PartitionStatus(copy, start: .zero, end: Offset(100), mark: Offset(100), now: moment)
    #expect(status.sourceEnd == Offset(120) && status.age == .seconds(5) && status.accepted == [3..<5])
    #expect(status.lag == 20)
  }

  @Test func whatIsNotKnownIsNotWritten() { #expect(planKeeping([place(0): status(nil)], kept: [:], now: now) == [:]) }

  @Test func whatHasNotChangedIsWrittenAnewOnlyAfterAWhile() {
    let old = [place(0): kept(120, ago: 10_000)]
    #expect(planKeeping([place(0): status(120)], kept: old, now: now) == [:])
    #expect(planKeeping([place(0): status(121)], kept: old, now: now).keys.sorted() == [place(0)])
    let older = [place(0): kept(120, ago: 100_000)]
    #expect(planKeeping([place(0): status(120)], kept: older, now: now).keys.sorted() == [place(0)])
  }

  @Test func anOlderReadingDoesNotReplaceANewerOne() {
    #expect(planKeeping([place(0): status(90, age: 9000)], kept: [place(0): kept(120, ago: 10)], now: now) == [:])
  }

  @Test func theMetadataGrowsByABoundedRateAndGapsComeFirst() {
    var statuses: [TopicPartition: PartitionStatus] = [:]
    var old: [TopicPartition: KnownSource] = [:]
    for index in 0..<Int32(keepingMax * 3) {
      statuses[place(index)] = status(200)
      old[place(index)] = kept(100, ago: Int64(10_000 + index))
    }
    statuses[place(1)] = status(200, gaps: [7..<9])
    let plan = planKeeping(statuses, kept: old, now: now)
    #expect(plan.count == keepingMax)
    #expect(plan[place(1)]?.gaps == [7..<9])
    // Then what was written longest ago.
    #expect(plan[place(Int32(keepingMax * 3 - 1))] != nil && plan[place(2)] == nil)
  }
}
