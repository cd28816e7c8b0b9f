import ClusterMetadata
import EventLoop
import Glibc
import LogStorage
import Synchronization
import Vocabulary

/// The broker's log directory and the partitions in it: opens, configures and removes them as the metadata says.
final class Storage: Sendable {
  let directory: LogDirectory
  let table = PartitionTable()
  /// Held from the choice of what a checkpoint says until it is written, so that a partition that goes away
  /// meanwhile does not come back into it.
  private let checkpointing = Mutex<Void>(())
  private let pool: BlockingPool
  private let report: @Sendable (String, String) -> Void

  init(
    directory: LogDirectory, pool: BlockingPool, report: @escaping @Sendable (String, String) -> Void
  ) {
    self.directory = directory
    self.pool = pool
    self.report = report
  }

  var path: String { directory.path }

  /// Bytes of the file system that the directory is on; -1 where it does not say.
  var room: (total: Int64, usable: Int64) {
    var facts = statvfs()
    guard statvfs(path, &facts) == 0 else { return (-1, -1) }
    let unit = Int64(facts.f_frsize)
    return (unit * Int64(facts.f_blocks), unit * Int64(facts.f_bavail))
  }

  /// Opens every partition of the image, several at once, and puts folders of topics that are gone out of the way.
  /// A topic that cannot be opened is reported and tried again later: the others are served.
  func open(_ image: MetadataImage, settings: @escaping @Sendable (TopicState) -> TopicSettings) throws {
    try retireStrays(image)
    let topics = image.topicsByName
    let waiting = try Semaphore()
    for topic in topics {
      pool.run {
        do throws(StorageError) {
          self.table.put(try self.opened(topic, settings(topic)))
        } catch {
          self.report("a topic cannot be opened", "\(topic.name): \(error)")
        }
        waiting.signal()
      }
    }
    for _ in topics { waiting.wait() }
  }

  /// A crash between the metadata log and the folders leaves folders that nobody knows.
  private func retireStrays(_ image: MetadataImage) throws {
    var strays: [StoredPartition] = []
    for found in try directory.partitions() where found.topicPartition.topic != .clusterMetadata {
      let topic = image.topic(named: found.topicPartition.topic)
      let isKnown =
        topic.map { $0.partitions.indices.contains(Int(found.topicPartition.partition.value)) } ?? false
      guard !isKnown || (found.topicID != .zero && found.topicID != topic?.id) else { continue }
      strays.append(found)
    }
    guard !strays.isEmpty else { return }
    try directory.forget(Set(strays.map(\.topicPartition)))
    for stray in strays {
      report("a folder that belongs to no topic is set aside, with a name that ends with -stray", stray.directory)
      try directory.retire(stray.topicPartition, unique: .random(), as: .stray)
    }
  }

  /// Opens or creates what a topic has more than the table knows.
  func follow(_ topic: TopicState, _ settings: TopicSettings) throws(StorageError) {
    table.put(try opened(topic, settings))
  }

  private func opened(_ topic: TopicState, _ settings: TopicSettings) throws(StorageError) -> PartitionTable.HeldTopic {
    var partitions = table.topic(topic.id)?.partitions ?? []
    for index in partitions.count..<topic.partitions.count {
      let state = topic.partitions[index]
      let name = TopicPartition(topic.name, PartitionIndex(Int32(index)))
      let log = try directory.openLog(name, topicID: topic.id, settings: settings.log, now: wallClockNow())
      log.begin(state.leaderEpoch)
      // What a crash left in memory alone counts as kept from now on, and consumers will see it.
      if settings.durability == .disk, log.syncedOffset < log.endOffset { try log.flush() }
      partitions.append(
        Partition(
          name: name, topicID: topic.id, log: log, leaderEpoch: state.leaderEpoch, settings: settings, pool: pool))
    }
    return PartitionTable.HeldTopic(name: topic.name, id: topic.id, partitions: partitions)
  }

  func configure(_ topic: UniqueID, _ settings: TopicSettings) {
    for partition in table.topic(topic)?.partitions ?? [] { partition.update(settings: settings) }
  }

  /// Takes deleted topics away at once, and their files after their `file.delete.delay.ms`.
  func remove(_ topics: [UniqueID], on loop: EventLoop) -> [PartitionTable.HeldTopic] {
    let gone = checkpointing.withLock { _ in
      let gone = topics.compactMap { table.remove($0) }
      do {
        if !gone.isEmpty { try directory.forget(Set(gone.flatMap(\.partitions).map(\.name))) }
      } catch {
        report("checkpoints still name a deleted topic", "\(error)")
      }
      return gone
    }
    for topic in gone { retire(topic, on: loop) }
    return gone
  }

  private func retire(_ held: PartitionTable.HeldTopic, on loop: EventLoop) {
    let delay = held.partitions.first?.fileDeleteDelay ?? .seconds(60)
    for partition in held.partitions {
      partition.retire()
      partition.log.abandon()
      do {
        try directory.retire(partition.name, unique: .random())
      } catch {
        report("the folder of a deleted partition stays", "\(partition.name): \(error)")
      }
    }
    loop.schedule(after: delay) { self.pool.run { self.removeRetired() } }
  }

  func removeRetired() {
    do {
      try directory.removeRetired()
    } catch {
      report("files of deleted partitions stay", "\(error)")
    }
  }

  /// Writes down what a restart after a crash need not read again.
  func saveCheckpoints() {
    // Segments that no longer grow are synced here, so that a crash makes us read little more than the last one.
    // What fails has failed the log, which says so by itself.
    for partition in table.allPartitions { _ = try? partition.log.flush(.rolledSegments) }
    checkpointing.withLock { _ in
      var recovery: [TopicPartition: Offset] = [:]
      var starts: [TopicPartition: Offset] = [:]
      for partition in table.allPartitions {
        recovery[partition.name] = partition.log.syncedOffset
        let start = partition.log.startOffset
        if start > .zero { starts[partition.name] = start }
      }
      do {
        try directory.save(.recoveryPoints, recovery)
        try directory.save(.logStarts, starts)
      } catch {
        report("checkpoints cannot be written", "\(error)")
      }
    }
  }

  /// Closes every log, several at once. False when one of them must be recovered at the next start.
  func close(alsoClosing metadata: PartitionLog) -> Bool {
    let unclean = Mutex<[String]>([])
    guard let waiting = try? Semaphore() else { return false }
    let logs = table.allPartitions.map(\.log) + [metadata]
    for chunk in stride(from: 0, to: logs.count, by: 64) {
      let part = logs[chunk..<min(chunk + 64, logs.count)]
      pool.run {
        for log in part {
          if case .unclean(let error) = log.close() { unclean.withLock { $0.append("\(error)") } }
        }
        waiting.signal()
      }
    }
    for _ in stride(from: 0, to: logs.count, by: 64) { waiting.wait() }
    saveCheckpoints()
    let reasons = unclean.withLock { $0 }
    for reason in reasons { report("a log was not closed cleanly", reason) }
    return reasons.isEmpty
  }
}
