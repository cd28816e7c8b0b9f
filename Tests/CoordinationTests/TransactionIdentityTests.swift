import Coordination
import Testing
import Vocabulary

/// Who may write under a transactional id.
@Suite struct TransactionIdentityTests {
  private let bench = TransactionBench()

  private func next(_ producer: ProducerIdentity) -> ProducerIdentity {
    ProducerIdentity(producer.id, ProducerEpoch(producer.epoch.value + 1))
  }

  @Test func aNewIdGetsAProducerIdOfItsOwn() {
    let first = bench.start()
    #expect(first.error == .none)
    #expect(first.producer == ProducerIdentity(ProducerID(1001), ProducerEpoch(0)))
    #expect(bench.start(TransactionalID("other")).producer.id == ProducerID(1002))
    #expect(bench.state == .empty)
  }

  @Test func whoComesLaterFencesWhoWasThere() {
    let first = bench.start().producer
    let second = bench.start().producer
    #expect(second == next(first))
    #expect(bench.add(first) == .producerFenced)
    #expect(bench.verify(first) == [.producerFenced])
    #expect(bench.end(first) == .producerFenced)
    #expect(bench.add(second) == ErrorCode.none)
  }

  @Test func anIdThatMayBeAnotherClustersIsGivenUp() {
    let first = bench.start().producer
    #expect(bench.start(leastID: first.id).producer == next(first))
    let second = bench.start(leastID: ProducerID(first.id.value + 1)).producer
    #expect(second == ProducerIdentity(ProducerID(first.id.value + 1), ProducerEpoch(0)))
    #expect(bench.add(next(first)) == .invalidProducerIdMapping)
    #expect(bench.start(leastID: second.id).producer == next(second))
  }

  @Test func anEpochThatNobodyWasGivenIsRefusedToo() {
    let producer = bench.start().producer
    #expect(bench.add(next(producer)) == .producerFenced)
    #expect(bench.add(ProducerIdentity(ProducerID(7), producer.epoch)) == .invalidProducerIdMapping)
    #expect(bench.end(ProducerIdentity(ProducerID(7), producer.epoch)) == .invalidProducerIdMapping)
    #expect(bench.verify(ProducerIdentity(ProducerID(7), producer.epoch)) == [.invalidProducerIdMapping])
    #expect(bench.add(producer, id: TransactionalID("nobody")) == .invalidProducerIdMapping)
  }

  @Test func namesAndTimeoutsAreChecked() {
    #expect(bench.start(TransactionalID("")).error == .invalidRequest)
    #expect(bench.start(TransactionalID(String(repeating: "x", count: 9000))).error == .invalidRequest)
    #expect(bench.start(timeout: .zero).error == .invalidTransactionTimeout)
    #expect(bench.start(timeout: .milliseconds(-1)).error == .invalidTransactionTimeout)
    #expect(bench.start(timeout: .milliseconds(900_001)).error == .invalidTransactionTimeout)
    #expect(bench.start(timeout: .milliseconds(900_000)).error == .none)
    #expect(bench.add(.none, id: TransactionalID("")) == .invalidRequest)
    #expect(bench.end(.none, id: TransactionalID("")) == .invalidRequest)
    #expect(bench.verify(.none, id: TransactionalID("")) == [.invalidRequest])
  }

  @Test func idsWithOtherBytesAreOtherIds() {
    let composed = bench.start(TransactionalID("caf\u{e9}")).producer
    let decomposed = bench.start(TransactionalID("cafe\u{301}")).producer
    #expect(composed.id != decomposed.id)
    #expect(bench.list().count == 2)
  }

  @Test func anOpenTransactionIsAbortedBeforeItsSuccessorBegins() {
    let first = bench.open()
    #expect(bench.start().error == .concurrentTransactions)
    #expect(bench.state == .prepareAbort)
    #expect(bench.end(first) == .producerFenced, "it may be on its way still")
    #expect(bench.start().error == .concurrentTransactions, "markers are being written")
    #expect(bench.work.map(\.outcome) == [.aborted])
    #expect(bench.work.first?.producer == next(first), "so that partitions refuse what the first still sends")
    bench.writeMarkers()
    #expect(bench.state == .completeAbort)
    #expect(bench.start().producer == next(next(first)))
  }

  @Test func nobodyIsFencedByAProducerThatIsFencedItself() {
    let first = bench.start().producer
    let second = bench.start().producer
    #expect(bench.add(second) == ErrorCode.none)
    #expect(bench.start(expected: first).error == .producerFenced)
    #expect(bench.state == .ongoing)
    #expect(bench.end(second) == ErrorCode.none)
    #expect(bench.start(expected: first).error == .producerFenced)
  }

