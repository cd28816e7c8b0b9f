import KafkaProtocol
import Vocabulary

/// What a partition's lock guards. The last segment is the active one, the only one that grows.
struct LogState: Sendable {
  enum Condition: Sendable {
    case open
    /// A write or sync failed: no more writes, reads go on.
    case failed(StorageError)
    case closed
  }

  /// What of the file system's names is not yet durable.
  struct UnsyncedNames: OptionSet, Sendable {
    let rawValue: UInt8
    /// Files in the partition's folder.
    static let files = UnsyncedNames(rawValue: 1)
    /// The folder itself, in the log directory.
    static let folder = UnsyncedNames(rawValue: 2)
  }

  var settings: LogSettings
  var condition = Condition.open
  var segments: [Segment]
  var startOffset: Offset
  var endOffset: Offset
  /// Everything before it survives a loss of power.
  var syncedOffset: Offset
  /// The largest offset that was ever durable: a recovery point that somebody wrote down may be as large,
  /// and recovery believes that whole segments below it are.
  var trustedOffset: Offset = .zero
  /// The active segment's index. Nil after a clean start, until somebody needs it.
  var index: SegmentIndex?
  var tail = TailMarks()
  /// Where the last slices ended: the next read of the same consumer begins there.
  var readEnds: [(segment: Offset, mark: BatchMark)] = []
  var epochs: LeaderEpochs
  var areEpochsUnsaved = false
  var producers: ProducerStates
  var early = EarlyBatches()
  var recentAborted = RecentAborted(knownFrom: .zero)
  /// Of producers whose coordinators are being asked.
  var tickets = VerificationTickets()
  /// The last snapshot of the producers that is on disk.
  var snapshotOffset: Offset?
  var unsyncedNames: UnsyncedNames
  /// Changes whenever segments are removed, replaced or cut: places that were found before mean nothing then.
  var generation = 0
  /// Changes whenever the log's end goes back: a sync that began before counts for nothing then.
  var truncations = 0

  static let readEndsMax = 4

  var active: Segment {
    get { segments[segments.count - 1] }
    set { segments[segments.count - 1] = newValue }
  }

  func checkWritable(_ path: String) throws(StorageError) {
    switch condition {
    case .open: return
    case .failed(let error): throw error
    case .closed: throw StorageError(.append, path, .invalid("the log is closed"))
    }
  }

  func checkReadable(_ path: String) throws(StorageError) {
    if case .closed = condition { throw StorageError(.read, path, .invalid("the log is closed")) }
  }

  /// The segment that holds `offset`, or would.
  func segmentIndex(for offset: Offset) -> Int {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].baseOffset <= offset { low = middle + 1 } else { high = middle }
    }
    return max(0, low - 1)
  }

  var size: Int64 { segments.reduce(0) { $0 + $1.size } }

  mutating func noteReadEnd(_ mark: BatchMark, in segment: Offset) {
    if readEnds.contains(where: { $0.segment == segment && $0.mark.position == mark.position }) { return }
    if readEnds.count == Self.readEndsMax { readEnds.removeFirst() }
    readEnds.append((segment, mark))
  }

  mutating func forgetPlaces() {
    tail.removeAll()
    readEnds.removeAll()
    generation += 1
  }

  /// A batch has been written at `position` of the active segment: everything that is remembered about it.
  /// Says which transaction it takes back.
  mutating func note(
    _ header: RecordBatchHeader, marker: TransactionMarker?, position: Int64, latestOffset: Offset
  ) -> AbortedTransaction? {
    let base = active.baseOffset
    tail.note(BatchMark(offset: header.baseOffset.value, position: position, next: header.nextOffset.value))
    if active.firstTimestamp == nil, position == 0 { active.firstTimestamp = header.maxTimestamp }
    if active.latest.map({ header.maxTimestamp > $0.time }) ?? (position == 0) {
      active.latest = (header.maxTimestamp, latestOffset)
    }
    let latest = active.latest ?? (header.maxTimestamp, latestOffset)
    index?.note(
      lastRelativeOffset: header.lastOffset - base, position: position, bytes: header.totalBytes,
      interval: settings.indexInterval.value, maxTimestamp: latest.time,
      maxTimestampRelativeOffset: latest.offset - base)
    active.size = position + Int64(header.totalBytes)
    active.isUnsynced = true
    endOffset = header.nextOffset
    if epochs.assign(header.partitionLeaderEpoch, start: header.baseOffset) { areEpochsUnsaved = true }
    // A marker ends what may have been asked about; with data of the transaction in the log nobody need ask any more.
    if header.attributes.isTransactional { tickets.void(header.producerID.value) }
    early.came(header.producerID)
    return producers.note(header, marker: marker)
  }
}
