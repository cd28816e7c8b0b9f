import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

/// Mistakes in how logs are kept on a disk, for the proof that a simulation over files finds them.
package enum StorageBug: String, Sendable, CaseIterable {
  /// A disk says that a file is durable, and it is not.
  case ignoresSyncs
  /// What was cut off is not gone durably when the next effect is performed.
  case cutsWithoutSync
  /// After a crash a broker believes that it was stopped in order, so that a torn tail is not looked for.
  case believesACleanStop
  /// A broker that is asked to stop before it has recovered says that everything was left in order.
  case stopsBeforeRecovery
  /// What was appended counts as durable.
  case recoveryPointIsTheEnd
}

/// Whole batches as they lie in a log, and what is in them.
struct StoredRecords {
  var records: [ReplicatedRecord] = []
  var bytes: [UInt8] = []
}

/// Where the logs of partitions are.
package enum ClusterLogs: String, Sendable, CaseIterable {
  /// Arrays of records.
  case model
  /// `LogStorage` on a disk that loses what was not synced.
  case files

  /// Files cost more time: every fourth seed has them, and all where the mistake that is planted needs them.
  package static func usual(for seed: UInt64, planted: ClusterMistake? = nil) -> ClusterLogs {
    if case .storage = planted { return .files }
    return seed % 4 == 0 ? .files : .model
  }
}

/// The log directory of one broker, on a disk of its own. The disk outlives the process, everything else ends with it.
final class ClusterFiles {
  private static let path = "broker"
  /// Virtual time begins here, so that no timestamp is impossible.
  private static let began: Int64 = 1_700_000_000_000

  let disk: SimulatedDisk
  private let id: NodeID
  private let planted: StorageBug?
  private let settings: LogSettings
  private var directory: LogDirectory?
  private(set) var logs: [PartitionKey: PartitionLog] = [:]
  /// The high watermarks as they stand on disk.
  private var marks: [TopicPartition: Offset] = [:]
  private var removed: UInt64 = 0

  init(_ id: NodeID, seed: UInt64, segmentBytes: Int, planted: StorageBug?) {
    self.id = id
    self.planted = planted
    let bug: SimulatedDisk.Bug =
      switch planted {
      case .ignoresSyncs: .ignoresSyncData
      case .cutsWithoutSync: .ignoresSyncAfterCut
      default: .none
      }
    disk = SimulatedDisk(seed: seed, bug: bug)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(segmentBytes)
    settings.indexInterval = ByteCount(128)
    self.settings = settings
  }

  static func time(_ now: Int64) -> Timestamp { Timestamp(milliseconds: began + now / 1000) }

  private func name(_ key: PartitionKey) -> TopicPartition? {
    TopicName("t\(key.topic.low)").map { TopicPartition($0, PartitionIndex(Int32(key.index))) }
  }

  // MARK: A process

  func start() throws(StorageError) {
    if planted == .believesACleanStop, try disk.size(of: Self.path) != nil {
      try disk.replace("\(Self.path)/.kafka_cleanshutdown", with: Array("{}".utf8), in: Self.path)
    }
    do throws(DirectoryRefusal) {
      let opened = try LogDirectory.open(
        disk: disk, openFiles: OpenFiles(limit: 64), path: Self.path,
        expected: DirectoryIdentity(
          clusterID: "simulated", nodeID: id, directoryID: UniqueID(high: 5, low: UInt64(id.value) + 1)))
      directory = opened
      marks = opened.highWatermarks
    } catch {
      throw StorageError(.open, Self.path, .invalid(error.description))
    }
  }

  /// The process is gone; what it has written is still there.
  func abandon() {
    for key in logs.keys.sorted() { logs[key]?.abandon() }
    logs = [:]
    directory?.release()
    directory = nil
  }

  /// And the power with it.
  func losePower() {
    abandon()
    disk.cutPower()
    disk.restorePower()
  }

  /// The process ends in order. What it has not opened is as it was left before.
  func close(_ kept: Set<PartitionKey>, _ highWatermarks: [PartitionKey: Offset]) throws(StorageError) {
    let isWhole = kept.isSubset(of: logs.keys) || directory?.wasStoppedCleanly == true
    for key in logs.keys.sorted() {
      if case .unclean(let error)? = logs[key]?.close() { throw error }
    }
    if !logs.isEmpty { try saveCheckpoints(highWatermarks) }
    if isWhole || planted == .stopsBeforeRecovery { try directory?.markClean(epoch: -1) }
    abandon()
  }

  // MARK: Partitions

  /// Opens or creates a log, as the broker does it, and says what there is.
  func open(_ key: PartitionKey, now: Int64) throws(StorageError) -> LogSummary? {
    guard let directory, let name = name(key) else { return nil }
    let isKept = try disk.size(of: directory.folder(of: name)) != nil
    let log = try directory.openLog(name, topicID: key.topic, settings: settings, now: Self.time(now))
    // An epoch that wrote nothing leaves no trace.
    try log.truncate(to: log.endOffset)
    let summary = LogSummary(
      start: log.startOffset, end: log.endOffset, highWatermark: isKept ? marks[name] ?? .zero : .zero,
      epochs: EpochHistory(log.leaderEpochs.entries.map { EpochStart($0.epoch, at: $0.start) }))
    // A high watermark above the recovered end would vouch for whatever comes there next.
    if isKept, marks[name, default: .zero] != summary.highWatermark {
      marks[name] = summary.highWatermark
      try directory.save(.highWatermarks, marks)
    }
    logs[key] = log
    return summary
  }

