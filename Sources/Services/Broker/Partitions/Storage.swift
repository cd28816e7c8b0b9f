import ClusterMetadata
import EventLoop
import LogStorage
import Replication
import Synchronization
import Vocabulary

/// The broker's log directories and the partitions in them: opens, configures and removes them as the metadata says.
final class Storage: Sendable {
  let directories: LogDirectories
  /// Where partitions are, in the order of `log.dirs`.
  let folders: [StorageFolder]
  let table = PartitionTable()
  let pool: BlockingPool
  let report: @Sendable (String, String) -> Void
  private let planted: BrokerMistake?
  private let phase = Mutex(Phase.closed)
  /// Held while partitions are opened and while a change of the metadata is followed, so that no folder is opened
  /// twice, and no change falls between the image that is opened and what is followed after it.
  private let following = Mutex<Void>(())

  /// False until every partition of the first image has been opened, or has failed to open.
  private let hasTriedAll = Atomic(false)

  private enum Phase {
    case closed
    /// `lacking`: topics of which something could not be opened.
    case open(ReplicaWorld, lacking: Set<UniqueID>)
  }

  init(
    _ directories: LogDirectories, pool: BlockingPool, planted: BrokerMistake? = nil,
    report: @escaping @Sendable (String, String) -> Void
  ) {
    self.planted = planted
    self.directories = directories
    self.pool = pool
    self.report = report
    folders = directories.partitions.map { StorageFolder($0, report: report) }
  }

  /// Where a copy lies.
  func folder(of partition: Partition) -> StorageFolder? { folders.first { $0.id == partition.world.directory } }

  func partitions(in folder: StorageFolder) -> [Partition] {
    table.allPartitions.filter { $0.world.directory == folder.id }
  }

  /// Nil until the partitions are open: what the metadata says before is in the image that they are opened from.
  var world: ReplicaWorld? {
    phase.withLock { phase in
      if case .open(let world, _) = phase { return world }
      return nil
    }
  }

  /// Whether something could not be opened that should be here.
  var lacksPartitions: Bool {
    phase.withLock { phase in
      if case .open(_, let lacking) = phase { return !lacking.isEmpty }
      return false
    }
  }

  /// Opens every partition of the image that has a copy here, several at once, and puts other folders out of the way.
  /// What cannot be opened is reported and tried again later: the others are served.
  ///
  /// The high watermarks are written down as recovery has left them before any copy is told what it is: the old ones
  /// would vouch for records that are not committed.
  ///
  /// `image` is asked for when changes that come are held back: it must hold every change that was followed before.
  func open(
    _ image: () -> MetadataImage, as world: ReplicaWorld,
    settings: @escaping @Sendable (TopicState, MetadataImage) -> TopicSettings
  ) throws {
    try following.withLock { _ in try open(image(), world, settings) }
  }

  /// Runs a change while nobody else opens or closes partitions.
  func exclusively(_ body: () -> Void) { following.withLock { _ in body() } }

  private func open(
    _ image: MetadataImage, _ world: ReplicaWorld,
    _ settings: @escaping @Sendable (TopicState, MetadataImage) -> TopicSettings
  ) throws {
    if planted != .keepsStrays {
      for folder in folders { try retireStrays(in: folder, image, world.node) }
    }
    phase.withLock { $0 = .open(world, lacking: []) }
    let topics = image.topicsByName
    let waiting = try Semaphore()
    for topic in topics {
      pool.run {
        self.place(topic, settings(topic, image), world)
        waiting.signal()
      }
    }
    for _ in topics { waiting.wait() }
    hasTriedAll.store(true, ordering: .releasing)
    for folder in folders where !folder.directory.highWatermarks.isEmpty || !folder.directory.wasStoppedCleanly {
      try folder.checkpoints.saveHighWatermarks(of: partitions(in: folder))
    }
    for topic in topics { assign(topic, nil, image) }
  }

