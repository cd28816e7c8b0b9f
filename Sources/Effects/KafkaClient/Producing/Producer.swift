import EventLoop
public import KafkaProtocol
import RecordCompression
import Synchronization
public import Vocabulary

/// When a write counts as done.
public enum Acks: Int16, Sendable, Hashable {
  /// When it was sent; whether it arrived is not known.
  case none = 0
  case leader = 1
  case allInSync = -1
}

public struct ProducerSettings: Sendable {
  public var acks = Acks.allInSync
  public var compression = Compression.none
  /// Nil for the codec's own default.
  public var compressionLevel: Int?
  /// Stamp batches, so that what is sent again is not appended again (KIP-98). Needs `Acks.allInSync`.
  public var isIdempotent = false
  /// A batch is sent when it has this many bytes before compression. Below `message.max.bytes` of the topic, with
  /// room for a codec that makes small batches larger.
  public var batchBytesMax = ByteCount.kibibytes(512)
  /// All batches are sent when together they have this many bytes before compression.
  public var bufferBytesMax = ByteCount.mebibytes(8)
  public init() {}
}

/// Writes records, in batches: `append` collects them, and sends when a batch is full; `flush` sends what is there.
///
/// Of each partition one batch is on its way at a time, so that records keep their order through every retry.
/// Without idempotence a batch whose answer was lost may be appended twice. A producer belongs to one task.
public final class Producer {
  private let client: ClusterClient
  private let settings: ProducerSettings
  private var accumulator: BatchAccumulator
  private var identity: ProducerIdentity?
  private var partitioners: [TopicName: Partitioner] = [:]
  private var random = SystemRandomNumberGenerator()
  /// Called for each batch that the cluster has, in each partition in their order, with where its first record is; nil
  /// where an answer was lost, or with `Acks.none`.
  public var whenAppended: ((_ partition: TopicPartition, _ first: Offset?, _ records: Int) -> Void)?
  /// Records that the cluster has, or with `Acks.none` that were sent.
  public private(set) var acknowledged = 0

  public init(_ client: ClusterClient, _ settings: ProducerSettings = ProducerSettings()) {
    precondition(!settings.isIdempotent || settings.acks == .allInSync, "idempotence needs acks=all")
    self.client = client
    self.settings = settings
    accumulator = BatchAccumulator(batchBytesMax: settings.batchBytesMax)
  }

  /// Without a partition the record's key decides. Throws when something that was sent was refused; then the batches
  /// that were not acknowledged are dropped.
  public func append(
    _ record: OwnedRecord, to topic: TopicName, partition: PartitionIndex? = nil
  ) async throws(ClientError) {
    let view = try await client.topic(topic)
    let count = Int32(clamping: view.partitions.count)
    let place: PartitionIndex
    if let partition {
      guard view.partitions.contains(where: { $0.index == partition }) else {
        throw .noLeader(TopicPartition(topic, partition).description, .unknownTopicOrPartition)
      }
      place = partition
    } else {
      guard count > 0 else { throw .noLeader(topic.text, .unknownTopicOrPartition) }
      let chance = UInt32.random(in: 0 ... .max, using: &random)
      place = PartitionIndex(
        partitioners[topic, default: Partitioner()].partition(forKey: record.key, of: count, chance: chance))
    }
    let fill = accumulator.append(record, to: TopicPartition(topic, place))
    if fill == .full { partitioners[topic]?.moveOn(of: count) }
    if fill == .full || accumulator.bytes >= settings.bufferBytesMax.value { try await flush() }
  }

  /// Sends what is there and returns when it is acknowledged.
  public func flush() async throws(ClientError) {
    guard !accumulator.isEmpty else { return }
    if settings.isIdempotent, identity == nil { identity = try await initialize() }
    var lanes = accumulator.drain().map { PartitionLane($0.partition, $0.builder) }
    let deadline = monotonicNow() + client.settings.retrySpan
    var backoff = Backoff(first: client.settings.pauseFirst, most: client.settings.pauseMax)
    while !lanes.isEmpty {
      for index in lanes.indices where lanes[index].ready == nil {
        lanes[index].ready = try seal(lanes[index].waiting[0], for: lanes[index].partition)
      }
      var last: ClientError?
      for (batch, outcome) in await send(lanes.compactMap(\.ready)) {
        guard let index = lanes.firstIndex(where: { $0.partition == batch.partition }) else { continue }
        last = try settle(batch, outcome, in: &lanes[index]) ?? last
      }
      lanes.removeAll(where: \.isDone)
      if let last {
        let pause = client.nextPause(&backoff)
        guard monotonicNow() + pause < deadline else { throw last }
        await client.pause(pause)
      }
    }
  }

