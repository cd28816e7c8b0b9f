import Coordination
import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

@Suite struct TransactionRecordTests {
  private static let id = TransactionalID("\u{fc}bertrag")
  private static let time = Timestamp(milliseconds: 1_700_000_000_000)
  private static let began = Timestamp(milliseconds: 1_699_999_999_000)
  private static let partitions: Set<TopicPartition> = Set(
    ["a.b-c", "orders"].compactMap(TopicName.init).flatMap { topic in
      [0, 7, 3].map { TopicPartition(topic, PartitionIndex($0)) }
    })

  private static let stages: [TransactionStage] = [
    .empty, .ongoing(OpenTransaction(startedAt: began, partitions: partitions)),
    .prepared(.committed, OpenTransaction(startedAt: began, partitions: partitions)),
    .prepared(.aborted, OpenTransaction(startedAt: began, partitions: [])), .complete(.committed, startedAt: began),
    .complete(.aborted, startedAt: began),
  ]

  private static func record(_ stage: TransactionStage) -> TransactionRecord {
    TransactionRecord(
      id,
      TransactionValue(
        producer: ProducerIdentity(ProducerID(4711), ProducerEpoch(12)), timeout: .milliseconds(60_000), stage: stage,
        updatedAt: time))
  }

  private func read(_ bytes: [UInt8]) throws -> [TransactionRecord?] {
    try bytes.withUnsafeBytes { raw in
      var found: [TransactionRecord?] = []
      var records = try RecordBatch(raw).records
      while let record = try records.next() { found.append(try TransactionRecordFormat.decode(record)) }
      return found
    }
  }

  private func batch(key: [UInt8]?, value: [UInt8]?) -> [UInt8] {
    var builder = RecordBatchBuilder()
    builder.append(timestamp: Self.time, key: key, value: value)
    return builder.build()
  }

  private var key: [UInt8] {
    var key = TransactionLogKey()
    key.transactionalID = Self.id.text
    return key.encode()
  }

  private func value(status: Int8, topic: String = "orders", partition: Int32 = 0) -> [UInt8] {
    var value = TransactionLogValue()
    value.producerID = 1
    value.transactionStatus = status
    var partitions = TransactionLogValue.TopicPartitions()
    partitions.topic = topic
    partitions.partitionIDs = [partition]
    value.transactionPartitions = [partitions]
    return value.encode(version: 0)
  }

  @Test(arguments: stages) func aRecordComesBackAsItWasWritten(stage: TransactionStage) throws {
    let record = Self.record(stage)
    #expect(try read(TransactionRecordFormat.batch([record], at: Self.time)) == [record])
  }

  @Test func oneBatchHoldsSeveralAndTombstones() throws {
    let all = Self.stages.map(Self.record) + [TransactionRecord(Self.id, nil)]
    #expect(try read(TransactionRecordFormat.batch(all, at: Self.time)) == all)
  }

  /// Written out by hand after Kafka's TransactionLogKey and TransactionLogValue, version 0.
  @Test func theBytesAreKafkas() throws {
    let open = OpenTransaction(startedAt: Timestamp(milliseconds: 1), partitions: [Self.place("t", 2)])
    let record = TransactionRecord(
      TransactionalID("x"),
      TransactionValue(
        producer: ProducerIdentity(ProducerID(3), ProducerEpoch(4)), timeout: .milliseconds(5), stage: .ongoing(open),
        updatedAt: Timestamp(milliseconds: 6)))
    let key: [UInt8] = [0, 0, 0, 1, 120]
    let head: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 5, 1]
    let topics: [UInt8] = [0, 0, 0, 1, 0, 1, 116, 0, 0, 0, 1, 0, 0, 0, 2]
    let times: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1]
    #expect(
      TransactionRecordFormat.batch([record], at: Self.time) == batch(key: key, value: head + topics + times))
  }

  private static func place(_ topic: String, _ partition: Int32) -> TopicPartition {
    TopicPartition(TopicName(topic)!, PartitionIndex(partition))
  }

  @Test func whatAnotherReleaseHasWrittenIsPassedOver() throws {
    #expect(try read(batch(key: [0, 1, 0, 1, 65], value: [0, 0, 1])) == [nil])
    #expect(try read(batch(key: nil, value: [1])) == [nil])
  }

  @Test func aPartitionThatCannotBeNeedsNoMarker() throws {
    for bytes in [value(status: 1, topic: "no/topic"), value(status: 1, partition: -1)] {
      let found = try #require(try read(batch(key: key, value: bytes))[0]?.value)
      #expect(found.stage == .ongoing(OpenTransaction(startedAt: Timestamp(milliseconds: 0), partitions: [])))
    }
  }

  @Test func anIdThatWasBeingRemovedIsGoneAndAFencedOneIsAborted() throws {
    #expect(try read(batch(key: key, value: value(status: 6))) == [TransactionRecord(Self.id, nil)])
    let fenced = try #require(try read(batch(key: key, value: value(status: 7)))[0]?.value)
    #expect(fenced.stage.state == .prepareAbort)
  }

  @Test func damagedBytesAreErrors() throws {
    #expect(throws: (any Error).self) { try self.read(self.batch(key: self.key, value: self.value(status: 8))) }
    #expect(throws: (any Error).self) { try self.read(self.batch(key: [0], value: nil)) }
    #expect(throws: (any Error).self) { try self.read(self.batch(key: self.key, value: [0, 9, 0])) }
    let whole = value(status: 1)
    for end in 0..<whole.count {
      #expect(throws: (any Error).self) { try self.read(self.batch(key: self.key, value: Array(whole[..<end]))) }
    }
  }
}
