import KafkaProtocol
import LogStorage
import RecordCompression
import Vocabulary

extension PartitionLog {
  /// How much is read at a time.
  private static var replayChunk: Int { 1 << 20 }
  /// What a batch of our own logs may decompress to: more is not ours, and is not read.
  private static var replayBatchLimit: ByteCount { .mebibytes(64) }

  /// Reads every record from the log's start up to `end`: how a coordinator and the metadata come back after a restart.
  /// Control records are passed over.
  func replay(upTo end: Offset, _ body: (Record) throws -> Void) throws {
    try replayBatches(upTo: end) { batch in
      if !batch.header.attributes.isControl { try forEachRecord(in: batch, body) }
    }
  }

  /// Reads every batch from the log's start up to `end`, those of control records too.
  func replayBatches(upTo end: Offset, _ body: (borrowing RecordBatch) throws -> Void) throws {
    var next = startOffset
    while next < end {
      guard
        case .slice(let slice) = try read(
          from: next, maxBytes: Self.replayChunk, upTo: end, minimum: .oneBatch)
      else { return }
      let bytes = try slice.bytes()
      let start = next
      try bytes.withUnsafeBytes { raw in
        var batches = RecordBatchCursor(raw)
        while let batch = try batches.next() {
          try body(batch)
          next = batch.header.nextOffset
        }
      }
      // Batches always move on; a log in which they do not would hold us for ever.
      guard next > start else { return }
    }
  }

  func forEachRecord(in batch: RecordBatch, _ body: (Record) throws -> Void) throws {
    guard let codec = batch.header.attributes.compression else {
      throw RecordBatchError.unknownCompression(batch.header.attributes.codecNumber)
    }
    if codec == .none {
      var records = batch.records
      while let record = try records.next() { try body(record) }
      return
    }
    let plain = try RecordCodec.decompress(batch.body, with: codec, limit: Self.replayBatchLimit)
    try plain.withUnsafeBytes { raw in
      var records = RecordCursor(body: raw, header: batch.header)
      while let record = try records.next() { try body(record) }
    }
  }
}
