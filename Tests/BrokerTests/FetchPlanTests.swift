import KafkaProtocol
import LogStorage
import Testing
import Vocabulary

@testable import Broker

@Suite struct FetchPlanTests {
  private let workshop: Workshop
  private let table = PartitionTable()
  private let id = UniqueID(high: 1, low: 1)

  init() throws {
    workshop = try Workshop()
    let topic = try #require(TopicName("t"))
    let partitions = try [workshop.partition("t"), workshop.partition("u")]
    for partition in partitions {
      for _ in 0..<3 { partition.put(String(repeating: "x", count: 1000)) }
    }
    table.put(PartitionTable.HeldTopic(name: topic, id: id, partitions: partitions))
  }

  private func ask(
    _ partition: Int32, offset: Int64 = 0, epoch: Int32 = -1, fetched: Int32 = -1, topic: FetchKey.Topic = .name("t")
  ) -> FetchItem {
    var ask = FetchRequest.Partition()
    ask.fetchOffset = offset
    ask.currentLeaderEpoch = epoch
    ask.lastFetchedEpoch = fetched
    ask.partitionMaxBytes = 1 << 20
    return FetchItem(key: FetchKey(topic: topic, partition: partition), ask: ask)
  }

  private func read(
    _ items: [FetchItem], version: Int16 = 12, maxBytes: Int = 1 << 20
  ) -> FetchResult {
    FetchPlan(items: items, version: version, maxBytes: maxBytes).read(from: table)
  }

  private func code(_ item: FetchItem) -> ErrorCode? { read([item]).items.first?.fetched.answer.errorCode }

  @Test func whatIsNotThereIsNamedInTheWordsOfTheQuestion() {
    #expect(code(ask(0, topic: .name("gone"))) == .unknownTopicOrPartition)
    #expect(code(ask(0, topic: .name("no/name"))) == .unknownTopicOrPartition)
    #expect(code(ask(2)) == .unknownTopicOrPartition)
    #expect(code(ask(-1)) == .unknownTopicOrPartition)
    #expect(code(ask(0, topic: .id(UniqueID(high: 9, low: 9)))) == .unknownTopicId)
    #expect(code(ask(2, topic: .id(id))) == .unknownTopicOrPartition)
    #expect(code(ask(0, topic: .id(id))) == ErrorCode.none)
  }

  @Test func aBeliefInAnotherLeaderIsRefused() {
    #expect(code(ask(0, epoch: 0)) == ErrorCode.none)
    #expect(code(ask(0, epoch: 1)) == .unknownLeaderEpoch)
  }

  @Test func aReaderAtTheEndNeedsNoDisk() {
    let plan = FetchPlan(items: [ask(0, offset: 3), ask(1, offset: 2), ask(7)], version: 12, maxBytes: 1)
    #expect(plan.staysInMemory(table))
  }

  @Test func anErrorIsWorthAnAnswerAtOnce() {
    #expect(read([ask(0), ask(7)]).isUrgent)
    #expect(!read([ask(0)]).isUrgent)
  }

  @Test func anOffsetOutsideOfTheLogIsRefused() {
    #expect(code(ask(0, offset: 4)) == .offsetOutOfRange)
    #expect(code(ask(0, offset: -1)) == .offsetOutOfRange)
    #expect(code(ask(0, offset: .min)) == .offsetOutOfRange)
    #expect(code(ask(0, offset: .max)) == .offsetOutOfRange)
    #expect(code(ask(0, offset: 3)) == ErrorCode.none, "the end is where the next record comes")
  }

  /// A limit below one batch would stop a consumer for ever, so that the first batch of an answer always comes (KIP-74).
  @Test func theLimitHoldsBehindTheFirstBatch() {
    for limit in [0, 1, 100, -5] {
      let result = read([ask(0), ask(1)], maxBytes: limit)
      #expect(result.items.map { $0.fetched.records != nil } == [true, false], "with \(limit) bytes")
      #expect(result.bytes == result.items.first?.fetched.records?.count)
    }
    let all = read([ask(0), ask(1)])
    #expect(all.items.allSatisfy { $0.fetched.records != nil })
    let two = read([ask(0), ask(1)], maxBytes: 2 * (all.bytes / 6))
    #expect(two.bytes <= 2 * (all.bytes / 6))
  }

  @Test func everyAnswerSaysWhereTheLogBeginsAndEnds() throws {
    let answer = try #require(read([ask(0, offset: 3)]).items.first?.fetched.answer)
    #expect(answer.highWatermark == 3)
    #expect(answer.lastStableOffset == 3)
    #expect(answer.logStartOffset == 0)
    #expect(answer.abortedTransactions == nil)
  }

  /// A reader whose epoch ended before its offset has read what is no longer true (KIP-595).
  @Test func aReaderThatWentAnotherWayIsToldWhereItsWayEnded() throws {
    let partition = try #require(table.topic(id)?.partition(0))
    partition.lead(in: LeaderEpoch(5))
    partition.put("in the new epoch")
    let diverged = try #require(read([ask(0, offset: 4, fetched: 0)]).items.first?.fetched)
    #expect(diverged.answer.divergingEpoch.epoch == 0)
    #expect(diverged.answer.divergingEpoch.endOffset == 3)
    #expect(diverged.records == nil)
    #expect(read([ask(0, offset: 4, fetched: 0)]).isUrgent)
    #expect(read([ask(0, offset: 4, fetched: 0)], version: 11).items.first?.fetched.answer.divergingEpoch.epoch == -1)
    #expect(read([ask(0, offset: 3, fetched: 0)]).items.first?.fetched.answer.divergingEpoch.epoch == -1)
  }
}
