import ClusterMetadata
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Replication
import Testing
import Vocabulary

@testable import Broker

/// Transactions in a partition that changes hands.
@Suite struct CopiedTransactionTests {
  private static let ownEpoch = LeaderEpoch(70_000)
  private static let nextEpoch = LeaderEpoch(70_001)
  private static let mirrored = ["mirror.link": "eu"]
  private static let opened = ["mirror.opened": "70001"]
  private static let fenced = ["mirror.fence": "other:1"]

  private func settings(_ configs: [String: String]) -> TopicSettings {
    TopicSettings(configs, inherited: ConfigResolution(fixed: [:]), producerExpiry: .seconds(86_400))
  }

  private func partition(_ workshop: Workshop, _ configs: [String: String] = mirrored) throws -> Partition {
    let partition = try workshop.partition("orders", configs)
    partition.lead(in: Self.ownEpoch)
    return partition
  }

  private func batch(of producer: Int64, sequence: Int32 = 0, epoch: Int16 = 0) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true),
      producer: ProducerStamp(id: ProducerID(producer), epoch: ProducerEpoch(epoch), baseSequence: sequence))
    builder.append(timestamp: Timestamp(milliseconds: 1000), key: nil, value: Array("v".utf8))
    return builder.build()
  }

  private func marker(of producer: Int64, committed: Bool, epoch: Int16 = 0) -> [UInt8] {
    TransactionMarkerBatch.build(
      outcome: committed, producer: ProducerID(producer), epoch: ProducerEpoch(epoch), coordinatorEpoch: 4,
      at: Timestamp(milliseconds: 1000))
  }

  private func copy(_ partition: Partition, _ bytes: [UInt8], epoch: Int32 = 3) throws {
    let position = try #require(partition.mirrorPosition(of: "eu"))
    var bytes = bytes
    let isDone = bytes.withUnsafeMutableBytes { raw in
      RecordBatchEdit.setBaseOffset(position.end, in: raw)
      RecordBatchEdit.setLeaderEpoch(LeaderEpoch(epoch), in: raw)
      return partition.appendMirrored(
        raw, [EpochRun(LeaderEpoch(epoch), at: position.end)], upTo: position.end + 1, at: position, of: "eu")
    }
    #expect(isDone)
  }

  private func append(_ partition: Partition, _ bytes: [UInt8], _ origin: AppendOrigin) throws -> AppendOutcome {
    let outcomes = Events<AppendOutcome>()
    var bytes = bytes
    bytes.withUnsafeMutableBytes { raw in
      partition.append(raw, origin: origin, acks: .leader, now: Timestamp(milliseconds: 1000)) { outcomes.add($0) }
    }
    return try outcomes.next()
  }

  /// A client's, which its coordinator has agreed to.
  private func write(_ partition: Partition, _ producer: Int64, sequence: Int32 = 0) throws -> AppendOutcome {
    let outcomes = Events<AppendOutcome>()
    var bytes = batch(of: producer, sequence: sequence)
    var ticket: VerificationTicket?
    if case .unverified(let issued) = partition.standing(of: ProducerID(producer), ProducerEpoch(0), from: sequence) {
      ticket = issued
    }
    bytes.withUnsafeMutableBytes { raw in
      partition.append(
        raw, origin: .client, acks: .leader, verified: ticket, now: Timestamp(milliseconds: 1000)
      ) { outcomes.add($0) }
    }
    return try outcomes.next()
  }

  @Test func aCopyIsReadAsFarAsTheSourceIs() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    try copy(partition, batch(of: 8))
    #expect(partition.lastStableOffset == .zero && partition.highWatermark == Offset(2))
    #expect(partition.mirrorStanding.open == 2)
    try copy(partition, marker(of: 7, committed: false))
    #expect(partition.lastStableOffset == Offset(1))
    try copy(partition, marker(of: 8, committed: true))
    #expect(partition.lastStableOffset == Offset(4) && partition.mirrorStanding.open == 0)
    let aborted = try partition.log.abortedTransactions(from: .zero, to: Offset(4))
    #expect(aborted.map(\.producer) == [ProducerID(7)])
  }

  @Test func whatIsOpenIsTakenBackBeforeTheFirstWrite() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    try copy(partition, batch(of: 8))
    try copy(partition, marker(of: 8, committed: true))
    try copy(partition, batch(of: 9))
    partition.update(settings: settings(Self.opened))
    #expect(partition.log.endOffset == Offset(4), "the epoch has not begun")
    partition.lead(in: Self.nextEpoch)
    #expect(partition.log.endOffset == Offset(6) && partition.lastStableOffset == Offset(6))
    #expect(partition.endOffset(ofEpoch: LeaderEpoch(3)).1 == Offset(4))
    guard case .kept(let kept) = try write(partition, 9) else {
      Issue.record("it is not kept")
      return
    }
    // Another transaction of that producer: what its number says is that it is the first batch after the other's.
    #expect(kept.isDuplicate || kept.baseOffset == Offset(6))
    let aborted = try partition.log.abortedTransactions(from: .zero, to: Offset(6))
    #expect(Set(aborted.map(\.producer)) == [ProducerID(7), ProducerID(9)])
  }

  /// Whoever leads next, or after a restart, looks again, and leaves alone what was begun here.
  @Test func whatWasBegunHereIsNotTakenBack() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    partition.update(settings: settings(Self.opened))
    partition.lead(in: Self.nextEpoch)
    #expect(try write(partition, 20).isKept)
    let end = partition.log.endOffset
    partition.lead(in: LeaderEpoch(70_002))
    #expect(try write(partition, 21).isKept)
    #expect(partition.log.endOffset == end + 1)
    #expect(partition.log.openTransactionCount == 2)
  }

  /// A coordinator that comes later may end it once more: its words are not older than those of the marker.
  @Test func theOldOwnersCoordinatorMayComeLater() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    try copy(partition, marker(of: 7, committed: true))
    try copy(partition, batch(of: 7, sequence: 1))
    partition.update(settings: settings(Self.opened))
    partition.lead(in: Self.nextEpoch)
    #expect(partition.log.openTransactionCount == 0)
    #expect(try append(partition, marker(of: 7, committed: false), .coordinator).isKept)
  }

  @Test func whatIsOpenEndsAtAClosedSourceAndNothingBegins() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop, [:])
    #expect(try write(partition, 7).isKept)
    partition.update(settings: settings(Self.fenced))
    #expect(try write(partition, 8).refusal == .notEnoughReplicas)
    #expect(try append(partition, batch(of: 7, sequence: 1, epoch: 1), .client).refusal == .notEnoughReplicas)
    #expect(try write(partition, 7, sequence: 1).isKept, "it goes on until it ends")
    #expect(try append(partition, marker(of: 7, committed: true), .coordinator).isKept)
    let end = partition.log.endOffset
    #expect(end == Offset(3) && partition.log.openTransactionCount == 0)
    // From here on nothing changes any more, whatever a coordinator knows.
    #expect(try append(partition, marker(of: 7, committed: true), .coordinator).isKept)
    #expect(try append(partition, marker(of: 8, committed: false), .coordinator).isKept)
    #expect(try write(partition, 7, sequence: 2).refusal == .notEnoughReplicas)
    #expect(partition.log.endOffset == end)
  }

  @Test func markersOfOursAreNotWrittenIntoACopy() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    #expect(try append(partition, marker(of: 7, committed: true), .coordinator).isKept)
    #expect(partition.log.endOffset == Offset(1) && partition.log.openTransactionCount == 1)
  }

  @Test func whoeverDoesNotLeadSaysNothingOfTransactions() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop, Self.fenced)
    partition.assign(
      Replication.PartitionState(
        leader: .none, leaderEpoch: Self.nextEpoch, partitionEpoch: PartitionEpoch(Self.nextEpoch.value), inSync: [partition.world.node],
        members: [Member(partition.world.node, in: Region(""))]),
      brokers: [BrokerStatus(partition.world.node, epoch: partition.world.brokerEpoch, .active)])
    #expect(try append(partition, marker(of: 7, committed: true), .coordinator).refusal == .notLeaderOrFollower)
  }

  @Test func whatIsCutOffIsNotOpenAnyMore() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    try copy(partition, batch(of: 7))
    try copy(partition, batch(of: 8), epoch: 4)
    try copy(partition, marker(of: 7, committed: true), epoch: 4)
    let place = try #require(partition.mirrorPosition(of: "eu"))
    #expect(partition.truncateMirrored(to: Offset(1), at: place, of: "eu"))
    #expect(partition.log.openTransactions(before: Offset(9)).map(\.id) == [ProducerID(7)])
    #expect(partition.lastStableOffset == .zero && partition.highWatermark == Offset(1))
    try copy(partition, marker(of: 7, committed: false), epoch: 6)
    #expect(partition.lastStableOffset == Offset(2))
    #expect(try partition.log.abortedTransactions(from: .zero, to: Offset(2)).map(\.producer) == [ProducerID(7)])
  }
}
