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
  var transactions = OpenTransactions()

  var isEmpty: Bool { entries.isEmpty }

  enum Verdict: Equatable {
    case follows
    /// Stored already, there.
    case duplicate(Batch)
    /// Batches of its producer that belong before it are missing, and may be on their way.
    case early(String)
    /// It is not its producer's first, and nothing is known of that one.
    case unknown(String)
    case refused(ErrorCode, String)
  }

  /// What a batch may stand on that is part of a transaction.
  enum Verification: Equatable {
    /// It comes from a coordinator, which knows.
    case needless
    case missing
    /// No sequence above this one may open the transaction.
    case verified(lowestSequence: Int32)
  }

  /// Whether a batch of a client or a coordinator may be appended. Kafka's rules of version 4.
  func verdict(on header: RecordBatchHeader, _ verification: Verification) -> Verdict {
    guard header.isIdempotent else { return .follows }
    guard let entry = entries[header.producerID.value] else {
      if header.attributes.isTransactional, let refused = transactionVerdict(on: header, nil, verification) {
        return refused
      }
      // Records of a coordinator have no sequence.
      guard header.baseSequence > 0 else { return .follows }
      return .unknown(
        "producer \(header.producerID.value): sequence \(header.baseSequence) is the first that is seen of it")
    }
    let epoch = header.producerEpoch.value
    let first = header.baseSequence
    if epoch < entry.epoch {
      return .refused(
        .invalidProducerEpoch, "producer \(header.producerID.value): epoch \(epoch) is older than \(entry.epoch)")
    }
    if epoch == entry.epoch, first >= 0,
      let batch = entry.batches.last(where: { $0.firstSequence == first && $0.lastSequence == header.lastSequence })
    {
      return .duplicate(batch)
    }
    if header.attributes.isTransactional || entry.transactionStart >= 0,
      let refused = transactionVerdict(on: header, entry, verification)
    {
      return refused
    }
    // Records of a coordinator have no sequence.
    return first < 0 ? .follows : sequenceVerdict(on: header, entry)
  }

  /// Nil where nothing speaks against the batch. `entry` is the producer's.
  private func transactionVerdict(
    on header: RecordBatchHeader, _ entry: Entry?, _ verification: Verification
  ) -> Verdict? {
    let producer = header.producerID.value
    let isOpen = (entry?.transactionStart ?? -1) >= 0
    guard header.attributes.isTransactional else {
      guard isOpen else { return nil }
      return .refused(
        .invalidTxnState, "producer \(producer): a batch that is not part of its open transaction")
    }
    if isOpen, entry?.epoch == header.producerEpoch.value { return nil }
    switch verification {
    case .needless: break
    case .missing:
      return .refused(.invalidTxnState, "producer \(producer): no transaction is known to be open on this partition")
    case .verified(let lowest) where header.baseSequence > lowest:
      return .early(
        "producer \(producer): sequence \(header.baseSequence) where \(lowest) was seen and is not stored yet")
    case .verified: break
    }
    if !isOpen, transactions.open.count >= Self.producersMax {
      return .refused(.concurrentTransactions, "\(transactions.open.count) transactions are open on this partition")
    }
    return nil
  }

  /// Whether a marker of a coordinator may be appended: no older producer, no older coordinator.
  func verdict(onMarkerOf header: RecordBatchHeader, _ marker: TransactionMarker) -> Verdict {
    guard let entry = entries[header.producerID.value] else { return .follows }
    let producer = header.producerID.value
    if header.producerEpoch.value < entry.epoch {
      return .refused(
        .invalidProducerEpoch,
        "producer \(producer): a marker of epoch \(header.producerEpoch.value), which is older than \(entry.epoch)")
    }
    if marker.coordinatorEpoch < entry.coordinatorEpoch {
      return .refused(
        .transactionCoordinatorFenced,
        "producer \(producer): a marker of the coordinator's epoch \(marker.coordinatorEpoch), which is older than "
          + "\(entry.coordinatorEpoch)")
    }
    return .follows
  }

  /// Whether a batch follows on those of its producer; it is no repetition, and of no older epoch.
  private func sequenceVerdict(on header: RecordBatchHeader, _ entry: Entry) -> Verdict {
    let producer = header.producerID.value
    let first = header.baseSequence
    if header.producerEpoch.value > entry.epoch {
      if first == 0 { return .follows }
      return .early("producer \(producer): epoch \(header.producerEpoch.value) begins with sequence \(first), not 0")
    }
    guard let last = entry.batches.last?.lastSequence else {
      // The epoch is known only from a marker: the producer starts anew.
      return first == 0 ? .follows : .early("producer \(producer): sequence \(first), not 0")
    }
    let expected = last == .max ? 0 : last + 1
    if first == expected { return .follows }
    let message = "producer \(producer): sequence \(first) where \(expected) is next"
    let isAhead = (first &- expected) & .max < .max / 2
    return isAhead ? .early(message) : .refused(.outOfOrderSequenceNumber, message)
  }

  /// Takes note of a batch that is in the log, and says which transaction it takes back. Never fails: what is in the
  /// log is the truth.
  @discardableResult
  mutating func note(_ header: RecordBatchHeader, marker: TransactionMarker? = nil) -> AbortedTransaction? {
    guard header.isIdempotent else { return nil }
    if header.attributes.isControl {
      return marker.flatMap { end(header, with: $0) }
    }
    let timestamp = header.maxTimestamp.milliseconds
    var entry =
      entries.removeValue(forKey: header.producerID.value)
      ?? Entry(epoch: header.producerEpoch.value, lastTimestamp: timestamp)
    if entry.epoch != header.producerEpoch.value {
      entry.epoch = header.producerEpoch.value
      entry.batches.removeAll(keepingCapacity: true)
    }
    if header.baseSequence >= 0 {
      if entry.batches.count == Self.batchesMax { entry.batches.removeFirst() }
      entry.batches.append(
        Batch(
          lastSequence: header.lastSequence, lastOffset: header.lastOffset.value, offsetDelta: header.lastOffsetDelta,
          timestamp: timestamp))
    }
    entry.lastTimestamp = timestamp
    if header.attributes.isTransactional, entry.transactionStart < 0 {
      entry.transactionStart = header.baseOffset.value
      transactions.begin(at: header.baseOffset.value)
    }
    makeRoom()
    entries[header.producerID.value] = entry
    return nil
  }

  private mutating func end(_ header: RecordBatchHeader, with marker: TransactionMarker) -> AbortedTransaction? {
    let timestamp = header.maxTimestamp.milliseconds
    var entry =
      entries[header.producerID.value] ?? Entry(epoch: header.producerEpoch.value, lastTimestamp: timestamp)
    if entry.epoch != header.producerEpoch.value {
      entry.epoch = header.producerEpoch.value
      entry.batches.removeAll(keepingCapacity: true)
    }
    let start = entry.transactionStart
    entry.coordinatorEpoch = marker.coordinatorEpoch
    entry.transactionStart = -1
    entry.lastTimestamp = timestamp
    makeRoom()
    entries[header.producerID.value] = entry
    guard start >= 0 else { return nil }
    transactions.end(start, marker: header.baseOffset.value)
    guard !marker.isCommit else { return nil }
    return AbortedTransaction(
      producer: header.producerID, firstOffset: Offset(start), lastOffset: header.baseOffset,
      lastStableOffset: transactions.firstOpen.map { Offset($0) } ?? header.nextOffset)
  }

  private mutating func makeRoom() {
    guard entries.count >= Self.producersMax else { return }
    // Who has an open transaction stays: nobody would know any more where it began.
    let oldest = entries.filter { $0.value.transactionStart < 0 }.sorted {
      ($0.value.lastTimestamp, $0.key) < ($1.value.lastTimestamp, $1.key)
    }
    for (id, _) in oldest.prefix(Self.producersMax / 16) { entries[id] = nil }
  }

  /// Forgets producers that have been silent for longer than `producer.id.expiration.ms`, open transactions aside.
  mutating func expire(now: Timestamp, after span: TimeSpan) {
    guard !entries.isEmpty else { return }
    let limit = now.milliseconds &- span.milliseconds
    for (id, entry) in entries where entry.transactionStart < 0 && entry.lastTimestamp < limit { entries[id] = nil }
  }

  mutating func restore(_ id: Int64, _ entry: Entry) {
    if let earlier = entries[id], earlier.transactionStart >= 0 { transactions.forget(earlier.transactionStart) }
    if entry.transactionStart >= 0 { transactions.begin(at: entry.transactionStart) }
    entries[id] = entry
  }

  /// False for who has no last batch that they could come before.
  mutating func restore(_ id: Int64, earlier batches: [Batch]) -> Bool {
    guard entries[id]?.batches.count == 1 else { return false }
    entries[id]?.batches.insert(contentsOf: batches, at: 0)
    return true
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

extension ActiveProducer {
  init(_ id: Int64, _ entry: ProducerStates.Entry) {
    self.init(
      id: ProducerID(id), epoch: ProducerEpoch(entry.epoch), lastSequence: entry.batches.last?.lastSequence ?? -1,
      lastTimestamp: Timestamp(milliseconds: entry.lastTimestamp), coordinatorEpoch: entry.coordinatorEpoch,
      transactionStart: Offset(entry.transactionStart))
  }
}
