import ClusterMetadata
import Consensus
import KafkaProtocol
import LogStorage
import Vocabulary

/// Snapshots of the metadata as files (KIP-630): a header, the voters, every record of the image, and a footer, in
/// batches like those of a log. A file that has its name is whole and durable.
struct SnapshotFile: Sendable {
  static let suffix = ".checkpoint"
  /// What is being written has this behind its name, and is worthless after a crash.
  static let partSuffix = ".checkpoint.part"
  /// Larger ones are refused: no cluster is so large.
  static let bytesMax = 2 << 30
  /// How much is put into one batch.
  private static let batchBytes = 1 << 20

  struct Content: Sendable, Equatable {
    var image: MetadataImage
    /// Nil in snapshots of a cluster whose `kraft.version` is 0.
    var voters: VoterSet?
  }

  let disk: any Disk
  let folder: String

  static func name(_ id: SnapshotID) -> String {
    padded(id.end.value, to: 20) + "-" + padded(Int64(id.epoch.value), to: 10) + suffix
  }

  /// Nil for other files.
  static func id(_ name: String) -> SnapshotID? {
    guard name.hasSuffix(suffix), name.utf8.count == 31 + suffix.utf8.count else { return nil }
    let parts = name.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.count == 20, let end = Int64(parts[0]), let epoch = Int32(parts[1]), end >= 0,
      epoch >= 0
    else { return nil }
    let id = SnapshotID(end: Offset(end), epoch: LeaderEpoch(epoch))
    return Self.name(id) == name ? id : nil
  }

  private static func padded(_ number: Int64, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  func path(_ id: SnapshotID) -> String { "\(folder)/\(Self.name(id))" }
  func partPath(_ id: SnapshotID) -> String { path(id) + ".part" }

  /// The snapshots that are there, the oldest first.
  func list() throws(StorageError) -> [SnapshotID] {
    try disk.list(folder).compactMap(Self.id).sorted { ($0.end, $0.epoch) < ($1.end, $1.epoch) }
  }

  func size(of id: SnapshotID) throws(StorageError) -> ByteCount {
    ByteCount(Int(clamping: try disk.size(of: path(id)) ?? 0))
  }

  /// What an interrupted write or download left.
  func removeParts() throws(StorageError) {
    for name in try disk.list(folder) where name.hasSuffix(Self.partSuffix) { try disk.unlink("\(folder)/\(name)") }
  }

  /// Removes every snapshot but this one and newer ones.
  func removeOlder(than id: SnapshotID) throws(StorageError) {
    for old in try list() where old.end < id.end { try disk.unlink(path(old)) }
  }

  // MARK: Writing

  /// Writes a snapshot, durably, under its name.
  func write(
    _ id: SnapshotID, _ content: Content, lastTimestamp: Timestamp, now: Timestamp
  ) throws(StorageError) -> Snapshot {
    let part = partPath(id)
    let file = try disk.create(part)
    var position: Int64 = 0
    var next = Offset.zero
    func put(_ bytes: [UInt8], _ count: Int) throws(StorageError) {
      try file.write(bytes, at: position)
      position += Int64(bytes.count)
      next = next + Int64(count)
    }
    let head = Self.head(content.voters, lastTimestamp)
    try put(MetadataBatches.control(head, base: next, epoch: id.epoch, now: now), head.count)
    var builder = RecordBatchBuilder(baseOffset: next, leaderEpoch: id.epoch)
    for record in content.image.records {
      builder.append(timestamp: now, key: nil, value: MetadataRecordFormat.encode(record).encodeValue())
      guard builder.estimatedBytes >= Self.batchBytes else { continue }
      try put(builder.build(), builder.recordsCount)
      builder = RecordBatchBuilder(baseOffset: next, leaderEpoch: id.epoch)
    }
    if builder.recordsCount > 0 { try put(builder.build(), builder.recordsCount) }
    let foot = [QuorumRecord.snapshotFooter(SnapshotFooterRecord())]
    try put(MetadataBatches.control(foot, base: next, epoch: id.epoch, now: now), 1)
    try file.syncData()
    try finish(id)
    return Snapshot(id, size: ByteCount(Int(position)))
  }

  private static func head(_ voters: VoterSet?, _ lastTimestamp: Timestamp) -> [QuorumRecord] {
    var header = SnapshotHeaderRecord()
    header.lastContainedLogTimestamp = lastTimestamp.milliseconds
    guard let voters else { return [.snapshotHeader(header)] }
    return [.snapshotHeader(header), VoterRecords.kraftVersion, .voters(VoterRecords.record(voters))]
  }

  /// A whole file gets its name.
  func finish(_ id: SnapshotID) throws(StorageError) {
    try disk.rename(partPath(id), to: path(id))
    try disk.syncDirectory(folder)
  }

  // MARK: Reading

  func read(_ id: SnapshotID) throws -> Content { try read(path(id)) }

  /// Reads and checks all of a file: every checksum, the header at its beginning, and the footer at its end.
  func read(_ path: String) throws -> Content {
    guard let bytes = try disk.contents(of: path, limit: Self.bytesMax) else {
      throw StorageError(.read, path, .invalid("the snapshot is not there"))
    }
    do {
      return try Self.decode(bytes)
    } catch let fault as MetadataBatchFault {
      throw StorageError(.read, path, .invalid("the snapshot cannot be read: \(fault)"))
    }
  }

  static func decode(_ bytes: [UInt8]) throws -> Content {
    var content = Content(image: MetadataImage(), voters: nil)
    var isBegun = false
    var isEnded = false
    try bytes.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      while let batch = try next(&cursor) {
        guard batch.isChecksumValid else { throw MetadataBatchFault.malformed("a batch has the wrong checksum") }
        guard batch.header.attributes.compression == Compression.none else {
          throw MetadataBatchFault.malformed("a batch is compressed")
        }
        guard !isEnded else { throw MetadataBatchFault.malformed("it goes on after its footer") }
        for record in try MetadataBatches.control(batch) {
          switch record {
          case .snapshotHeader: isBegun = true
          case .snapshotFooter: isEnded = true
          case .voters(let record): content.voters = VoterRecords.voters(record)
          case .kraftVersion, .leaderChange: break
          }
        }
        guard isBegun else { throw MetadataBatchFault.malformed("it has no header") }
        for fact in try MetadataBatches.facts(batch) { content.image.replay(fact) }
      }
      guard isEnded, cursor.position == raw.count else { throw MetadataBatchFault.malformed("its end is missing") }
    }
    return content
  }

