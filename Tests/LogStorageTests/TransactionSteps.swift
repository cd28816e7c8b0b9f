import KafkaProtocol
import Testing
import Vocabulary

@testable import LogStorage

extension Make {
  static func transactional(
    _ values: [String], by id: Int64, epoch: Int16 = 0, from sequence: Int32 = 0, keys: [String?]? = nil,
    base: Int64 = 0, leaderEpoch: Int32 = -1
  ) -> [UInt8] {
    batch(
      values, keys: keys,
      producer: ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(epoch), baseSequence: sequence),
      attributes: RecordBatchAttributes(isTransactional: true), base: base, epoch: leaderEpoch)
  }

  static func marker(committed: Bool, of id: Int64, epoch: Int16 = 0, coordinator: Int32 = 0) -> [UInt8] {
    TransactionMarkerBatch.build(
      outcome: committed, producer: ProducerID(id), epoch: ProducerEpoch(epoch), coordinatorEpoch: coordinator,
      at: Timestamp(milliseconds: 1_500))
  }
}

extension PartitionLog {
  func standing(of id: Int64, epoch: Int16 = 0, from sequence: Int32 = 0, in leaderEpoch: Int32 = 1)
    -> TransactionStanding
  {
    standing(
      of: ProducerID(id), ProducerEpoch(epoch), from: sequence, inEpoch: LeaderEpoch(leaderEpoch))
  }

  /// Nil where the transaction is open.
  func ticket(of id: Int64, epoch: Int16 = 0, from sequence: Int32 = 0, in leaderEpoch: Int32 = 1)
    -> VerificationTicket?
  {
    switch standing(of: id, epoch: epoch, from: sequence, in: leaderEpoch) {
    case .ongoing: nil
    case .unverified(let ticket): ticket
    }
  }

  /// Appends as the Produce of a client whose coordinator has said yes.
  @discardableResult
  func write(
    _ values: [String], by id: Int64, epoch: Int16 = 0, from sequence: Int32 = 0, keys: [String?]? = nil
  ) throws -> Appended {
    let ticket = ticket(of: id, epoch: epoch, from: sequence)
    return try tryPut(
      Make.transactional(values, by: id, epoch: epoch, from: sequence, keys: keys), verified: ticket
    ).get()
  }

  @discardableResult
  func end(_ id: Int64, committed: Bool, epoch: Int16 = 0, coordinator: Int32 = 0) throws -> Appended {
    try put(Make.marker(committed: committed, of: id, epoch: epoch, coordinator: coordinator), .coordinator)
  }

  func code(
    _ bytes: [UInt8], _ origin: AppendOrigin = .client, epoch: Int32 = 1, verified: VerificationTicket? = nil
  ) throws -> ErrorCode {
    switch try tryPut(bytes, origin, epoch: epoch, verified: verified) {
    case .success: .none
    case .failure(let refusal): refusal.code
    }
  }

  /// What a reader of committed data sees, as a client works it out: record values below `end`, read in small pieces.
  func committedValues(below end: Offset, maxBytes: Int = 400) throws -> [String] {
    var values: [String] = []
    var at = startOffset
    while at < end {
      let (outcome, aborted) = try readCommitted(from: at, maxBytes: maxBytes, upTo: end, minimum: .oneBatch)
      guard case .slice(let slice) = outcome else { break }
      var begin = aborted.sorted { $0.firstOffset < $1.firstOffset }
      var open: Set<ProducerID> = []
      let bytes = try slice.bytes()
      try bytes.withUnsafeBytes { raw in
        var cursor = RecordBatchCursor(raw)
        while let batch = try cursor.next() {
          at = batch.header.nextOffset
          while let next = begin.first, next.firstOffset <= batch.header.lastOffset {
            open.insert(next.producer)
            begin.removeFirst()
          }
          if batch.header.attributes.isControl {
            if TransactionMarker(batch)?.isCommit == false { open.remove(batch.header.producerID) }
          } else if !batch.header.attributes.isTransactional || !open.contains(batch.header.producerID) {
            values += try recordValues([UInt8](batch.bytes))
          }
        }
      }
      #expect(slice.endOffset >= at && slice.endOffset <= end)
    }
    return values
  }
}

/// What the batches of a log say of its transactions, worked out from nothing but them.
struct TransactionTruth {
  var open: [Int64: Int64] = [:]
  var ended: [(first: Int64, marker: Int64)] = []
  var aborted: [AbortedTransaction] = []
  /// Values of records that no transaction took back, and of transactions that are over.
  var committed: [(offset: Int64, value: String)] = []

  init(_ log: PartitionLog) throws {
    var pending: [Int64: [(Int64, String)]] = [:]
    for bytes in try log.everything() {
      try bytes.withUnsafeBytes { raw in
        let batch = try RecordBatch(raw)
        let (header, id, base) = (batch.header, batch.header.producerID.value, batch.header.baseOffset.value)
        if header.attributes.isControl {
          guard let first = open.removeValue(forKey: id) else { return }
          ended.append((first, base))
          let kept = pending.removeValue(forKey: id) ?? []
          if try Self.isCommit(batch) { return committed += kept }
          aborted.append(
            AbortedTransaction(
              producer: header.producerID, firstOffset: Offset(first), lastOffset: header.baseOffset,
              lastStableOffset: Offset(open.values.min() ?? base + 1)))
          return
        }
        let values = try recordValues(bytes).enumerated().map { (base + Int64($0.offset), $0.element) }
        guard header.attributes.isTransactional else { return committed += values }
        if open[id] == nil { open[id] = base }
        pending[id, default: []] += values
      }
    }
    committed.sort { $0.offset < $1.offset }
  }

  private static func isCommit(_ batch: RecordBatch) throws -> Bool {
    var records = batch.records
    let key = try #require(try records.next()?.key)
    return key[3] == 1
  }

  func lastStable(below highWatermark: Int64) -> Int64 {
    min(highWatermark, (open.values + ended.filter { $0.marker >= highWatermark }.map(\.first)).min() ?? highWatermark)
  }

  func aborted(from: Int64, to end: Int64) -> [AbortedTransaction] {
    aborted.filter { $0.lastOffset.value >= from && $0.firstOffset.value < end }
  }
}
