import Coordination
import Testing
import Vocabulary

/// What is in a transaction, and how it ends.
@Suite struct TransactionTests {
  private let bench = TransactionBench()
  private static let orders = TransactionBench.orders
  private static let stock = TransactionBench.stock

  // MARK: Partitions

  @Test func partitionsAreAddedOnceAndWrittenBeforeItIsSaid() {
    let producer = bench.start().producer
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    guard case .append = bench.history.dropLast().last, case .answer = bench.history.last else {
      Issue.record("not written first")
      return
    }
    let written = bench.log.count
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    #expect(bench.log.count == written + 1 && bench.log[written] == bench.log[written - 1], "it is in already")
    #expect(bench.add(producer, [Self.orders, Self.stock]) == ErrorCode.none)
    #expect(bench.describe()?.partitions == [Self.orders, Self.stock])
    let last = bench.log.count
    #expect(bench.add(producer, []) == ErrorCode.none)
    #expect(bench.log.count == last)
  }

  /// One that was replaced, and does not know it, knows of transactions that were open then.
  @Test func nobodyIsToldFromMemoryThatSomethingIsDone() {
    let producer = bench.open()
    for _ in 0..<2 {
      #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
      guard case .append = bench.history.dropLast().last, case .answer = bench.history.last else {
        Issue.record("it cannot be known whether this is still the coordinator")
        return
      }
    }
    #expect(bench.end(producer) == ErrorCode.none)
    bench.writeMarkers()
    #expect(bench.end(producer) == ErrorCode.none)
    guard case .append = bench.history.dropLast().last, case .answer = bench.history.last else {
      Issue.record("it cannot be known whether this is still the coordinator")
      return
    }
  }

  @Test func whatIsSaidAgainDoesNotPutTheTimeOff() {
    let producer = bench.open(timeout: .seconds(10))
    bench.pass(.seconds(8))
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    bench.pass(.seconds(2))
    #expect(bench.state == .prepareAbort)
  }

  @Test func theTransactionBeginsWithItsFirstPartition() {
    let producer = bench.start().producer
    bench.pass(.seconds(5))
    let began = bench.moment.time
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    bench.pass(.seconds(5))
    #expect(bench.add(producer, [Self.stock]) == ErrorCode.none)
    #expect(bench.describe()?.startedAt == began)
  }

  @Test func aTransactionHasLimits() throws {
    var settings = TransactionSettings()
    settings.partitionsMax = 3
    let few = TransactionBench(settings)
    let producer = few.start().producer
    let all = (0..<4).map { TopicPartition(Self.orders.topic, PartitionIndex($0)) }
    #expect(few.add(producer, all) == .policyViolation)
    #expect(few.state == .empty)
    #expect(few.add(producer, Array(all.prefix(3))) == ErrorCode.none)
    #expect(few.add(producer, [all[3]]) == .policyViolation)
    #expect(few.describe()?.partitions.count == 3)
    settings.partitionsMax = 1000
    settings.appendMax = ByteCount(1000)
    let small = TransactionBench(settings)
    let other = small.start().producer
    let topics = try (0..<10).map { number in
      try #require(TopicName(String(repeating: "x", count: 100) + "\(number)"))
    }
    #expect(small.add(other, topics.map { TopicPartition($0, PartitionIndex(0)) }) == .policyViolation)
  }

  @Test func onlyWhatIsInTheTransactionIsVerified() {
    let producer = bench.start().producer
    #expect(bench.verify(producer, [Self.orders]) == [.invalidTxnState])
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    #expect(bench.verify(producer, [Self.orders, Self.stock]) == [ErrorCode.none, .invalidTxnState])
    #expect(bench.end(producer) == ErrorCode.none)
    #expect(bench.verify(producer, [Self.orders]) == [.concurrentTransactions])
    bench.writeMarkers()
    #expect(bench.verify(producer, [Self.orders]) == [.invalidTxnState])
  }

  // MARK: Its end

  @Test(arguments: [TransactionOutcome.committed, .aborted])
  func theEndIsAnsweredOnceItIsWrittenAndThenTheMarkersFollow(outcome: TransactionOutcome) {
    let producer = bench.open()
    #expect(bench.end(producer, outcome) == ErrorCode.none)
    guard case .append(let records) = bench.history.dropLast(2).last, case .answer = bench.history.dropLast().last,
      case .writeMarkers(let work) = bench.history.last
    else {
      Issue.record("not in this order")
      return
    }
    #expect(records.first?.value?.stage.state == (outcome == .committed ? .prepareCommit : .prepareAbort))
    #expect(work.partitions == [Self.orders, Self.stock])
    #expect(work.producer == producer)
    #expect(work.outcome == outcome)
    #expect(work.coordinatorEpoch == LeaderEpoch(5))
    bench.writeMarkers()
    #expect(bench.state == (outcome == .committed ? .completeCommit : .completeAbort))
    #expect(bench.describe()?.partitions == [])
  }

  @Test(arguments: [TransactionOutcome.committed, .aborted])
  func theSameEndMayBeAskedForAgainAndTheOtherMayNot(outcome: TransactionOutcome) {
    let other: TransactionOutcome = outcome == .committed ? .aborted : .committed
    let producer = bench.open()
    #expect(bench.end(producer, outcome) == ErrorCode.none)
    #expect(bench.end(producer, outcome) == .concurrentTransactions)
    #expect(bench.end(producer, other) == .invalidTxnState)
    bench.writeMarkers()
    #expect(bench.end(producer, outcome) == ErrorCode.none)
    #expect(bench.end(producer, other) == .invalidTxnState)
  }