  /// A crash between the metadata log and the folders leaves folders that nobody knows.
  private func retireStrays(in folder: StorageFolder, _ image: MetadataImage, _ node: NodeID) throws {
    let directory = folder.directory
    var strays: [StoredPartition] = []
    for found in try directory.partitions() where found.topicPartition.topic != .clusterMetadata {
      let topic = image.topic(named: found.topicPartition.topic)
      let index = Int(found.topicPartition.partition.value)
      let isOurs =
        topic.map { $0.partitions.indices.contains(index) && $0.partitions[index].replicas.contains(node) } ?? false
      let isAnothers = found.topicID != .zero && found.topicID != topic?.id
      guard try !isOurs || isAnothers || place(of: found.topicPartition, topic, node) !== folder else { continue }
      strays.append(found)
    }
    guard !strays.isEmpty else { return }
    try directory.forget(Set(strays.map(\.topicPartition)))
    for stray in strays {
      report("a folder that belongs to no topic is set aside, with a name that ends with -stray", stray.directory)
      try directory.retire(stray.topicPartition, unique: .random(), as: .stray)
    }
  }

  // MARK: Following the metadata

  /// Opens what this broker has become a replica of and closes what it no longer is, then tells each copy its part.
  /// - Parameter indexes: the partitions that changed; nil for all of the topic.
  func follow(
    _ topic: TopicState, _ indexes: [Int]?, _ settings: TopicSettings, _ image: MetadataImage, on loop: EventLoop
  ) {
    guard let world else { return }
    let gone = place(topic, settings, world)
    retire(gone, on: loop)
    assign(topic, indexes, image)
  }

  func assign(_ topic: TopicState, _ indexes: [Int]?, _ image: MetadataImage) {
    guard let held = table.topic(topic.id) else { return }
    for index in indexes ?? Array(topic.partitions.indices) where topic.partitions.indices.contains(index) {
      let state = topic.partitions[index]
      held.partition(Int32(index))?
        .assign(Replication.PartitionState(state, in: image), brokers: image.statuses(of: state.replicas))
    }
  }

  /// Brings the table's places of a topic in line with the metadata. Returns the copies that are no longer wanted.
  @discardableResult
  private func place(_ topic: TopicState, _ settings: TopicSettings, _ world: ReplicaWorld) -> [Partition] {
    var places = table.topic(topic.id)?.places ?? []
    var gone: [Partition] = []
    var isLacking = false
    var hasChanged = table.topic(topic.id)?.places.count != topic.partitions.count
    while places.count < topic.partitions.count { places.append(nil) }
    for index in topic.partitions.indices {
      let isWanted = topic.partitions[index].replicas.contains(world.node)
      if let held = places[index] {
        guard !isWanted else { continue }
        gone.append(held)
        places[index] = nil
        hasChanged = true
      } else if isWanted {
        do throws(StorageError) {
          places[index] = try opened(topic, PartitionIndex(Int32(index)), settings, world)
          hasChanged = true
        } catch {
          isLacking = true
          report("a partition cannot be opened", "\(topic.name)-\(index): \(error)")
        }
      }
    }
    if hasChanged { table.put(PartitionTable.HeldTopic(name: topic.name, id: topic.id, places: places)) }
    phase.withLock { phase in
      guard case .open(let world, var lacking) = phase else { return }
      if isLacking { lacking.insert(topic.id) } else { lacking.remove(topic.id) }
      phase = .open(world, lacking: lacking)
    }
    return gone
  }

  private func opened(
    _ topic: TopicState, _ index: PartitionIndex, _ settings: TopicSettings, _ world: ReplicaWorld
  ) throws(StorageError) -> Partition {
    let name = TopicPartition(topic.name, index)
    let found = try place(of: name, topic, world.node)
    let folder: StorageFolder
    if let found { folder = found } else { folder = try newPlace(of: name, topic, world.node) }
    let checkpoints = folder.checkpoints
    let log = try folder.directory.openLog(name, topicID: topic.id, settings: settings.log, now: wallClockNow())
    // An epoch that wrote nothing leaves no trace: what comes at this place may be of an older one.
    try log.truncate(to: log.endOffset)
    // What a crash left in memory alone counts as kept from now on, and readers will see it.
    if settings.durability == .disk, log.syncedOffset < log.endOffset { try log.flush() }
    let mark = found == nil ? .zero : checkpoints.highWatermark(of: name)
    folder.count(1)
    var world = world
    world.directory = folder.id
    world.lowerCheckpoint = { (name, offset) throws(StorageError) in try checkpoints.lower(name, to: offset) }
    return Partition(log: log, checkpointed: mark, settings: settings, world: world, pool: pool)
  }

