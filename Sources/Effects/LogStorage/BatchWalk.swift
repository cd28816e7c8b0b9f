import KafkaProtocol
import Vocabulary

/// Walks over the batch headers of a segment file without reading the records.
struct HeaderWalk {
  /// Small batches are found in one read; large ones cost one read each.
  static let chunkBytes = 8 << 10
  private let file: any DiskFile
  private let path: String
  private let end: Int64
  private(set) var position: Int64
  private var chunk: [UInt8] = []
  private var chunkStart: Int64 = 0

  /// From `position`, where a batch begins, to `end`.
  init(_ file: any DiskFile, path: String, from position: Int64, to end: Int64) {
    self.file = file
    self.path = path
    self.position = position
    self.end = end
  }

  /// The next header and where its batch begins; nil at the end. Throws where there is no whole batch.
  mutating func next() throws(StorageError) -> (header: RecordBatchHeader, position: Int64)? {
    guard position < end else { return nil }
    let start = position
    let needed = Int(min(Int64(RecordBatchHeader.byteCount), end - start))
    if start < chunkStart || start + Int64(needed) > chunkStart + Int64(chunk.count) {
      chunk = try file.bytes(at: start, count: Int(min(Int64(Self.chunkBytes), end - start)))
      chunkStart = start
    }
    let header: RecordBatchHeader
    do {
      header = try chunk.withUnsafeBytes { raw throws(RecordBatchError) in
        let offset = Int(start - chunkStart)
        guard offset <= raw.count else { throw .truncated }
        return try RecordBatchHeader(UnsafeRawBufferPointer(rebasing: raw[offset...]))
      }
    } catch {
      throw StorageError(.read, path, .invalid("no record batch at byte \(start): \(error)"))
    }
    guard Int64(header.totalBytes) <= end - start else {
      throw StorageError(.read, path, .invalid("the record batch at byte \(start) is cut off"))
    }
    position = start + Int64(header.totalBytes)
    return (header, start)
  }
}

/// Reads whole segments for recovery: every batch with its CRC.
struct BatchScan {
  static let chunkBytes = 256 << 10

  enum Step {
    /// `marker` for the control batch that ends a transaction.
    case batch(RecordBatchHeader, position: Int64, marker: TransactionMarker?)
    case end
    /// What lies at `position` is no whole, true batch that could follow.
    case bad(position: Int64, reason: String)
  }

  private let file: any DiskFile
  private let end: Int64
  private(set) var position: Int64
  private var nextOffset: Int64
  private var chunk: [UInt8] = []
  private var chunkStart: Int64 = 0

  /// `size` is the file's, `from` and `nextOffset` where the first batch begins and its smallest offset.
  init(_ file: any DiskFile, size: Int64, from position: Int64, nextOffset: Offset) {
    self.file = file
    end = size
    self.position = position
    self.nextOffset = nextOffset.value
  }

  private mutating func load(_ count: Int, at start: Int64) throws(StorageError) {
    if start >= chunkStart, start + Int64(count) <= chunkStart + Int64(chunk.count) { return }
    chunk = try file.bytes(at: start, count: Int(min(Int64(max(count, Self.chunkBytes)), end - start)))
    chunkStart = start
  }

  mutating func next() throws(StorageError) -> Step {
    guard position < end else { return .end }
    let start = position
    try load(Int(min(Int64(RecordBatchHeader.byteCount), end - start)), at: start)
    let header: RecordBatchHeader
    do {
      header = try chunk.withUnsafeBytes { raw throws(RecordBatchError) in
        try RecordBatchHeader(UnsafeRawBufferPointer(rebasing: raw[min(Int(start - chunkStart), raw.count)...]))
      }
    } catch {
      return .bad(position: start, reason: "\(error)")
    }
    guard Int64(header.totalBytes) <= end - start else { return .bad(position: start, reason: "cut off") }
    guard header.baseOffset.value >= nextOffset else {
      return .bad(position: start, reason: "offset \(header.baseOffset.value) where \(nextOffset) or more is next")
    }
    guard header.attributes.compression != nil else { return .bad(position: start, reason: "unknown codec") }
    let (crc, marker) = try checksum(of: header, at: start)
    guard crc == header.crc else { return .bad(position: start, reason: "wrong CRC") }
    position = start + Int64(header.totalBytes)
    nextOffset = header.nextOffset.value
    return .batch(header, position: start, marker: marker)
  }

  /// In pieces, so that a length that lies costs no memory.
  private mutating func checksum(
    of header: RecordBatchHeader, at start: Int64
  ) throws(StorageError) -> (crc: UInt32, marker: TransactionMarker?) {
    let total = header.totalBytes
    if total <= Self.chunkBytes {
      try load(total, at: start)
      let offset = Int(start - chunkStart)
      guard offset + total <= chunk.count else { return (~header.crc, nil) }
      return chunk.withUnsafeBytes { raw in
        let whole = UnsafeRawBufferPointer(rebasing: raw[offset..<offset + total])
        let crc = Checksum.crc32c(UnsafeRawBufferPointer(rebasing: whole[21...]))
        let marker = header.attributes.isControl ? (try? RecordBatch(whole)).flatMap(TransactionMarker.init) : nil
        return (crc, marker)
      }
    }
    var crc: UInt32 = 0
    var at = start + 21
    let finish = start + Int64(total)
    while at < finish {
      let piece = try file.bytes(at: at, count: Int(min(Int64(Self.chunkBytes), finish - at)))
      guard !piece.isEmpty else { return (~header.crc, nil) }
      crc = piece.withUnsafeBytes { Checksum.crc32c($0, continuing: crc) }
      at += Int64(piece.count)
    }
    return (crc, nil)
  }
}
