import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Testing
import Vocabulary

@testable import Broker

/// What readers of committed transactions get of a partition, and when they are woken (KIP-98).
@Suite struct ReadCommittedTests {
  private let workshop: Workshop
  private let table = PartitionTable()
  private let partition: Partition

  init() throws {
    workshop = try Workshop()
    partition = try workshop.partition("t")
    let topic = try #require(TopicName("t"))
    table.put(PartitionTable.HeldTopic(name: topic, id: Workshop.topicID, partitions: [partition]))
  }

  private func item(_ offset: Int64, maxBytes: Int32 = 1 << 20) -> FetchItem {
    var ask = KafkaProtocol.FetchRequest.Partition()
    ask.fetchOffset = offset
    ask.partitionMaxBytes = maxBytes
    return FetchItem(key: FetchKey(topic: .name("t"), partition: 0), ask: ask)
  }

  private func plan(_ items: [FetchItem], committed: Bool = true) -> FetchPlan {
    FetchPlan(
      items: items, version: 12, maxBytes: 1 << 20, source: .consumer(region: nil, committedOnly: committed))
  }

  private func read(_ offset: Int64, maxBytes: Int32 = 1 << 20, committed: Bool = true) throws -> FetchedPartition {
    let found = plan([item(offset, maxBytes: maxBytes)], committed: committed).read(from: table).items.first?.fetched
    return try #require(found)
  }

