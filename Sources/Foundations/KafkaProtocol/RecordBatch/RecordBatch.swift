public import Vocabulary

/// One whole batch where it lies in memory: valid as long as those bytes are.
public struct RecordBatch {
  public let header: RecordBatchHeader
  /// Exactly the batch.
  public let bytes: UnsafeRawBufferPointer

  /// Reads the batch at the start of `bytes`, which may go on after it.
  public init(_ bytes: UnsafeRawBufferPointer) throws(RecordBatchError) {
    header = try RecordBatchHeader(bytes)
    guard header.totalBytes <= bytes.count else { throw .truncated }
    self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<header.totalBytes])
  }

  /// The records, compressed as the attributes say.
  public var body: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[BatchLayout.records...])
  }

  public var isChecksumValid: Bool {
    Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes[BatchLayout.attributes...])) == header.crc
  }

  /// The records of an uncompressed body. For a compressed one, hand its decompressed bytes to `RecordCursor`.
  public var records: RecordCursor { RecordCursor(body: body, header: header) }
}

/// Walks over the batches in a range of bytes, such as the records of a Fetch answer.
public struct RecordBatchCursor {
  private var rest: UnsafeRawBufferPointer
  /// Bytes of whole batches read so far.
  public private(set) var position = 0

  public init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  /// The next batch; nil at the end. A batch that is cut off at the end counts as the end, because a
  /// broker may cut a Fetch answer anywhere; `position` tells whether something was left over.
  public mutating func next() throws(RecordBatchError) -> RecordBatch? {
    guard !rest.isEmpty else { return nil }
    let batch: RecordBatch
    do {
      batch = try RecordBatch(rest)
    } catch .truncated {
      return nil
    }
    rest = UnsafeRawBufferPointer(rebasing: rest[batch.bytes.count...])
    position += batch.bytes.count
    return batch
  }
}

/// Changes to a batch where it lies.
public enum RecordBatchEdit {
  private static func store<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at position: Int, in batch: UnsafeMutableRawBufferPointer
  ) {
    precondition(batch.count >= RecordBatchHeader.byteCount, "an edit of something that is not a batch")
    batch.storeBytes(of: value.bigEndian, toByteOffset: position, as: T.self)
  }

  /// Outside of the CRC: nothing else changes.
  public static func setBaseOffset(_ offset: Offset, in batch: UnsafeMutableRawBufferPointer) {
    store(offset.value, at: BatchLayout.baseOffset, in: batch)
  }

  /// Outside of the CRC: nothing else changes.
  public static func setLeaderEpoch(_ epoch: LeaderEpoch, in batch: UnsafeMutableRawBufferPointer) {
    store(epoch.value, at: BatchLayout.leaderEpoch, in: batch)
  }

  /// Sets the type and the largest timestamp, and the CRC with them. `batch` is exactly one batch.
  public static func setMaxTimestamp(
    _ time: Timestamp, type: TimestampType, in batch: UnsafeMutableRawBufferPointer
  ) {
    var bits = UInt16(bigEndian: batch.loadUnaligned(fromByteOffset: BatchLayout.attributes, as: UInt16.self))
    switch type {
    case .createTime: bits &= ~RecordBatchAttributes.logAppendTimeBit
    case .logAppendTime: bits |= RecordBatchAttributes.logAppendTimeBit
    }
    store(bits, at: BatchLayout.attributes, in: batch)
    store(time.milliseconds, at: BatchLayout.maxTimestamp, in: batch)
    updateChecksum(of: batch)
  }

  static func updateChecksum(of batch: UnsafeMutableRawBufferPointer) {
    let covered = UnsafeRawBufferPointer(rebasing: batch[BatchLayout.attributes...])
    store(Checksum.crc32c(covered), at: BatchLayout.crc, in: batch)
  }
}
