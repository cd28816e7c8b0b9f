import KafkaProtocol
public import Vocabulary

extension PartitionLog {
  /// Starts a new segment where a batch would not fit in the active one.
  func rollIfFull(
    _ state: inout LogState, adding header: RecordBatchHeader, bytes: Int, now: Timestamp
  ) throws(StorageError) {
    let active = state.active
    let limit = Int64(min(state.settings.segmentBytes.value, Int(Int32.max)))
    let farthest = max(state.endOffset.value &+ Int64(header.lastOffsetDelta), header.lastOffset.value)
    let isTooFar = farthest - active.baseOffset.value > Int64(Int32.max)
    if active.size == 0 {
      // Even an empty segment cannot hold an offset that is too far from its own.
      if isTooFar, header.baseOffset > active.baseOffset { try roll(&state, at: header.baseOffset, now: now) }
      return
    }
    let isFull = active.size + Int64(bytes) > limit
    let entries = state.index?.entries.count ?? 0
    let isIndexFull = (entries + 1) * SegmentIndex.TimeEntry.byteCount > state.settings.indexBytesMax.value
    let first = active.firstTimestamp ?? active.openedAt
    let isOld = header.maxTimestamp.milliseconds &- first.milliseconds > state.settings.segmentSpanMax.milliseconds
    guard isFull || isIndexFull || isOld || isTooFar else { return }
    try roll(&state, at: max(state.endOffset, isTooFar ? header.baseOffset : state.endOffset), now: now)
  }

  /// Starts a new segment when the active one is older than `segment.ms`. True when it did.
  @discardableResult
  public func rollIfDue(now: Timestamp) throws(StorageError) -> Bool {
    try writing { state throws(StorageError) in
      let active = state.active
      guard active.size > 0 else { return false }
      let age = now.milliseconds &- active.openedAt.milliseconds
      guard age >= state.settings.segmentSpanMax.milliseconds else { return false }
      try roll(&state, at: state.endOffset, now: now)
      return true
    }
  }

  /// Starts a new segment unless the active one is empty, so that what is there now can go as a whole.
  public func rollNow(now: Timestamp) throws(StorageError) {
    try writing { state throws(StorageError) in
      guard state.active.size > 0 else { return }
      try roll(&state, at: state.endOffset, now: now)
    }
  }

  /// The active segment's index and the producers go to disk, and a new, empty segment follows.
  func roll(_ state: inout LogState, at base: Offset, now: Timestamp) throws(StorageError) {
    // After a truncation the log may grow anew below a recovery point that is written down already.
    if state.active.isUnsynced, state.endOffset <= state.trustedOffset {
      try state.active.log.file(on: disk, openFiles).syncData()
      if state.active.abortedCount > 0 {
        try disk.open(TransactionIndexFiles(disk: disk, directory: directory).path(state.active.baseOffset)).syncData()
      }
      try disk.syncDirectory(directory)
    }
    try saveIndex(&state)
    try saveProducers(&state, at: state.endOffset)
    let slot = FileSlot(directory: directory, baseOffset: base.value)
    slot.install(try disk.create(slot.path), openFiles)
    if state.active.size == 0, state.segments.count > 0, state.active.baseOffset < base {
      // An empty segment is of no use before another one.
      let empty = state.segments.removeLast()
      try removeFiles(of: empty)
    }
    state.segments.append(
      Segment(
        baseOffset: base, log: slot, size: 0, latest: nil, openedAt: now, firstTimestamp: nil, isUnsynced: false))
    state.index = SegmentIndex()
    state.tail.removeAll()
    state.unsyncedNames.insert(.files)
  }

  /// Writes the active segment's index files, if its index is in memory.
  func saveIndex(_ state: inout LogState) throws(StorageError) {
    guard state.active.size > 0, var index = state.index else { return }
    if state.active.latest == nil { state.active.latest = try walkLatest(of: state.active) }
    if let latest = state.active.latest {
      index.noteTime(latest.time, relativeOffset: latest.offset - state.active.baseOffset)
    }
    try saveIndex(index, of: state.active.baseOffset)
    state.active.isIndexUnsynced = true
    state.unsyncedNames.insert(.files)
  }

  func saveIndex(_ index: SegmentIndex, of base: Offset) throws(StorageError) {
    try disk.create(SegmentFile.offsetIndex.path(in: directory, baseOffset: base.value))
      .write(index.offsetFileBytes, at: 0)
    try disk.create(SegmentFile.timeIndex.path(in: directory, baseOffset: base.value))
      .write(index.timeFileBytes, at: 0)
  }

  /// Writes the producers' snapshot as of `offset`, unless it is there already.
  func saveProducers(_ state: inout LogState, at offset: Offset) throws(StorageError) {
    guard state.snapshotOffset != offset, offset.value > 0 else { return }
    try disk.create(SegmentFile.producerSnapshot.path(in: directory, baseOffset: offset.value))
      .write(ProducerSnapshot.encode(state.producers), at: 0)
    state.snapshotOffset = offset
    state.unsyncedNames.insert(.files)
  }

  func removeFiles(of segment: Segment) throws(StorageError) {
    segment.log.discard(openFiles)
    for kind in SegmentFile.allCases where kind != .producerSnapshot {
      try disk.unlink(kind.path(in: directory, baseOffset: segment.baseOffset.value))
    }
  }
}
