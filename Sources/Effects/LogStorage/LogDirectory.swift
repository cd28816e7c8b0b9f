import Synchronization
public import Vocabulary

/// Why a log directory cannot be used. Nothing in it has been changed.
public enum DirectoryRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// It belongs to somebody else, is in use, or is not what it should be: one sentence that says so.
  case refused(String)
  case storage(StorageError)

  public var description: String {
    switch self {
    case .refused(let sentence): sentence
    case .storage(let error): error.description
    }
  }
}

/// Whose a log directory is: the lines of its `meta.properties`.
public struct DirectoryIdentity: Hashable, Sendable {
  public let clusterID: String
  public let nodeID: NodeID
  public let directoryID: UniqueID
  public init(clusterID: String, nodeID: NodeID, directoryID: UniqueID) {
    self.clusterID = clusterID
    self.nodeID = nodeID
    self.directoryID = directoryID
  }
}

/// Why a folder was taken out of sight: what its name ends with, as in Kafka.
public enum Retirement: String, Sendable {
  /// Its topic was deleted: `removeRetired` frees its space.
  case deleted = "-delete"
  /// It belongs to no topic that is known: it is kept for whoever looks for it.
  case stray = "-stray"
}

/// A partition's folder, as it was found.
public struct StoredPartition: Hashable, Sendable {
  public let topicPartition: TopicPartition
  /// `.zero` where the folder does not say.
  public let topicID: UniqueID
  public let directory: String
}

/// One folder of `log.dirs`: who owns it, how it was left, and which partitions lie in it.
public final class LogDirectory: Sendable {
  public let path: String
  public let disk: any Disk
  public let openFiles: OpenFiles
  public let identity: DirectoryIdentity
  /// The process before stopped in order: its logs need no recovery.
  public var wasStoppedCleanly: Bool { previousEpoch != nil }
  /// The broker epoch of the process before, if it stopped in order; -1 where it had none (KIP-966).
  public let previousEpoch: Int64?
  /// As they were when the directory was opened.
  public let recoveryPoints: [TopicPartition: Offset]
  public let logStarts: [TopicPartition: Offset]
  public let highWatermarks: [TopicPartition: Offset]
  private let lock: Mutex<(any DiskLock)?>
  /// Two threads may write the same checkpoint.
  private let writing = Mutex<Void>(())

  static let cleanMarker = ".kafka_cleanshutdown"
  static let lockFile = ".lock"
  static let metaFile = "meta.properties"

  /// Opens the directory for this node, and makes it this node's if it is new.
  ///
  /// `expected.directoryID` is used for a new directory only; an old one keeps its own. Everything is checked
  /// before anything is written.
  public static func open(
    disk: any Disk, openFiles: OpenFiles, path: String, expected: DirectoryIdentity
  ) throws(DirectoryRefusal) -> LogDirectory {
    do throws(StorageError) {
      let found = try DirectoryMeta.check(disk, path, expected)
      switch found {
      case .refused(let sentence): return try refuse(sentence)
      case .accepted(let identity, let isNew):
        if isNew { try disk.createDirectory(path) }
        guard let lock = try disk.lock("\(path)/\(lockFile)") else {
          return try refuse("\(path) is in use by another process, which holds \(path)/\(lockFile)")
        }
        if isNew {
          try disk.replace("\(path)/\(metaFile)", with: DirectoryMeta.encode(identity), in: path)
        }
        return try LogDirectory(disk: disk, openFiles: openFiles, path: path, identity: identity, lock: lock)
      }
    } catch {
      if case .invalid(let text) = error.reason, error.operation == .lock { throw .refused(text) }
      throw .storage(error)
    }
  }

  /// Gives a new directory to a node. `fill` comes first: until it has returned the directory is nobody's, so that what a
  /// crash leaves half-done is never taken for a node's.
  public static func format(
    disk: any Disk, path: String, identity: DirectoryIdentity, fill: () throws(StorageError) -> Void
  ) throws(DirectoryRefusal) {
    do throws(StorageError) {
      switch try DirectoryMeta.check(disk, path, identity) {
      case .refused(let sentence): throw StorageError(.lock, "", .invalid(sentence))
      case .accepted(_, isNew: false):
        throw StorageError(.lock, "", .invalid("\(path) is formatted already"))
      case .accepted(_, isNew: true): break
      }
      try disk.createDirectory(path)
      guard let lock = try disk.lock("\(path)/\(lockFile)") else {
        throw StorageError(
          .lock, "", .invalid("\(path) is in use by another process, which holds \(path)/\(lockFile)"))
      }
      try withExtendedLifetime(lock) { () throws(StorageError) in
        try fill()
        try disk.replace("\(path)/\(metaFile)", with: DirectoryMeta.encode(identity), in: path)
      }
    } catch {
      if case .invalid(let text) = error.reason, error.operation == .lock { throw .refused(text) }
      throw .storage(error)
    }
  }