  func remove(_ key: PartitionKey) throws(StorageError) {
    guard let directory, let name = name(key), try disk.size(of: directory.folder(of: name)) != nil else { return }
    marks[name] = nil
    try directory.forget([name])
    logs.removeValue(forKey: key)?.abandon()
    removed += 1
    try directory.retire(name, unique: UniqueID(high: UInt64(id.value), low: removed))
  }

  func saveCheckpoints(_ highWatermarks: [PartitionKey: Offset]) throws(StorageError) {
    guard let directory else { return }
    var recovery: [TopicPartition: Offset] = [:]
    var starts: [TopicPartition: Offset] = [:]
    var marks: [TopicPartition: Offset] = [:]
    for key in logs.keys.sorted() {
      guard let log = logs[key], let name = name(key) else { continue }
      if planted != .recoveryPointIsTheEnd { _ = try? log.flush(.rolledSegments) }
      recovery[name] = planted == .recoveryPointIsTheEnd ? log.endOffset : log.syncedOffset
      if log.startOffset > .zero { starts[name] = log.startOffset }
      marks[name] = highWatermarks[key] ?? self.marks[name] ?? .zero
    }
    try directory.save(.recoveryPoints, recovery)
    try directory.save(.logStarts, starts)
    if marks != self.marks { try directory.save(.highWatermarks, marks) }
    self.marks = marks
  }

  func lowerHighWatermark(_ key: PartitionKey, to offset: Offset) throws(StorageError) {
    guard let name = name(key), let mark = marks[name], mark > offset else { return }
    marks[name] = offset
    try directory?.save(.highWatermarks, marks)
  }

  // MARK: Records

  /// One record in a batch, from a producer that writes nothing else.
  static func batch(client: Int, sequence: Int, now: Int64) -> [UInt8] {
    var builder = RecordBatchBuilder(
      producer: ProducerStamp(
        id: ProducerID(Int64(client) << 32 | Int64(sequence)), epoch: ProducerEpoch(0), baseSequence: 0))
    var value: [UInt8] = []
    for part in [client, sequence] {
      for shift in stride(from: 24, through: 0, by: -8) { value.append(UInt8(truncatingIfNeeded: part >> shift)) }
    }
    builder.append(timestamp: time(now), key: nil, value: value)
    return builder.build()
  }

  /// What whole batches hold; nil where something is no batch of this simulation, or not the one after the last.
  static func records(in bytes: [UInt8], from start: Int) -> [ReplicatedRecord]? {
    bytes.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      var found: [ReplicatedRecord] = []
      while let batch = try? cursor.next() {
        guard batch.isChecksumValid, batch.header.baseOffset.value == Int64(start + found.count) else { return nil }
        guard let record = record(of: batch, epoch: batch.header.partitionLeaderEpoch) else { return nil }
        found.append(record)
      }
      return cursor.position == raw.count ? found : nil
    }
  }

  /// As it will be in the log of that epoch: nothing else about a batch changes.
  static func record(in bytes: [UInt8], epoch: LeaderEpoch) -> ReplicatedRecord? {
    bytes.withUnsafeBytes { raw in (try? RecordBatch(raw)).flatMap { record(of: $0, epoch: epoch) } }
  }

  private static func record(of batch: RecordBatch, epoch: LeaderEpoch) -> ReplicatedRecord? {
    var records = batch.records
    guard let record = try? records.next(), let value = record.value, value.count == 8 else { return nil }
    func number(_ at: Int) -> Int { Int(UInt32(bigEndian: value.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }
    // What the CRC does not cover is compared by itself: offset and epoch.
    return ReplicatedRecord(
      epoch: epoch, client: number(0), sequence: number(4), checksum: batch.header.crc)
  }

  func append(
    _ bytes: [UInt8], to key: PartitionKey, _ origin: AppendOrigin, epoch: LeaderEpoch, now: Int64
  ) throws(StorageError) -> Result<Appended, AppendRefusal>? {
    guard let log = logs[key] else { return nil }
    var bytes = bytes
    let result = bytes.withUnsafeMutableBytes { raw in
      Result<Result<Appended, AppendRefusal>, StorageError> { () throws(StorageError) in
        try log.append(raw, origin: origin, leaderEpoch: epoch, now: Self.time(now))
      }
    }
    return try result.get()
  }

  /// Whole batches from `start` on that lie below `end`, as a fetch or a consumer gets them: maybe not all.
  func read(_ key: PartitionKey, from start: Int, upTo end: Int) throws(StorageError) -> StoredRecords? {
    guard let log = logs[key] else { return nil }
    switch try log.read(
      from: Offset(Int64(start)), maxBytes: 1 << 20, upTo: Offset(Int64(end)), minimum: .oneBatch)
    {
    case .outOfRange: return nil
    case .empty: return StoredRecords()
    case .slice(let slice):
      let bytes = try slice.bytes()
      guard let records = Self.records(in: bytes, from: start) else {
        throw StorageError(
          .read, log.directory, .invalid("from \(start) on there is something else than whole batches"))
      }
      return StoredRecords(records: records, bytes: bytes)
    }
  }

  /// All records from `start` up to `end`.
  func contents(of key: PartitionKey, from start: Int, upTo end: Int) throws(StorageError) -> [ReplicatedRecord] {
    var found: [ReplicatedRecord] = []
    while start + found.count < end {
      guard let next = try read(key, from: start + found.count, upTo: end)?.records, !next.isEmpty else { break }
      found += next
    }
    return found
  }
}
