import Vocabulary
import Wire

/// The `.txnindex` files of a partition's segments: the transactions that were taken back and whose markers lie in the
/// segment, in the order of their markers. Kafka's format: per transaction an int16 version, then producer, first
/// offset, last offset and last stable offset, each an int64. A segment without any has no file.
struct TransactionIndexFiles: Sendable {
  static let entryBytes = 34
  static let suffix = ".txnindex"
  private static let version: Int16 = 0
  let disk: any Disk
  let directory: String

  func path(_ base: Offset) -> String { SegmentFile.transactionIndex.path(in: directory, baseOffset: base.value) }

  static func encode(_ transaction: AbortedTransaction) -> [UInt8] {
    var writer = ByteWriter(capacity: entryBytes)
    writer.int16(version)
    writer.int64(transaction.producer.value)
    writer.int64(transaction.firstOffset.value)
    writer.int64(transaction.lastOffset.value)
    writer.int64(transaction.lastStableOffset.value)
    return writer.finish()
  }

  /// Whole entries only; nil where they are none of ours.
  static func decode(_ bytes: [UInt8]) -> [AbortedTransaction]? {
    guard bytes.count % entryBytes == 0 else { return nil }
    return bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      var found: [AbortedTransaction] = []
      found.reserveCapacity(bytes.count / entryBytes)
      do {
        while reader.remaining > 0 {
          guard try reader.int16() == version else { return nil }
          let entry = AbortedTransaction(
            producer: ProducerID(try reader.int64()), firstOffset: Offset(try reader.int64()),
            lastOffset: Offset(try reader.int64()), lastStableOffset: Offset(try reader.int64()))
          guard entry.firstOffset.value >= 0, entry.firstOffset < entry.lastOffset,
            entry.lastStableOffset.value >= 0, entry.lastStableOffset - entry.lastOffset <= 1
          else { return nil }
          found.append(entry)
        }
        return found
      } catch {
        return nil
      }
    }
  }

  /// How many entries there are. Nil where the file cannot be one of a segment that reaches from `base` to `end`.
  func count(_ base: Offset, end: Offset) throws(StorageError) -> Int? {
    guard let size = try disk.size(of: path(base)), size > 0 else { return 0 }
    guard size % Int64(Self.entryBytes) == 0, let file = try disk.openIfPresent(path(base)) else { return nil }
    let count = Int(size) / Self.entryBytes
    guard let last = try entry(count - 1, in: file), last.lastOffset >= base, last.lastOffset < end else { return nil }
    return count
  }

  func open(_ base: Offset, count: Int) throws(StorageError) -> any DiskFile {
    count == 0 ? try disk.create(path(base)) : try disk.open(path(base))
  }

  /// The place of the first entry whose marker is at or after `offset`.
  func place(of offset: Offset, in file: any DiskFile, _ base: Offset, count: Int) throws(StorageError) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      guard let entry = try entry(middle, in: file) else { throw damage(base) }
      if entry.lastOffset < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func entry(_ place: Int, in file: any DiskFile) throws(StorageError) -> AbortedTransaction? {
    Self.decode(try file.bytes(at: Int64(place * Self.entryBytes), count: Self.entryBytes))?.first
  }

  func damage(_ base: Offset) -> StorageError {
    StorageError(.read, path(base), .invalid("not the transactions of this segment"))
  }

  /// All entries from the one at `place` on, until `body` says that it has enough.
  func each(
    _ base: Offset, count: Int, from place: Int, in file: any DiskFile, _ body: (AbortedTransaction) -> Bool
  ) throws(StorageError) -> Bool {
    let atOnce = 240
    var place = place
    var last = Offset.none
    while place < count {
      let bytes = try file.bytes(
        at: Int64(place * Self.entryBytes), count: min(atOnce, count - place) * Self.entryBytes)
      guard !bytes.isEmpty, let entries = Self.decode(bytes) else { throw damage(base) }
      for entry in entries {
        guard entry.lastOffset > last else { throw damage(base) }
        last = entry.lastOffset
        if !body(entry) { return false }
      }
      place += entries.count
    }
    return true
  }
}

/// Writes a segment's index anew; the file comes into being with its first entry.
struct TransactionIndexWriter {
  private static let pendingMax = 1_024 * TransactionIndexFiles.entryBytes
  private let disk: any Disk
  let path: String
  private var file: (any DiskFile)?
  private var pending: [UInt8] = []
  private var written: Int64 = 0

  var count: Int { (Int(written) + pending.count) / TransactionIndexFiles.entryBytes }

  init(disk: any Disk, path: String) {
    self.disk = disk
    self.path = path
  }

  mutating func add(_ transaction: AbortedTransaction) throws(StorageError) {
    pending += TransactionIndexFiles.encode(transaction)
    if pending.count >= Self.pendingMax { try flush() }
  }

  mutating func flush() throws(StorageError) {
    guard !pending.isEmpty else { return }
    let file = if let file { file } else { try disk.create(path) }
    self.file = file
    try file.write(pending, at: written)
    written += Int64(pending.count)
    pending = []
  }

  /// Writes what is left, and a file even if there is no entry.
  mutating func finishDurably() throws(StorageError) {
    try flush()
    let file = if let file { file } else { try disk.create(path) }
    try file.syncData()
  }
}

/// The latest transactions that were taken back, so that readers at the log's end never wait for the disk.
struct RecentAborted: Sendable {
  static let countMax = 128
  /// In the order of their markers.
  private(set) var list: [AbortedTransaction] = []
  /// Those whose markers are at or after it are all here.
  private(set) var knownFrom: Offset

  init(knownFrom: Offset) { self.knownFrom = knownFrom }

  mutating func note(_ transaction: AbortedTransaction) {
    if list.count == Self.countMax { knownFrom = list.removeFirst().lastOffset + 1 }
    list.append(transaction)
  }

  mutating func truncate(to end: Offset) {
    list.removeAll { $0.lastOffset >= end }
    knownFrom = min(knownFrom, end)
  }

  /// What lies before it has to be read from disk.
  mutating func forget(before offset: Offset) {
    list.removeAll { $0.lastOffset < offset }
    knownFrom = max(knownFrom, offset)
  }
}