  /// The cluster that a directory belongs to; nil for a new one. For a node that is not told its cluster.
  public static func clusterID(disk: any Disk, path: String) throws(DirectoryRefusal) -> String? {
    do throws(StorageError) { return try DirectoryMeta.clusterID(disk, path) } catch { throw .storage(error) }
  }

  /// Whether all of these may be this node's, as `open` would find them; changes nothing.
  public static func check(
    disk: any Disk, paths: [String], expected: DirectoryIdentity
  ) throws(DirectoryRefusal) {
    var owners: [UniqueID: String] = [:]
    for path in paths {
      let found: DirectoryMeta.Verdict
      do throws(StorageError) { found = try DirectoryMeta.check(disk, path, expected) } catch { throw .storage(error) }
      switch found {
      case .refused(let sentence): throw .refused(sentence)
      case .accepted(_, isNew: true): break
      case .accepted(let identity, isNew: false):
        if let other = owners.updateValue(path, forKey: identity.directoryID) {
          throw .refused("\(other) and \(path) have the same directory.id: one is a copy of the other")
        }
      }
    }
  }

  /// Which partitions lie in a folder, in order; none in one that is not there. Opens and changes nothing.
  public static func partitions(disk: any Disk, path: String) throws(DirectoryRefusal) -> [TopicPartition] {
    do throws(StorageError) {
      guard try disk.size(of: path) != nil else { return [] }
      return try disk.list(path).compactMap { TopicPartition(folder: $0) }.sorted()
    } catch {
      throw .storage(error)
    }
  }

  private static func refuse(_ sentence: String) throws(StorageError) -> LogDirectory {
    throw StorageError(.lock, "", .invalid(sentence))
  }

  private init(
    disk: any Disk, openFiles: OpenFiles, path: String, identity: DirectoryIdentity, lock: any DiskLock
  ) throws(StorageError) {
    self.disk = disk
    self.openFiles = openFiles
    self.path = path
    self.identity = identity
    self.lock = Mutex(lock)
    recoveryPoints = try OffsetCheckpoint.recoveryPoints.read(disk, path) ?? [:]
    logStarts = try OffsetCheckpoint.logStarts.read(disk, path) ?? [:]
    highWatermarks = try OffsetCheckpoint.highWatermarks.read(disk, path) ?? [:]
    let marker = "\(path)/\(Self.cleanMarker)"
    previousEpoch = try disk.contents(of: marker, limit: 4096).map { Self.epoch(in: $0) }
    // From here on a crash must not look like a clean stop.
    if previousEpoch != nil {
      try disk.unlink(marker)
      try disk.syncDirectory(path)
    }
  }

  public func folder(of partition: TopicPartition) -> String { "\(path)/\(partition)" }

  /// The partitions that lie here, in order. Reads one small file each.
  public func partitions() throws(StorageError) -> [StoredPartition] {
    var found: [StoredPartition] = []
    for name in try disk.list(path) {
      guard let partition = TopicPartition(folder: name) else { continue }
      let folder = "\(path)/\(name)"
      let id = try PartitionMetadata.read("\(folder)/\(SegmentFile.partitionMetadata)", on: disk)
      found.append(StoredPartition(topicPartition: partition, topicID: id ?? .zero, directory: folder))
    }
    return found.sorted { $0.topicPartition < $1.topicPartition }
  }

