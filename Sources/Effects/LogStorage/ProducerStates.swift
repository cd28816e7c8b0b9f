import KafkaProtocol
public import Vocabulary

/// What a partition remembers of the producers that write to it, so that a retry is stored once (KIP-98).
///
/// Per producer id: its epoch and its last five batches, because a producer keeps at most five requests in
/// flight. An exact repeat of one of them gets the original offset; anything else must follow on.
struct ProducerStates: Sendable {
  /// A producer has at most this many requests in flight (`max.in.flight.requests.per.connection`).
  static let batchesMax = 5
  /// At the limit the producers that were silent longest are forgotten, a sixteenth at once.
  static let producersMax = 65_536

  struct Batch: Sendable, Equatable {
    var lastSequence: Int32
    var lastOffset: Int64
    var offsetDelta: Int32
    var timestamp: Int64

    var firstOffset: Int64 { lastOffset - Int64(offsetDelta) }
    var firstSequence: Int32 { Int32((Int64(lastSequence) - Int64(offsetDelta)) & 0x7fff_ffff) }
  }

  struct Entry: Sendable, Equatable {
    var epoch: Int16
    /// Oldest first, at most `batchesMax`.
    var batches: [Batch] = []
    var coordinatorEpoch: Int32 = -1
    /// Where the open transaction began; -1 without one.
    var transactionStart: Int64 = -1
    var lastTimestamp: Int64
  }

  private(set) var entries: [Int64: Entry] = [:]

  var isEmpty: Bool { entries.isEmpty }

  enum Verdict: Equatable {
    case follows
    /// Stored already, there.
    case duplicate(Batch)
    case refused(ErrorCode, String)
  }

  /// Whether a client's batch may be appended. Kafka's rules of version 4.
  func verdict(on header: RecordBatchHeader) -> Verdict {
    guard header.isIdempotent, let entry = entries[header.producerID.value] else { return .follows }
    let epoch = header.producerEpoch.value
    let first = header.baseSequence
    if epoch < entry.epoch {
      return .refused(
        .invalidProducerEpoch, "producer \(header.producerID.value): epoch \(epoch) is older than \(entry.epoch)")
    }
    if epoch > entry.epoch {
      guard first != 0 else { return .follows }
      return .refused(
        .outOfOrderSequenceNumber,
        "producer \(header.producerID.value): epoch \(epoch) begins with sequence \(first), not 0")
    }
    if let batch = entry.batches.last(where: {
      $0.firstSequence == first && $0.lastSequence == header.lastSequence
    }) {
      return .duplicate(batch)
    }
    guard let last = entry.batches.last?.lastSequence else {
      // The epoch is known only from a marker: the producer starts anew.
      if first == 0 { return .follows }
      return .refused(.outOfOrderSequenceNumber, "producer \(header.producerID.value): sequence \(first), not 0")
    }
    let expected = last == .max ? 0 : last + 1
    if first == expected { return .follows }
    return .refused(
      .outOfOrderSequenceNumber,
      "producer \(header.producerID.value): sequence \(first) where \(expected) is next")
  }

  /// Takes note of a batch that is in the log. Never fails: what is in the log is the truth.
  mutating func note(_ header: RecordBatchHeader, marker: TransactionMarker? = nil) {
    guard header.isIdempotent else { return }
    if header.attributes.isControl {
      if let marker { end(header, with: marker) }
      return
    }
    let timestamp = header.maxTimestamp.milliseconds
    var entry =
      entries.removeValue(forKey: header.producerID.value)
      ?? Entry(epoch: header.producerEpoch.value, lastTimestamp: timestamp)
    if entry.epoch != header.producerEpoch.value {
      entry.epoch = header.producerEpoch.value
      entry.batches.removeAll(keepingCapacity: true)
    }
    if entry.batches.count == Self.batchesMax { entry.batches.removeFirst() }
    entry.batches.append(
      Batch(
        lastSequence: header.lastSequence, lastOffset: header.lastOffset.value, offsetDelta: header.lastOffsetDelta,
        timestamp: timestamp))
    entry.lastTimestamp = timestamp
    if header.attributes.isTransactional, entry.transactionStart < 0 {
      entry.transactionStart = header.baseOffset.value
    }
    makeRoom()
    entries[header.producerID.value] = entry
  }

  private mutating func end(_ header: RecordBatchHeader, with marker: TransactionMarker) {
    let timestamp = header.maxTimestamp.milliseconds
    var entry =
      entries[header.producerID.value] ?? Entry(epoch: header.producerEpoch.value, lastTimestamp: timestamp)
    if entry.epoch != header.producerEpoch.value {
      entry.epoch = header.producerEpoch.value
      entry.batches.removeAll(keepingCapacity: true)
    }
    entry.coordinatorEpoch = marker.coordinatorEpoch
    entry.transactionStart = -1
    entry.lastTimestamp = timestamp
    makeRoom()
    entries[header.producerID.value] = entry
  }

  private mutating func makeRoom() {
    guard entries.count >= Self.producersMax else { return }
    let oldest = entries.sorted { ($0.value.lastTimestamp, $0.key) < ($1.value.lastTimestamp, $1.key) }
    for (id, _) in oldest.prefix(Self.producersMax / 16) { entries[id] = nil }
  }

  /// Forgets producers that have been silent for longer than `producer.id.expiration.ms`, open transactions aside.
  mutating func expire(now: Timestamp, after span: TimeSpan) {
    guard !entries.isEmpty else { return }
    let limit = now.milliseconds &- span.milliseconds
    for (id, entry) in entries where entry.transactionStart < 0 && entry.lastTimestamp < limit { entries[id] = nil }
  }

  mutating func restore(_ id: Int64, _ entry: Entry) { entries[id] = entry }
  mutating func removeAll() { entries.removeAll() }
}

/// A control record that ends a transaction.
struct TransactionMarker: Sendable, Equatable {
  var coordinatorEpoch: Int32
  var isCommit: Bool

  /// Reads the marker of a control batch; nil for other control records, and for what does not parse.
  init?(_ batch: RecordBatch) {
    guard batch.header.attributes.isControl, batch.header.attributes.compression == Compression.none else { return nil }
    var records = batch.records
    guard let record = try? records.next(), let key = record.key, let value = record.value, key.count >= 4,
      value.count >= 6
    else { return nil }
    let kind = Int16(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: Int16.self))
    guard kind == 0 || kind == 1 else { return nil }
    isCommit = kind == 1
    coordinatorEpoch = Int32(bigEndian: value.loadUnaligned(fromByteOffset: 2, as: Int32.self))
  }
}

/// One producer as DescribeProducers shows it (KIP-664).
public struct ActiveProducer: Hashable, Sendable {
  public let id: ProducerID
  public let epoch: ProducerEpoch
  public let lastSequence: Int32
  public let lastTimestamp: Timestamp
  public let coordinatorEpoch: Int32
  /// `.none` without an open transaction.
  public let transactionStart: Offset
}
