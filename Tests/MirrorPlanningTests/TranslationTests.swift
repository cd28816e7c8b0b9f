import MirrorPlanning
import Testing
import Vocabulary

@Suite struct RemoteNamingTests {
  private func name(_ text: String) -> TopicName { TopicName(text)! }

  @Test func topicsAreCalledAsMirrorMakerCallsThem() {
    #expect(RemoteNaming.prefixed.remoteName(of: name("orders"), from: "eu")?.text == "eu.orders")
    #expect(RemoteNaming.same.remoteName(of: name("orders"), from: "eu")?.text == "orders")
    #expect(RemoteNaming.prefixed.remoteName(of: name(String(repeating: "a", count: 248)), from: "eu") == nil)
  }

  @Test func whatHasBeenInTheTargetIsNotCopiedBack() {
    #expect(RemoteNaming.prefixed.isCircle(name("us.orders"), into: "us"))
    #expect(RemoteNaming.prefixed.isCircle(name("eu.us.orders"), into: "us"))
    #expect(!RemoteNaming.prefixed.isCircle(name("eu.orders"), into: "us"))
    #expect(!RemoteNaming.prefixed.isCircle(name("us"), into: "us"))
    #expect(!RemoteNaming.prefixed.isCircle(name("bus.orders"), into: "us"))
  }

  @Test(arguments: ["__consumer_offsets", "eu.checkpoints.internal", "connect-internal", ".hidden"])
  func whatOthersKeepForThemselvesIsInternal(text: String) { #expect(RemoteNaming.isInternal(name(text))) }

  @Test func aHeartbeatIsNot() { #expect(!RemoteNaming.isInternal(name("heartbeats"))) }
}

@Suite struct OffsetRunsTests {
  @Test func neighboursAreOneRunAndAHoleBeginsAnother() {
    var runs = OffsetRuns()
    let isNew = [
      runs.add(Offset(10), at: Offset(0)), runs.add(Offset(11), at: Offset(1), count: 4),
      runs.add(Offset(20), at: Offset(5)),
    ]
    #expect(isNew == [true, false, true])
    #expect(runs.runs.map(\.count) == [5, 1])
  }

  @Test func aCommitIsTranslatedToWhereReadingGoesOn() {
    var runs = OffsetRuns()
    runs.add(Offset(10), at: Offset(0), count: 5)
    runs.add(Offset(20), at: Offset(5), count: 2)
    // (committed at the source, goes on at the copy)
    for (upstream, downstream) in [
      (0, 0), (9, 0), (10, 0), (12, 2), (15, 5), (17, 5), (20, 5), (21, 6), (22, 7), (99, 7),
    ] {
      #expect(runs.translate(Offset(Int64(upstream))) == Offset(Int64(downstream)), "\(upstream)")
    }
  }

  @Test func whatWasForgottenIsNotGuessed() {
    var runs = OffsetRuns()
    for step in 0..<Int64(OffsetRuns.runsMax + 10) { runs.add(Offset(step * 2), at: Offset(step)) }
    #expect(runs.runs.count == OffsetRuns.runsMax)
    #expect(runs.translate(Offset(3)) == nil)
    #expect(runs.translate(Offset(20)) == Offset(10))
    #expect(OffsetRuns().translate(Offset(5)) == nil)
  }

  @Test func noRecordIsLeftOutWhateverTheHoles() {
    // Every pattern of twelve offsets with and without records, and every commit.
    for pattern in 0..<4096 {
      var runs = OffsetRuns()
      let records = (0..<12).filter { pattern >> $0 & 1 == 1 }
      for (place, offset) in records.enumerated() { runs.add(Offset(Int64(offset)), at: Offset(Int64(place))) }
      for commit in 0...13 where !records.isEmpty {
        let read = records.filter { $0 < commit }.count
        #expect(runs.translate(Offset(Int64(commit))) == Offset(Int64(read)), "\(pattern) \(commit)")
      }
    }
  }
}

@Suite struct ResumeTests {
  private func plan(_ sync: (Int64, Int64)?, start: Int64 = 0, end: Int64) -> Result<ResumePoint, ResumeProblem> {
    planResume(sync: sync.map { (Offset($0.0), Offset($0.1)) }, start: Offset(start), end: Offset(end))
  }

  @Test func aCopyBeginsWhereTheSourceBegins() throws {
    let point = try plan(nil, start: 7, end: 0).get()
    #expect(point.upstream == Offset(7) && point.downstream == Offset(0) && point.present == 0)
  }

  @Test func whatWasWrittenAfterTheLastSynchronisationIsNotWrittenAgain() throws {
    let point = try plan((40, 25), end: 31).get()
    #expect(point.upstream == Offset(40) && point.downstream == Offset(25) && point.present == 6)
  }

  @Test func recordsThatNobodyExplainsAreNotContinued() {
    #expect(plan(nil, end: 3) == .failure(.isNotOurs(end: Offset(3))))
    #expect(plan((40, 25), end: 24) == .failure(.copyLostItsEnd(end: Offset(24), known: Offset(25))))
  }
}

@Suite struct PresentRecordsTests {
  /// What of `source` is written to a copy that ends with `tail`.
  private func written(_ source: String, after tail: String) -> String {
    var present = PresentRecords(tail.enumerated().map { (record: $0.element, at: Offset(Int64($0.offset))) })
    return String(source.filter { present.take($0) == nil })
  }

  @Test func whatIsThereIsNotWrittenAgain() {
    #expect(written("abcdef", after: "abc") == "def")
    #expect(written("abc", after: "") == "abc")
    #expect(written("aab", after: "aa") == "b")
  }

  @Test func whatCompactionTookAwayMeanwhileHidesNothing() {
    #expect(written("acdef", after: "abc") == "def")
    #expect(written("def", after: "abc") == "def")
    #expect(written("cdef", after: "abc") == "def")
    // The first one has gone for the sake of the last.
    #expect(written("bca", after: "abc") == "a")
  }
}