  /// Opens or creates a partition's log, with recovery if the process before did not stop in order.
  ///
  /// For a log that is created the checkpoints say nothing: they speak of an earlier partition of the same name.
  public func openLog(
    _ partition: TopicPartition, topicID: UniqueID, settings: LogSettings, now: Timestamp
  ) throws(StorageError) -> PartitionLog {
    let isNew = try disk.size(of: folder(of: partition)) == nil
    let recoveryPoint = isNew ? .zero : recoveryPoints[partition] ?? .zero
    let logStart = isNew ? .zero : logStarts[partition] ?? .zero
    return try PartitionLog.open(
      disk: disk, openFiles: openFiles, directory: folder(of: partition), topicPartition: partition,
      topicID: topicID, settings: settings,
      recovery: wasStoppedCleanly ? .clean : .afterCrash(recoveryPoint: recoveryPoint), logStart: logStart, now: now)
  }

  /// Replaces a checkpoint file, durably.
  public func save(_ checkpoint: OffsetCheckpoint, _ offsets: [TopicPartition: Offset]) throws(StorageError) {
    try writing.withLock { _ throws(StorageError) in
      try disk.replace("\(path)/\(checkpoint.rawValue)", with: OffsetCheckpoint.encode(offsets), in: path)
    }
  }

  /// Takes partitions that are going away out of every checkpoint, durably. To be called before anything new may
  /// have their names: checkpoints know partitions by name alone, and a log start that was another's would make
  /// recovery take the new partition's records for deleted ones.
  public func forget(_ partitions: Set<TopicPartition>) throws(StorageError) {
    try writing.withLock { _ throws(StorageError) in
      for checkpoint in OffsetCheckpoint.allCases {
        guard let offsets = try checkpoint.read(disk, path) else { continue }
        let kept = offsets.filter { !partitions.contains($0.key) }
        guard kept.count < offsets.count else { continue }
        try disk.replace("\(path)/\(checkpoint.rawValue)", with: OffsetCheckpoint.encode(kept), in: path)
      }
    }
  }

  /// Says that every log was closed cleanly, by a broker that was registered with this epoch (-1 for none). The last thing
  /// that a process writes.
  public func markClean(epoch: Int64) throws(StorageError) {
    try disk.replace(
      "\(path)/\(Self.cleanMarker)", with: Array("{\"version\":0,\"brokerEpoch\":\(epoch)}".utf8), in: path)
  }

  /// Kafka's marker is a line of JSON, and was empty before KIP-966.
  private static func epoch(in marker: [UInt8]) -> Int64 {
    let name = Array("\"brokerEpoch\":".utf8)
    guard let at = marker.indices.first(where: { marker[$0...].starts(with: name) }) else { return -1 }
    let digits = marker[(at + name.count)...].drop { $0 == UInt8(ascii: " ") }
      .prefix { $0 == UInt8(ascii: "-") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    return Int64(String(decoding: digits, as: UTF8.self)) ?? -1
  }

  /// Lets another process have the directory. Nothing may be written to it afterwards.
  public func release() { lock.withLock { $0 = nil } }

  /// Takes a closed partition's folder out of sight, durably; `removeRetired` frees its space later.
  /// `unique` keeps two deletions of the same name apart.
  public func retire(
    _ partition: TopicPartition, unique: UniqueID, as why: Retirement = .deleted
  ) throws(StorageError) {
    let suffix = "-\(partition.partition.value).\(unique.hexadecimal)\(why.rawValue)"
    let topic = partition.topic.text.prefix(max(1, 255 - suffix.utf8.count))
    try disk.rename(folder(of: partition), to: "\(path)/\(topic)\(suffix)")
    try disk.syncDirectory(path)
  }

  /// Removes the folders that were retired, by this process or an earlier one. For a blocking pool.
  public func removeRetired() throws(StorageError) {
    for name in try disk.list(path) where name.hasSuffix(Retirement.deleted.rawValue) && name.contains(".") {
      guard TopicPartition(folder: name) == nil else { continue }
      let folder = "\(path)/\(name)"
      for file in try disk.list(folder) { try disk.unlink("\(folder)/\(file)") }
      try disk.removeDirectory(folder)
    }
  }
}

extension TopicPartition {
  /// From a folder's name; nil for other folders.
  init?(folder name: String) {
    guard let dash = name.lastIndex(of: "-") else { return nil }
    let digits = name[name.index(after: dash)...]
    guard let topic = TopicName(String(name[..<dash])), let number = Int32(digits), number >= 0,
      String(number) == digits
    else { return nil }
    self.init(topic, PartitionIndex(number))
  }
}

extension UniqueID {
  fileprivate var hexadecimal: String {
    [high, low].map { half in
      let digits = String(half, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