  /// The offset after the last batch that was read.
  private func end(of fetched: FetchedPartition) throws -> Int64? {
    guard let slice = fetched.records else { return nil }
    return try slice.bytes().withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      var end: Int64?
      while let batch = try cursor.next() { end = batch.header.nextOffset.value }
      return end
    }
  }

  private func wait(_ audience: Partition.Audience = .committedConsumers, seen: Offset) -> Events<Void> {
    let woken = Events<Void>()
    FetchWait(partitions: [partition], as: audience) { woken.add(()) }
      .start(seen: [seen], until: .never, on: workshop.loop)
    return woken
  }

  @Test func aReaderOfCommittedDataStopsAtTheOpenTransaction() throws {
    partition.put("plain")
    try partition.write("t", by: 4)
    partition.put("later")
    #expect(partition.lastStableOffset == Offset(1) && partition.highWatermark == Offset(3))
    let committed = try read(0)
    #expect(try end(of: committed) == 1)
    #expect(committed.answer.highWatermark == 3 && committed.answer.lastStableOffset == 1)
    #expect(committed.answer.abortedTransactions?.isEmpty == true)
    let all = try read(0, committed: false)
    #expect(try end(of: all) == 3)
    #expect(all.answer.lastStableOffset == 1 && all.answer.abortedTransactions == nil)
    for offset in 1...3 as ClosedRange<Int64> {
      let empty = try read(offset)
      #expect(empty.records == nil && empty.answer.errorCode == .none && empty.seen == Offset(1))
    }
    #expect(try read(4).answer.errorCode == .offsetOutOfRange)
    try partition.end(4, committed: true)
    #expect(try end(of: read(0)) == 4)
  }

  @Test func whatWasTakenBackIsNamedWhereItIsPartOfTheAnswer() throws {
    for n in 0..<3 as Range<Int32> {
      try partition.write("kept", by: 4, from: n)
      try partition.end(4, committed: true)
      try partition.write("taken back", by: 5, from: n)
      try partition.end(5, committed: false)
    }
    let all = try read(0)
    #expect(try end(of: all) == 12)
    #expect(all.answer.abortedTransactions?.map(\.firstOffset) == [2, 6, 10])
    #expect(all.answer.abortedTransactions?.map(\.producerID) == [5, 5, 5])
    #expect(try read(3).answer.abortedTransactions?.map(\.firstOffset) == [2, 6, 10])
    #expect(try read(4).answer.abortedTransactions?.map(\.firstOffset) == [6, 10])
    let few = try read(0, maxBytes: 200)
    #expect(try end(of: few) == 2)
    #expect(few.answer.abortedTransactions?.isEmpty == true)
    #expect(try read(0, committed: false).answer.abortedTransactions == nil)
  }

  @Test func onlyAMoveOfTheLastStableOffsetWakesAReaderOfCommittedData() throws {
    try partition.write("t", by: 4)
    let woken = wait(seen: partition.lastStableOffset)
    let impatient = wait(.consumers, seen: partition.highWatermark)
    partition.put("beside it")
    try partition.write("more of it", by: 4, from: 1)
    #expect(woken.count == 0 && impatient.count == 1)
    try partition.end(4, committed: true)
    #expect(woken.count == 1)
    let again = wait(seen: partition.lastStableOffset)
    partition.put("plain")
    #expect(again.count == 1, "without transactions every record counts")
  }

  @Test func aMarkerBetweenReadAndWaitWakesAtOnce() throws {
    try partition.write("t", by: 4)
    let seen = partition.lastStableOffset
    try partition.end(4, committed: false)
    #expect(wait(seen: seen).count == 1)
  }

  @Test func aDeletedPartitionOrAnotherEpochEndsTheWait() throws {
    let first = wait(seen: partition.lastStableOffset)
    partition.lead(in: LeaderEpoch(1))
    #expect(first.count == 1)
    let second = wait(seen: partition.lastStableOffset)
    partition.retire()
    #expect(second.count == 1)
  }

  /// A marker that is not on every in-sync replica may be lost, and tells nobody anything yet.
  @Test func theLastStableOffsetPassesAMarkerOnceItIsCommitted() throws {
    partition.assign(
      Replication.PartitionState(
        leader: .elected(Workshop.node, BrokerEpoch(1)), leaderEpoch: LeaderEpoch(1),
        partitionEpoch: PartitionEpoch(1), inSync: [Workshop.node, NodeID(2)],
        members: [Member(Workshop.node, in: Region("")), Member(NodeID(2), in: Region(""))]),
      brokers: [
        BrokerStatus(Workshop.node, epoch: BrokerEpoch(1), .active),
        BrokerStatus(NodeID(2), epoch: BrokerEpoch(2), .active),
      ])
    func copied(to offset: Int64) {
      _ = partition.answer(
        Replication.FetchRequest(
          id: FetchID(0), from: NodeID(2), brokerEpoch: BrokerEpoch(2), leaderEpoch: LeaderEpoch(1),
          offset: Offset(offset), lastEpoch: .none, logStart: .zero), isNew: true)
    }
    try partition.write("t", by: 4)
    copied(to: 1)
    #expect(partition.highWatermark == Offset(1) && partition.lastStableOffset == .zero)
    let woken = wait(seen: partition.lastStableOffset)
    try partition.end(4, committed: true)
    #expect(partition.log.firstOpenTransaction == nil && partition.lastStableOffset == .zero && woken.count == 0)
    copied(to: 2)
    #expect(partition.lastStableOffset == Offset(2) && woken.count == 1)
    #expect(try partition.committedEnd(forEpoch: 1, stable: true).get() == Offset(2))
  }

  @Test func whatIsTakenBackAndNotInMemoryIsReadElsewhereThanOnTheLoop() throws {
    for n in 0..<40 as Range<Int32> {
      try partition.write("t", by: 4, from: n)
      try partition.end(4, committed: false)
    }
    #expect(plan([item(70)]).staysInMemory(table) && !plan([item(0)]).staysInMemory(table))
  }
}

extension Partition {
  /// As the Produce of a client whose coordinator has said yes.
  fileprivate func write(_ value: String, by id: Int64, from sequence: Int32 = 0) throws {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true),
      producer: ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(0), baseSequence: sequence))
    builder.append(timestamp: Timestamp(milliseconds: 1000), key: nil, value: Array(value.utf8))
    var ticket: VerificationTicket?
    if case .unverified(let issued) = standing(of: ProducerID(id), ProducerEpoch(0), from: sequence) { ticket = issued }
    try put(builder.build(), .client, ticket)
  }

  fileprivate func end(_ id: Int64, committed: Bool) throws {
    try put(
      TransactionMarkerBatch.build(
        outcome: committed, producer: ProducerID(id), epoch: ProducerEpoch(0), coordinatorEpoch: 0,
        at: Timestamp(milliseconds: 1000)), .coordinator, nil)
  }

  private func put(_ bytes: [UInt8], _ origin: AppendOrigin, _ ticket: VerificationTicket?) throws {
    let outcomes = Events<AppendOutcome>()
    var bytes = bytes
    bytes.withUnsafeMutableBytes {
      append($0, origin: origin, acks: .leader, verified: ticket, now: Timestamp(milliseconds: 1000)) {
        outcomes.add($0)
      }
    }
    #expect(try outcomes.next().isKept)
  }
}