  // MARK: KIP-360

  @Test func aProducerGoesOnUnderANewEpochAfterAnError() {
    let first = bench.start().producer
    let second = bench.start(expected: first)
    #expect(second.producer == next(first))
    #expect(bench.add(first) == .producerFenced)
  }

  @Test func oneThatHasNotHeardTheAnswerGetsItAgain() {
    let first = bench.start().producer
    let second = bench.start(expected: first).producer
    #expect(bench.start(expected: first).producer == second)
    #expect(bench.start(expected: first).producer == second)
    #expect(bench.add(second) == ErrorCode.none)
    #expect(bench.start(expected: first).error == .producerFenced, "it has heard it: this one is late")
    #expect(bench.state == .ongoing)
  }

  @Test func nothingIsGivenAgainWhereNobodyAskedForIt() {
    let first = bench.start().producer
    _ = bench.start().producer
    #expect(bench.start(expected: first).error == .producerFenced)
    #expect(bench.start(expected: ProducerIdentity.none).error == .producerFenced)
  }

  @Test func anotherProducersIdIsFenced() {
    let first = bench.start().producer
    let other = ProducerIdentity(ProducerID(first.id.value + 1), first.epoch)
    #expect(bench.start(expected: other).error == .producerFenced)
  }

  @Test func aProducerWhoseIdWasForgottenGetsANewOne() {
    let lost = ProducerIdentity(ProducerID(5), ProducerEpoch(9))
    #expect(bench.start(expected: lost).producer == ProducerIdentity(ProducerID(1001), ProducerEpoch(0)))
  }

  @Test func whenItsEpochsAreUsedUpItGetsANewProducerId() {
    let almost = ProducerIdentity(ProducerID(77), ProducerEpoch(.max - 2))
    bench.log = [
      TransactionRecord(
        TransactionBench.id,
        TransactionValue(producer: almost, timeout: .seconds(60), stage: .empty, updatedAt: bench.moment.time))
    ]
    bench.reload()
    let last = bench.start().producer
    #expect(last == ProducerIdentity(ProducerID(77), ProducerEpoch(.max - 1)))
    let fresh = bench.start(expected: last).producer
    #expect(fresh == ProducerIdentity(ProducerID(1001), ProducerEpoch(0)))
    #expect(bench.start(expected: last).producer == fresh, "it may not have heard it")
    #expect(bench.add(last) == .invalidProducerIdMapping)
  }

  @Test func theLargestEpochIsThereToFenceTheLastProducer() {
    let last = ProducerIdentity(ProducerID(77), ProducerEpoch(.max - 1))
    bench.log = [
      TransactionRecord(
        TransactionBench.id,
        TransactionValue(
          producer: last, timeout: .seconds(60),
          stage: .ongoing(OpenTransaction(startedAt: bench.moment.time, partitions: [TransactionBench.orders])),
          updatedAt: bench.moment.time))
    ]
    bench.reload()
    #expect(bench.start().error == .concurrentTransactions)
    #expect(bench.work.first?.producer.epoch == ProducerEpoch(.max))
    bench.writeMarkers()
    #expect(bench.start().producer == ProducerIdentity(ProducerID(1001), ProducerEpoch(0)))
  }

  // MARK: Producer ids

  @Test func whileAProducerIdIsFetchedNobodyElseGetsOne() {
    bench.allocates = false
    let first = bench.begin()
    #expect(bench.begun(first) == nil)
    #expect(bench.start().error == .concurrentTransactions)
    #expect(bench.allocations.count == 1)
    bench.allocated()
    #expect(bench.begun(first)?.producer.id == ProducerID(1001))
  }

  @Test func whereThereIsNoProducerIdTheClientAsksLater() {
    bench.allocates = false
    let first = bench.begin()
    bench.allocated(none: true)
    #expect(bench.begun(first)?.error == .coordinatorLoadInProgress)
    #expect(bench.state == nil)
    bench.allocates = true
    #expect(bench.start().error == .none)
  }

  @Test func aProducerIdThatComesTooLateIsForNobody() {
    bench.allocates = false
    let first = bench.begin()
    bench.reload()
    #expect(bench.begun(first)?.error == .notCoordinator)
    bench.allocated()
    #expect(bench.state == nil)
  }

  @Test func theIdentityIsWrittenBeforeItIsTold() {
    _ = bench.start()
    guard case .append = bench.history.dropLast().last, case .answer = bench.history.last else {
      Issue.record("not written first")
      return
    }
  }
}
