public import KafkaProtocol
public import Vocabulary

/// What was written to a file of its own.
public struct KeptRecords: Hashable, Sendable {
  /// Where the first batch begins: where the cut falls into a batch, the batch goes as a whole.
  public let start: Offset
  public let end: Offset
  public let records: Int64
  public let bytes: Int64
  public let path: String
}

public enum KeepingOutcome: Sendable {
  case kept(KeptRecords)
  case nothing
  /// It is more than may be kept; no file is left.
  case tooMuch
}

extension PartitionLog {
  private static let chunkBytes = 1 << 20

  /// Writes everything from `offset` on to a segment file beside the partition's folder, durably: what follows may cut it
  /// off. A file of that name is replaced. Kafka and this broker leave such files alone.
  ///
  /// - Parameter name: tells the file from all others; the offset comes before it, as tools want it.
  public func keep(from offset: Offset, as name: String, bytesMax: Int64) throws(StorageError) -> KeepingOutcome {
    guard let slash = directory.lastIndex(of: "/") else { return .nothing }
    let folder = String(directory[..<slash])
    let end = endOffset
    var next = max(offset, startOffset)
    var first: Offset?
    var records: Int64 = 0
    var position: Int64 = 0
    let temporary = "\(folder)/\(name).set-aside.tmp"
    let file = try disk.create(temporary)
    while next < end {
      guard
        case .slice(let slice) = try read(from: next, maxBytes: Self.chunkBytes, upTo: end, minimum: .oneBatch)
      else { break }
      guard position + Int64(slice.count) <= bytesMax else {
        try disk.unlink(temporary)
        return .tooMuch
      }
      let bytes = try slice.bytes()
      let headers = try Self.headers(in: bytes, of: directory)
      guard let last = headers.last, last.nextOffset > next else { break }
      try file.write(bytes, at: position)
      position += Int64(bytes.count)
      records += headers.reduce(0) { $0 + Int64($1.recordsCount) }
      first = first ?? headers[0].baseOffset
      next = last.nextOffset
    }
    guard let first else {
      try disk.unlink(temporary)
      return .nothing
    }
    guard next >= end else {
      try disk.unlink(temporary)
      throw StorageError(.read, directory, .invalid("the log cannot be read from offset \(next.value) on"))
    }
    try file.syncData()
    let path = "\(folder)/\(Self.padded(min(offset, first))).\(name).log"
    try disk.rename(temporary, to: path)
    try disk.syncDirectory(folder)
    return .kept(
      KeptRecords(start: min(offset, first), end: end, records: records, bytes: position, path: path))
  }

  /// The headers of the last batches that lie wholly below `point`, in order; none where there are none.
  public func lastBatches(below point: Offset, within bytes: Int) throws(StorageError) -> [RecordBatchHeader] {
    // Compaction leaves holes of any length.
    var back: Int64 = 64
    while true {
      let from = max(startOffset, Offset(max(0, point.value - back)))
      guard from < point else { return [] }
      if case .slice(let slice) = try read(from: from, maxBytes: bytes, upTo: point, minimum: .oneBatch) {
        return try Self.headers(in: try slice.bytes(), of: directory)
      }
      guard from > startOffset else { return [] }
      back *= 8
    }
  }

  private static func headers(in bytes: [UInt8], of path: String) throws(StorageError) -> [RecordBatchHeader] {
    do {
      return try bytes.withUnsafeBytes { raw throws(RecordBatchError) in
        var cursor = RecordBatchCursor(raw)
        var headers: [RecordBatchHeader] = []
        while let batch = try cursor.next() { headers.append(batch.header) }
        return headers
      }
    } catch {
      throw StorageError(.read, path, .invalid("no record batch: \(error)"))
    }
  }

  private static func padded(_ offset: Offset) -> String {
    let digits = String(offset.value)
    return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
  }
}
