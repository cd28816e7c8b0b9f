public import Vocabulary

/// What a client's batch may not be. Each says what Kafka answers.
public struct ClientBatchRefusal: Error, Hashable, Sendable {
  /// One record that is at fault; `index` counts from 0 in the batch (KIP-467).
  public struct RecordFault: Hashable, Sendable {
    public let index: Int32
    public let message: String
  }
  public let code: ErrorCode
  public let message: String
  public let records: [RecordFault]
  public init(_ code: ErrorCode, _ message: String, records: [RecordFault] = []) {
    self.code = code
    self.message = message
    self.records = records
  }
}

/// What a topic asks of its records' keys.
public enum KeyRule: Hashable, Sendable {
  case optional
  /// A compacted topic: a record without a key could never be replaced.
  case required
}

/// Whether control records (transaction markers) may be written.
public enum ControlRule: Hashable, Sendable {
  case refused
  case allowed
}

/// What was learned by walking over the records of a batch.
public struct RecordsSeen: Hashable, Sendable {
  public var largestTimestamp = Timestamp.none
  public var smallestTimestamp = Timestamp(milliseconds: .max)
}

/// The checks that a batch from a client passes before it gets offsets.
public enum ClientBatch {
  /// At most this many records are named in one refusal.
  public static let recordFaultsMax = 100

  /// The single batch that fills `bytes`: magic 2, length, CRC, count and offsets, no control bit.
  /// The records themselves are for `checkRecords`.
  public static func check(
    _ bytes: UnsafeRawBufferPointer, control: ControlRule = .refused
  ) throws(ClientBatchRefusal) -> RecordBatch {
    let batch: RecordBatch
    do {
      batch = try RecordBatch(bytes)
    } catch .unsupportedMagic(let magic) {
      throw ClientBatchRefusal(
        .invalidRecord, "record batches of format \(magic) are not accepted, only 2")
    } catch {
      throw ClientBatchRefusal(.corruptMessage, "the record batch cannot be read: \(error)")
    }
    let header = batch.header
    guard batch.bytes.count == bytes.count else {
      throw ClientBatchRefusal(.invalidRecord, "exactly one record batch per partition is accepted")
    }
    guard batch.isChecksumValid else {
      throw ClientBatchRefusal(.corruptMessage, "the record batch's CRC-32C does not match its bytes")
    }
    // The log gives the offsets. One that a sender made up would be taken for a place in the log.
    guard header.baseOffset == .zero else {
      throw ClientBatchRefusal(
        .invalidRecord, "the record batch's base offset is \(header.baseOffset.value) where it should be 0")
    }
    guard header.recordsCount > 0 else { throw ClientBatchRefusal(.invalidRecord, "the record batch is empty") }
    guard Int64(header.recordsCount) == Int64(header.lastOffsetDelta) + 1 else {
      throw ClientBatchRefusal(
        .invalidRecord, "\(header.recordsCount) records, but the last offset is \(header.lastOffsetDelta)")
    }
    guard !header.attributes.isControl || control == .allowed else {
      throw ClientBatchRefusal(.invalidRecord, "clients may not write control records")
    }
    guard header.attributes.compression != nil else {
      throw ClientBatchRefusal(.corruptMessage, "compression \(header.attributes.codecNumber) does not exist")
    }
    guard !header.attributes.hasDeleteHorizon else {
      throw ClientBatchRefusal(.invalidRecord, "clients may not set a delete horizon")
    }
    try checkProducer(header, control)
    return batch
  }

  /// What coordinators write in a producer's name has no sequence.
  private static func checkProducer(
    _ header: RecordBatchHeader, _ control: ControlRule
  ) throws(ClientBatchRefusal) {
    if header.isIdempotent {
      guard header.producerEpoch.value >= 0, header.baseSequence >= 0 || control == .allowed else {
        throw ClientBatchRefusal(
          .invalidRecord, "producer \(header.producerID.value) without an epoch or a sequence")
      }
    } else if header.attributes.isTransactional {
      throw ClientBatchRefusal(.invalidRecord, "a transactional batch without a producer id")
    }
  }

  /// Walks over every record of a body (decompressed, if it was compressed): lengths are true, offsets are
  /// 0 to n−1 in order, and keys follow `keys`.
  public static func checkRecords(
    of header: RecordBatchHeader, body: UnsafeRawBufferPointer, keys: KeyRule
  ) throws(ClientBatchRefusal) -> RecordsSeen {
    var cursor = RecordCursor(body: body, header: header)
    var seen = RecordsSeen()
    var faults: [ClientBatchRefusal.RecordFault] = []
    var expected: Int32 = 0
    do {
      while let record = try cursor.next() {
        guard record.offsetDelta == expected else { throw RecordBatchError.impossibleOffsets }
        if keys == .required, record.key == nil, faults.count < recordFaultsMax {
          faults.append(.init(index: expected, message: "a compacted topic accepts no record without a key"))
        }
        expected &+= 1
        seen.largestTimestamp = max(seen.largestTimestamp, record.timestamp)
        seen.smallestTimestamp = min(seen.smallestTimestamp, record.timestamp)
      }
    } catch RecordBatchError.impossibleOffsets {
      throw ClientBatchRefusal(
        .invalidRecord, "the offsets in the batch are not 0 to \(header.lastOffsetDelta) in order")
    } catch {
      throw ClientBatchRefusal(.invalidRecord, "the records cannot be read: \(error)")
    }
    guard faults.isEmpty else {
      throw ClientBatchRefusal(.invalidRecord, "one or more records have been rejected", records: faults)
    }
    return seen
  }
}
