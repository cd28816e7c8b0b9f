import Coordination
import Testing
import Vocabulary

/// What time does to transactions and their ids, and how they are shown.
@Suite struct TransactionTimeTests {
  private let bench = TransactionBench()

  @Test func aTransactionThatTakesTooLongIsAbortedAndItsProducerFenced() {
    let producer = bench.open(timeout: .seconds(10))
    bench.pass(.milliseconds(9999))
    #expect(bench.state == .ongoing)
    bench.pass(.milliseconds(1))
    #expect(bench.state == .prepareAbort)
    #expect(bench.work.map(\.outcome) == [.aborted])
    #expect(bench.work.first?.producer == ProducerIdentity(producer.id, ProducerEpoch(1)))
    #expect(bench.end(producer) == .producerFenced)
    #expect(bench.add(producer) == .producerFenced)
    #expect(bench.start(expected: producer).error == .producerFenced)
    bench.writeMarkers()
    #expect(bench.start(expected: producer).error == .producerFenced)
    #expect(bench.start().producer == ProducerIdentity(producer.id, ProducerEpoch(2)))
  }

  @Test func partitionsThatAreAddedDoNotPutTheTimeOff() {
    let producer = bench.open(timeout: .seconds(10))
    bench.pass(.seconds(8))
    #expect(bench.add(producer, [TopicPartition(TransactionBench.orders.topic, PartitionIndex(9))]) == ErrorCode.none)
    bench.pass(.seconds(2))
    #expect(bench.state == .prepareAbort)
  }

  @Test func theNextTransactionHasItsOwnTime() {
    let producer = bench.open(timeout: .seconds(10))
    bench.pass(.seconds(8))
    #expect(bench.end(producer) == ErrorCode.none)
    bench.writeMarkers()
    #expect(bench.add(producer) == ErrorCode.none)
    bench.pass(.seconds(8))
    #expect(bench.state == .ongoing)
    bench.pass(.seconds(2))
    #expect(bench.state == .prepareAbort)
  }

  @Test func aTransactionKeepsItsTimeUnderAnotherCoordinator() {
    _ = bench.open(timeout: .seconds(10))
    bench.pass(.seconds(4))
    bench.reload()
    bench.pass(.milliseconds(5999))
    #expect(bench.state == .ongoing)
    bench.pass(.milliseconds(1))
    #expect(bench.state == .prepareAbort)
  }

  @Test func aTransactionWhoseTimeIsUpWhenItIsLoadedIsAbortedAtOnce() {
    _ = bench.open(timeout: .seconds(10))
    bench.reload(jumping: .seconds(11))
    bench.pass(.zero)
    #expect(bench.state == .prepareAbort)
  }

  @Test func anIdThatNobodyUsesIsForgotten() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    bench.writeMarkers()
    _ = bench.start(TransactionalID("idle"))
    bench.pass(.seconds(6 * 24 * 3600))
    _ = bench.open()
    bench.pass(.seconds(24 * 3600 + 3600))
    #expect(bench.list() == ["transfers"])
    #expect(bench.log.contains(TransactionRecord(TransactionalID("idle"), nil)))
    bench.reload()
    #expect(bench.list() == ["transfers"])
    #expect(bench.start(TransactionalID("idle")).producer.epoch == ProducerEpoch(0))
  }

  @Test func aTransactionThatIsNotCompleteIsNeverForgotten() {
    let producer = bench.open()
    #expect(bench.end(producer) == ErrorCode.none)
    bench.pass(.seconds(30 * 24 * 3600))
    #expect(bench.state == .prepareCommit)
  }

  @Test func ofManyIdsThatNobodyUsesSomeAreForgottenAtATime() {
    var settings = TransactionSettings()
    settings.idExpirationBatch = 10
    let bench = TransactionBench(settings)
    for number in 0..<25 { _ = bench.start(TransactionalID("id-\(number)")) }
    bench.pass(.seconds(7 * 24 * 3600 - 1))
    #expect(bench.list().count == 25)
    bench.pass(.seconds(3600))
    #expect(bench.list().isEmpty)
    let batches = bench.history.compactMap { effect in
      if case .append(let records) = effect, records.first?.value == nil { records.count } else { nil }
    }
    #expect(batches == [10, 10, 5])
  }

  // MARK: What is shown

  @Test func transactionsAreDescribedAsTheyAre() {
    #expect(bench.describe()?.error == .transactionalIdNotFound)
    #expect(bench.describe(TransactionalID(""))?.error == .invalidRequest)
    let producer = bench.open(timeout: .seconds(30))
    #expect(
      bench.describe()
        == TransactionDescription(
          id: TransactionBench.id, state: .ongoing, producer: producer, timeout: .seconds(30),
          startedAt: bench.moment.time, partitions: [TransactionBench.orders, TransactionBench.stock]))
  }

  @Test func whatIsListedCanBeChosen() {
    let first = bench.open()
    bench.pass(.seconds(20))
    let second = bench.start(TransactionalID("accounts")).producer
    #expect(bench.list() == ["accounts", "transfers"])
    #expect(bench.list(TransactionFilter(states: [.ongoing])) == ["transfers"])
    #expect(bench.list(TransactionFilter(states: [.empty, .dead])) == ["accounts"])
    #expect(bench.list(TransactionFilter(producers: [second.id])) == ["accounts"])
    #expect(bench.list(TransactionFilter(states: [.empty], producers: [first.id])) == [])
    #expect(bench.list(TransactionFilter(duration: .seconds(19))) == ["transfers"])
    #expect(bench.list(TransactionFilter(duration: .seconds(20))) == [])
  }

  @Test func statesHaveKafkasNamesAndNumbers() {
    let names = [
      "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
      "PrepareEpochFence",
    ]
    #expect(TransactionState.allCases.map(\.name) == names)
    #expect(TransactionState.allCases.map(\.rawValue) == Array(0...7))
    #expect(names.compactMap(TransactionState.init(name:)) == TransactionState.allCases)
    #expect(TransactionState(name: "ongoing") == nil)
  }
}
