import Coordination
import EventLoop
import LogStorage
import SimulatedWorld
import Synchronization
import Testing
import Vocabulary

@testable import Broker

@Suite struct TransactionShardTests {
  private let workshop: Workshop
  private let partition: Partition
  private let answers = Events<Answer>()
  private let reports = Events<String>()
  private let work = Events<Order>()

  private enum Answer: Equatable, Sendable {
    case answer(TransactionAnswer)
    case refused(ErrorCode)
  }

  /// Markers that somebody is to write.
  private struct Order: Sendable {
    let work: MarkerWork
    let done: @Sendable (MarkerResult) -> Void
  }

  private static let id = TransactionalID("transfers")
  private static let producer = ProducerIdentity(ProducerID(7), ProducerEpoch(0))

  init() throws {
    workshop = try Workshop()
    partition = try workshop.partition("__transaction_state", ["flush.messages": "1"])
  }

  private func shard(
    allocate: @escaping @Sendable (@escaping @Sendable (ProducerID?) -> Void) -> Void = { $0(ProducerID(7)) }
  ) -> TransactionShard {
    let (reports, work) = (reports, work)
    return TransactionShard(
      partition: partition, epoch: LeaderEpoch(0), settings: TransactionSettings(),
      world: TransactionWorld(
        loop: workshop.loop, pool: workshop.pool, report: { message, _ in reports.add(message) }, allocate: allocate,
        writeMarkers: { work.add(Order(work: $0, done: $1)) }))
  }

  private func ask(_ shard: TransactionShard, _ ask: TransactionShard.Ask) {
    let answers = answers
    shard.ask(ask, answer: { answers.add(.answer($0)) }, refused: { answers.add(.refused($0)) })
  }

  private func begin(_ shard: TransactionShard) {
    let request = InitProducerRequest(id: Self.id, timeout: .seconds(60))
    ask(shard) { coordinator, token, now, effects in
      coordinator.initProducer(request, token, at: now, into: &effects)
    }
  }

  private func add(_ shard: TransactionShard) throws {
    let topic = try #require(TopicName("orders"))
    let request = TransactionPartitionsRequest(
      id: Self.id, producer: Self.producer, partitions: [TopicPartition(topic, PartitionIndex(0))])
    ask(shard) { coordinator, token, now, effects in
      coordinator.addPartitions(request, token, at: now, into: &effects)
    }
  }

  private func end(_ shard: TransactionShard) {
    let request = EndTransactionRequest(id: Self.id, producer: Self.producer, outcome: .committed)
    ask(shard) { coordinator, token, now, effects in coordinator.end(request, token, at: now, into: &effects) }
  }

  private func state(_ shard: TransactionShard) throws -> TransactionState? {
    ask(shard) { coordinator, token, _, effects in coordinator.describe([Self.id], token, into: &effects) }
    guard case .answer(.describe(let all)) = try answers.next() else { return nil }
    return all.first?.state
  }

  /// A shard with an open transaction.
  private func opened() throws -> TransactionShard {
    let shard = shard()
    shard.load()
    begin(shard)
    #expect(try answers.next() == .answer(.initProducer(InitProducerAnswer(Self.producer))))
    try add(shard)
    #expect(try answers.next() == .answer(.addPartitions(.none)))
    return shard
  }

  @Test func whileItLoadsEveryoneIsToldSoAndThenServed() throws {
    let shard = shard()
    begin(shard)
    #expect(try answers.next() == .refused(.coordinatorLoadInProgress))
    shard.load()
    begin(shard)
    #expect(try answers.next() == .answer(.initProducer(InitProducerAnswer(Self.producer))))
  }

  @Test func aTransactionIsCommittedAndItsMarkersAreAskedFor() throws {
    let shard = try opened()
    end(shard)
    #expect(try answers.next() == .answer(.end(.none)))
    let order = try work.next()
    #expect(order.work.outcome == .committed)
    #expect(order.work.producer == Self.producer)
    #expect(try state(shard) == .prepareCommit)
    order.done(MarkerResult(written: order.work.partitions))
    #expect(try state(shard) == .completeCommit)
  }

  @Test func neitherTheAnswerNorTheMarkersLeaveBeforeTheOutcomeIsOnDisk() throws {
    let shard = try opened()
    while workshop.disk.began.count > 0 { _ = try workshop.disk.began.next() }
    workshop.disk.close()
    end(shard)
    _ = try workshop.disk.began.next()
    #expect(answers.count == 0)
    #expect(work.count == 0)
    workshop.disk.permitOne()
    #expect(try answers.next() == .answer(.end(.none)))
    _ = try work.next()
  }

  @Test func aFailedAppendRefusesEveryoneAndNoMarkerLeaves() throws {
    let shard = try opened()
    while workshop.disk.began.count > 0 { _ = try workshop.disk.began.next() }
    workshop.disk.close()
    end(shard)
    _ = try workshop.disk.began.next()
    begin(shard)
    workshop.disk.inner.failNextSync()
    workshop.disk.permitOne()
    for _ in 0..<2 { #expect(try answers.next() == .refused(.coordinatorNotAvailable)) }
    #expect(try reports.next().contains("takes no more writes"))
    end(shard)
    #expect(try answers.next() == .refused(.coordinatorNotAvailable))
    #expect(work.count == 0)
  }

  @Test func whatWasDecidedGoesOnAfterARestart() throws {
    let first = try opened()
    end(first)
    #expect(try answers.next() == .answer(.end(.none)))
    let unanswered = try work.next()
    first.stop()
    let second = shard()
    second.load()
    let order = try work.next()
    #expect(order.work.partitions == unanswered.work.partitions)
    unanswered.done(MarkerResult(written: unanswered.work.partitions))
    #expect(try state(second) == .prepareCommit, "nobody asked this one for what the first one wanted to know")
    order.done(MarkerResult(written: order.work.partitions))
    #expect(try state(second) == .completeCommit)
  }

  @Test func nothingRestsOnWhatAnEarlierCoordinatorMayHaveLeftUncommitted() throws {
    let first = try opened()
    while workshop.disk.began.count > 0 { _ = try workshop.disk.began.next() }
    workshop.disk.close()
    end(first)
    _ = try workshop.disk.began.next()
    first.stop()
    #expect(try answers.next() == .refused(.notCoordinator))
    let second = shard()
    second.load()
    begin(second)
    #expect(try answers.next() == .refused(.coordinatorLoadInProgress))
    #expect(work.count == 0)
    workshop.disk.permitOne()
    #expect(try work.next().work.outcome == .committed)
  }

  @Test func aMarkerThatCouldNotBeWrittenIsAskedForAgainByItself() throws {
    let shard = try opened()
    end(shard)
    let first = try work.next()
    first.done(MarkerResult(again: first.work.partitions))
    let second = try work.next()
    #expect(second.work.partitions == first.work.partitions)
    #expect(second.work.number != first.work.number)
  }

  @Test func whoWaitsForAProducerIdIsToldWhenItStops() throws {
    let asked = Events<Bool>()
    let shard = shard { _ in asked.add(true) }
    shard.load()
    begin(shard)
    _ = try asked.next()
    shard.stop()
    #expect(try answers.next() == .refused(.notCoordinator))
    begin(shard)
    #expect(try answers.next() == .refused(.notCoordinator))
  }
}