  func configure(_ topic: UniqueID, _ settings: TopicSettings) {
    for partition in table.topic(topic)?.partitions ?? [] { partition.update(settings: settings) }
  }

  // MARK: Removing

  /// Takes deleted topics away at once, and their files after their `file.delete.delay.ms`.
  func remove(_ topics: [UniqueID], on loop: EventLoop) -> [PartitionTable.HeldTopic] {
    let gone = topics.compactMap { table.remove($0) }
    phase.withLock { phase in
      guard case .open(let world, let lacking) = phase else { return }
      phase = .open(world, lacking: lacking.subtracting(topics))
    }
    for topic in gone { retire(topic.partitions, on: loop) }
    return gone
  }

  private func retire(_ partitions: [Partition], on loop: EventLoop) {
    guard let delay = partitions.first?.fileDeleteDelay else { return }
    for folder in folders {
      let inFolder = partitions.filter { $0.world.directory == folder.id }
      if !inFolder.isEmpty { retire(inFolder, in: folder) }
    }
    loop.schedule(after: delay) { self.pool.run { self.removeRetired() } }
  }

  private func retire(_ partitions: [Partition], in folder: StorageFolder) {
    folder.checkpoints.forget(Set(partitions.map(\.name)))
    for partition in partitions {
      partition.retire()
      partition.log.abandon()
      folder.count(-1)
      do {
        try folder.directory.retire(partition.name, unique: .random())
      } catch {
        report("the folder of a deleted partition stays", "\(partition.name): \(error)")
      }
    }
  }

  func removeRetired() {
    for directory in directories.all {
      do {
        try directory.removeRetired()
      } catch {
        report("files of deleted partitions stay", "\(error)")
      }
    }
  }

  // MARK: Keeping

  /// Writes down what a restart after a crash need not read again, and what is committed.
  func saveCheckpoints() {
    // Segments that no longer grow are synced here, so that a crash makes us read little more than the last one.
    // What fails has failed the log, which says so by itself.
    for partition in table.allPartitions { _ = try? partition.log.flush(.rolledSegments) }
    for folder in folders { folder.checkpoints.save { self.partitions(in: folder) } }
  }

  /// What was open is let go as it is.
  func forget() {
    phase.withLock { $0 = .closed }
    for topic in table.all {
      _ = table.remove(topic.id)
      for partition in topic.partitions { partition.retire() }
    }
  }

  /// Whether every log that lies here was left in order, or has been opened since.
  private func knowsEveryLog(in directory: LogDirectory) -> Bool {
    directory.wasStoppedCleanly || (hasTriedAll.load(ordering: .acquiring) && !lacksPartitions)
  }

  /// Closes every log, several at once. Returns the directories in which none must be recovered at the next start: that
  /// goes for those too that the process before has left in disorder, and that nobody has opened since.
  func close(alsoClosing metadata: PartitionLog) -> [LogDirectory] {
    let unclean = Mutex<[(log: String, reason: String)]>([])
    guard let waiting = try? Semaphore() else { return [] }
    let logs = table.allPartitions.map(\.log) + [metadata]
    for chunk in stride(from: 0, to: logs.count, by: 64) {
      let part = logs[chunk..<min(chunk + 64, logs.count)]
      pool.run {
        for log in part {
          if case .unclean(let error) = log.close() { unclean.withLock { $0.append((log.directory, "\(error)")) } }
        }
        waiting.signal()
      }
    }
    for _ in stride(from: 0, to: logs.count, by: 64) { waiting.wait() }
    // What was never opened is as the checkpoints have it.
    if hasTriedAll.load(ordering: .acquiring) { saveCheckpoints() }
    let inDisorder = unclean.withLock { $0 }
    for (_, reason) in inDisorder { report("a log was not closed cleanly", reason) }
    return directories.all.filter { directory in
      knowsEveryLog(in: directory) && !inDisorder.contains { $0.log.hasPrefix(directory.path + "/") }
    }
  }
}
