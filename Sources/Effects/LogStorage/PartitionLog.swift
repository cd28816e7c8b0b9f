import Synchronization
public import Vocabulary

/// The log of one partition on one disk: segments of record batches, and what is derived from them.
///
/// Every method may be called from any thread. One lock guards the state; what takes long (fdatasync,
/// searches in cold segments, removal of files) happens outside of it.
///
/// What is promised: a batch that `append` accepted is read back as it is until retention, compaction or
/// `truncate` removes it; everything below `syncedOffset` survives a loss of power; after any crash the log
/// opens with whole, true batches only. When a write or a sync fails the log takes no more writes, and
/// reads go on.
///
/// What it does not know: the high watermark (Replication's), who may read, and which producer ids exist.
public final class PartitionLog: Sendable {
  public let topicPartition: TopicPartition
  public let topicID: UniqueID
  /// Its folder.
  public let directory: String
  let disk: any Disk
  let openFiles: OpenFiles
  let state: Mutex<LogState>
  /// Whether a transaction is open, or has ended and may not be committed yet: see `noteStability`.
  let isUnstable: Atomic<Bool>
  /// Held by whoever syncs: others wait, and then mostly find their bytes durable.
  let syncing = Mutex<Void>(())
  /// Held by whoever removes or replaces segments.
  let housekeeping = Mutex<Void>(())

  init(
    topicPartition: TopicPartition, topicID: UniqueID, directory: String, disk: any Disk, openFiles: OpenFiles,
    state: consuming sending LogState
  ) {
    self.topicPartition = topicPartition
    self.topicID = topicID
    self.directory = directory
    self.disk = disk
    self.openFiles = openFiles
    isUnstable = Atomic(!state.producers.transactions.isEmpty)
    self.state = Mutex(state)
  }

  /// The offset that the next record gets.
  public var endOffset: Offset { state.withLock { $0.endOffset } }
  /// The first offset that may be read.
  public var startOffset: Offset { state.withLock { $0.startOffset } }
  /// Everything before it survives a loss of power.
  public var syncedOffset: Offset { state.withLock { $0.syncedOffset } }
  /// Bytes of all segments.
  public var size: ByteCount { state.withLock { ByteCount(Int($0.size)) } }
  public var segmentCount: Int { state.withLock { $0.segments.count } }
  /// Where the active segment begins.
  public var activeSegmentStart: Offset { state.withLock { $0.active.baseOffset } }
  public var settings: LogSettings { state.withLock { $0.settings } }
  public var leaderEpochs: LeaderEpochs { state.withLock { $0.epochs } }

  /// The error that stopped the writes; nil while the log is healthy.
  public var failure: StorageError? {
    state.withLock {
      if case .failed(let error) = $0.condition { return error }
      return nil
    }
  }

  /// Takes effect with the next append, roll or retention.
  public func update(_ settings: LogSettings) { state.withLock { $0.settings = settings } }

  /// What DescribeProducers answers, by producer id (KIP-664).
  public var activeProducers: [ActiveProducer] {
    state.withLock { state in
      state.producers.entries.sorted { $0.key < $1.key }.map { id, entry in
        ActiveProducer(id, entry)
      }
    }
  }

  /// Forgets producers that have been silent for longer than `producer.id.expiration.ms`.
  public func expireProducers(now: Timestamp) {
    state.withLock { state in
      state.producers.expire(now: now, after: state.settings.producerExpiration)
      state.tickets.expire()
    }
  }

  /// What an error does to the log.
  enum Consequence {
    case stopsWrites
    /// When the process has no descriptor left, nothing has been written, and the next attempt may find one.
    case sparesShortageOfDescriptors
  }

  /// Runs a change of the files; a failure stops all later writes.
  func writing<T>(
    _ consequence: Consequence = .stopsWrites, _ body: (inout LogState) throws(StorageError) -> T
  ) throws(StorageError) -> T where T: Sendable {
    try state.withLock { state throws(StorageError) -> T in
      try state.checkWritable(directory)
      defer { noteStability(state) }
      do throws(StorageError) {
        return try body(&state)
      } catch {
        if consequence == .stopsWrites || !error.isShortageOfDescriptors { state.condition = .failed(error) }
        throw error
      }
    }
  }
}