  private static func next(_ cursor: inout RecordBatchCursor) throws(MetadataBatchFault) -> RecordBatch? {
    do throws(RecordBatchError) { return try cursor.next() } catch { throw .malformed("\(error)") }
  }
}

/// What a new quorum begins with (KIP-853): the voters, in a snapshot of nothing.
enum QuorumBootstrap {
  static let snapshot = SnapshotID(end: .zero, epoch: LeaderEpoch(0))

  /// Writes the voters into the folder of `__cluster_metadata-0`, which is created if it is not there, durably.
  static func write(voters: VoterSet, folder: String, disk: any Disk, now: Timestamp) throws(StorageError) {
    if try disk.size(of: folder) == nil {
      try disk.createDirectory(folder)
      let parent = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? "."
      try disk.syncDirectory(parent.isEmpty ? "/" : parent)
    }
    let content = SnapshotFile.Content(image: MetadataImage(), voters: voters)
    _ = try SnapshotFile(disk: disk, folder: folder).write(snapshot, content, lastTimestamp: now, now: now)
  }

  /// Takes away what a format left that did not come to its end: a folder with nothing in it but such a snapshot. Any
  /// other folder stays.
  static func removeRemains(folder: String, disk: any Disk) throws(StorageError) {
    guard try disk.size(of: folder) != nil else { return }
    let own = SnapshotFile.name(snapshot)
    let names = try disk.list(folder)
    guard names.allSatisfy({ $0 == own || $0 == own + ".part" }) else { return }
    for name in names { try disk.unlink("\(folder)/\(name)") }
    try disk.removeDirectory(folder)
  }
}
