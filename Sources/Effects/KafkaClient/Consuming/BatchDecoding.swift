import KafkaProtocol
import RecordCompression
import Vocabulary

/// Reads the records out of batches.
enum BatchDecoding {
  /// A batch whose records are more than this, decompressed, is not read.
  static let bodyBytesMax = ByteCount.mebibytes(256)

  struct Decoded {
    var records: [OwnedRecord] = []
    /// Where to read on.
    var next: Offset
  }

  /// The records from `start` on in the batches that fill `bytes`; the last batch may be cut off. Control records, and
  /// in batches before `start`'s the records below it, are left out, but their offsets are passed. So are `aborted`
  /// transactions.
  static func records(
    in bytes: UnsafeRawBufferPointer, from start: Offset, of partition: TopicPartition,
    aborted: [FetchResponse.AbortedTransaction] = []
  ) throws(ClientError) -> Decoded {
    var decoded = Decoded(next: start)
    var aborted = AbortedTransactions(aborted)
    var cursor = RecordBatchCursor(bytes)
    do {
      while let batch = try cursor.next() {
        guard batch.isChecksumValid else { throw RecordBatchError.wrongChecksum }
        if batch.header.lastOffset < start { continue }
        let isLeftOut = try aborted.leaveOut(batch)
        if !isLeftOut && !batch.header.attributes.isControl { try append(batch, from: start, to: &decoded.records) }
        decoded.next = max(decoded.next, batch.header.nextOffset)
      }
    } catch {
      // What came before is handed over first; the next call meets the bad batch alone.
      if decoded.next > start { return decoded }
      throw .corruptRecords(partition, decoded.next, "\(error)")
    }
    return decoded
  }

  private static func append(_ batch: RecordBatch, from start: Offset, to records: inout [OwnedRecord]) throws {
    func collect(_ body: UnsafeRawBufferPointer) throws {
      var cursor = RecordCursor(body: body, header: batch.header)
      while let record = try cursor.next() {
        if record.offset >= start { records.append(OwnedRecord(record)) }
      }
    }
    guard let compression = batch.header.attributes.compression else {
      throw RecordBatchError.unknownCompression(batch.header.attributes.codecNumber)
    }
    if compression == .none {
      try collect(batch.body)
    } else {
      let body = try RecordCodec.decompress(batch.body, with: compression, limit: bodyBytesMax)
      try body.withUnsafeBytes { try collect($0) }
    }
  }
}