  @Test func whereNothingWasBegunThereIsNothingToEnd() {
    let producer = bench.start().producer
    #expect(bench.end(producer) == .invalidTxnState)
    #expect(bench.end(producer, .aborted) == .invalidTxnState)
  }

  @Test func theNextTransactionWaitsForTheOneBefore() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    #expect(bench.add(producer) == .concurrentTransactions)
    bench.writeMarkers()
    #expect(bench.add(producer) == ErrorCode.none)
    #expect(bench.describe()?.partitions == [Self.orders])
  }

  // MARK: Markers

  @Test func itIsCompleteWithItsLastMarker() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    let work = bench.work[0]
    bench.tell(MarkerResult(written: [Self.orders]), for: work)
    #expect(bench.state == .prepareCommit)
    #expect(bench.describe()?.partitions == [Self.stock])
    bench.tell(MarkerResult(written: [Self.orders]), for: work)
    #expect(bench.state == .prepareCommit)
    bench.tell(MarkerResult(written: [Self.stock]), for: work)
    #expect(bench.state == .completeCommit)
  }

  @Test func aPartitionThatIsGoneNeedsNoMarker() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    bench.tell(MarkerResult(written: [Self.stock], gone: [Self.orders]), for: bench.work[0])
    #expect(bench.state == .completeCommit)
  }

  @Test func aMarkerThatCouldNotBeWrittenIsAskedForAgainAfterAWhile() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    let first = bench.work.removeFirst()
    bench.tell(MarkerResult(written: [Self.stock], again: [Self.orders]), for: first)
    #expect(bench.work.isEmpty)
    bench.pass(bench.coordinator.settings.markerRetryBackoff)
    #expect(bench.work.map(\.partitions) == [[Self.orders]])
    bench.tell(MarkerResult(written: [Self.orders]), for: first)
    #expect(bench.state == .prepareCommit, "what comes of the first attempt says nothing about the second")
    bench.writeMarkers()
    #expect(bench.state == .completeCommit)
  }

  @Test func whatCameOfAnEarlierTransactionSaysNothingAboutThisOne() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    let earlier = bench.work[0]
    bench.writeMarkers()
    #expect(bench.add(producer, [Self.orders]) == ErrorCode.none)
    bench.tell(MarkerResult(written: [Self.orders]), for: earlier)
    #expect(bench.state == .ongoing)
    #expect(bench.end(producer) == ErrorCode.none)
    bench.tell(MarkerResult(written: [Self.orders]), for: earlier)
    #expect(bench.state == .prepareCommit)
  }

  @Test func aCoordinatorThatIsFencedLeavesTheRestToItsSuccessor() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    let work = bench.work.removeFirst()
    bench.tell(MarkerResult(again: [Self.orders], isFenced: true), for: work)
    bench.pass(.seconds(3600))
    #expect(bench.work.isEmpty)
    bench.tell(MarkerResult(written: [Self.stock]), for: work)
    #expect(bench.state == .prepareCommit)
  }

  // MARK: After a load

  @Test(arguments: [TransactionOutcome.committed, .aborted])
  func anotherCoordinatorWritesTheMarkersThatAreMissing(outcome: TransactionOutcome) {
    let producer = bench.open()
    #expect(bench.end(producer, outcome) == ErrorCode.none)
    bench.tell(MarkerResult(written: [Self.orders]), for: bench.work[0])
    bench.reload()
    // Nobody has written down which of them were there.
    #expect(bench.work.map(\.partitions) == [[Self.orders, Self.stock]])
    #expect(bench.work[0].coordinatorEpoch == LeaderEpoch(6))
    #expect(bench.work[0].outcome == outcome)
    bench.writeMarkers()
    #expect(bench.state == (outcome == .committed ? .completeCommit : .completeAbort))
  }

  @Test func anOpenTransactionGoesOnWithAnotherCoordinator() {
    let producer = bench.open()
    bench.reload()
    #expect(bench.work.isEmpty)
    #expect(bench.verify(producer, [Self.orders]) == [ErrorCode.none])
    #expect(bench.end(producer) == ErrorCode.none)
  }

  @Test func whatARecordSaysThatNobodyHereWritesIsNoReasonToStop() {
    let strange = TransactionValue(
      producer: ProducerIdentity(ProducerID(-5), ProducerEpoch(.max)), timeout: .milliseconds(.min),
      stage: .ongoing(OpenTransaction(startedAt: Timestamp(milliseconds: .min), partitions: [Self.orders])),
      updatedAt: Timestamp(milliseconds: .min))
    bench.log = [TransactionRecord(TransactionBench.id, strange)]
    bench.reload()
    bench.pass(.seconds(1))
    bench.writeMarkers()
    #expect(bench.state == .completeAbort)
    bench.log = [
      TransactionRecord(
        TransactionBench.id,
        TransactionValue(
          producer: .none, timeout: .milliseconds(.max),
          stage: .prepared(.committed, OpenTransaction(startedAt: Timestamp(milliseconds: .max), partitions: [])),
          updatedAt: Timestamp(milliseconds: .max)))
    ]
    bench.reload()
    #expect(bench.state == .completeCommit)
  }

  @Test func whoWaitsIsToldWhenTheCoordinatorGoesAway() {
    bench.allocates = false
    let token = bench.begin()
    bench.perform { coordinator, _, effects in coordinator.unload(as: .notCoordinator, into: &effects) }
    #expect(bench.begun(token)?.error == .notCoordinator)
    #expect(bench.coordinator.nextDeadline == nil)
  }
}