  /// Returns the error after which the batch is to be sent again.
  private func settle(
    _ batch: ReadyBatch, _ outcome: BatchOutcome, in lane: inout PartitionLane
  ) throws(ClientError) -> ClientError? {
    switch outcome {
    case .appended, .wasAppended:
      acknowledged += batch.records
      var first: Offset?
      if case .appended(let at) = outcome, at >= Offset(0) { first = at }
      whenAppended?(batch.partition, first, batch.records)
      identity?.acknowledge(batch.records, in: batch.partition)
      lane.advance()
      return nil
    case .tooLarge(let error):
      guard lane.split() else { throw error }
      return nil
    case .again(let remedy, let error):
      client.apply(remedy, to: .leader(batch.partition))
      return error
    case .failed(let error): throw error
    }
  }

  private func initialize() async throws(ClientError) -> ProducerIdentity {
    let request = InitProducerIDRequest {
      $0.transactionalID = nil
      $0.transactionTimeoutMs = .max
    }
    let reply = try await client.call(request, to: .any) { PartialRefusal("the producer", $0.errorCode) }
    return ProducerIdentity(
      id: ProducerID(reply.response.producerID), epoch: ProducerEpoch(reply.response.producerEpoch))
  }

  private func seal(
    _ filled: RecordBatchBuilder, for partition: TopicPartition
  ) throws(ClientError) -> ReadyBatch {
    var builder = filled
    builder.attributes = RecordBatchAttributes(compression: settings.compression)
    if let identity { builder.producer = identity.stamp(for: partition) }
    guard settings.compression != .none else {
      return ReadyBatch(partition: partition, bytes: builder.build(), records: builder.recordsCount)
    }
    do {
      let body = try builder.body.withUnsafeBytes { raw in
        try RecordCodec.compress(raw, with: settings.compression, level: settings.compressionLevel)
      }
      let bytes = builder.build(compressedBody: body)
      return ReadyBatch(partition: partition, bytes: bytes, records: builder.recordsCount)
    } catch {
      throw .corruptRecords(partition, .none, "cannot be compressed: \(error)")
    }
  }

  /// Sends each batch to its leader; leaders work at the same time.
  private func send(_ batches: [ReadyBatch]) async -> [(ReadyBatch, BatchOutcome)] {
    var outcomes: [(ReadyBatch, BatchOutcome)] = []
    var byLeader: [BrokerAddress: [ReadyBatch]] = [:]
    for batch in batches {
      do throws(ClientError) {
        byLeader[try await client.address(of: .leader(batch.partition)), default: []].append(batch)
      } catch {
        outcomes.append((batch, BatchOutcome(error)))
      }
    }
    let client = client
    let acks = settings.acks
    await withTaskGroup(of: [(ReadyBatch, BatchOutcome)].self) { group in
      for (leader, batches) in byLeader {
        group.addTask { await client.produce(batches, to: leader, acks: acks) }
      }
      for await some in group { outcomes += some }
    }
    return outcomes
  }
}

extension ClusterClient {
  /// Versions above name topics by id.
  private static let produceVersionMax: Int16 = 12

  fileprivate func produce(
    _ batches: [ReadyBatch], to leader: BrokerAddress, acks: Acks
  ) async -> [(ReadyBatch, BatchOutcome)] {
    let request = ProduceRequest { request in
      request.acks = acks.rawValue
      request.timeoutMs = Int32(clamping: settings.requestSpan.milliseconds)
      for batch in batches {
        let name = batch.partition.topic.text
        if request.topicData.last?.name != name { request.topicData.append(.init { $0.name = name }) }
        request.topicData[request.topicData.count - 1].partitionData.append(
          .init {
            $0.index = batch.partition.partition.value
            $0.records = .bytes(batch.bytes)
          })
      }
    }
    do throws(ClientError) {
      guard acks != .none else {
        try await sendUnanswered(request, to: leader, highest: Self.produceVersionMax)
        return batches.map { ($0, .appended(at: .none)) }
      }
      let reply = try await send(request, to: leader, highest: Self.produceVersionMax)
      return batches.map { batch in
        let answer = reply.response.responses.filter { $0.name == batch.partition.topic.text }
          .flatMap(\.partitionResponses).first { $0.index == batch.partition.partition.value }
        guard let answer else {
          let error = ClientError.malformed(leader, .produce, "\(batch.partition) is not in it")
          return (batch, .failed(error))
        }
        return (batch, BatchOutcome(answer, for: batch, from: leader))
      }
    } catch {
      return batches.map { ($0, BatchOutcome(error)) }
    }
  }
}
