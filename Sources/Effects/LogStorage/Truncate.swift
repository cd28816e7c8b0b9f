import KafkaProtocol
import Synchronization
public import Vocabulary

extension PartitionLog {
  /// Cuts off everything at and after `end`, durably: what was cut never comes back. A batch that `end` falls
  /// into goes as a whole. Says where the log ends now.
  @discardableResult
  public func truncate(to end: Offset) throws(StorageError) -> Offset {
    try exclusively { state throws(StorageError) in
      if state.epochs.truncate(to: end) { state.areEpochsUnsaved = true }
      guard end < state.endOffset else { return state.endOffset }
      if end <= state.segments[0].baseOffset || end < state.startOffset {
        try restart(&state, at: max(end, .zero), openedAt: state.active.openedAt)
        return state.endOffset
      }
      try removeSegments(of: &state, from: end)
      try cutActive(&state, at: end)
      if state.endOffset < state.startOffset {
        // The batch that went held the log's start: nothing is left, and the start stays where it is.
        try restart(&state, at: state.startOffset, openedAt: state.active.openedAt)
        return state.endOffset
      }
      try finishTruncation(&state)
      return state.endOffset
    }
  }

  /// Drops everything and begins anew at `offset`: for a follower whose leader begins beyond its end.
  public func restart(at offset: Offset, now: Timestamp) throws(StorageError) {
    try exclusively { state throws(StorageError) in try restart(&state, at: offset, openedAt: now) }
  }

  /// With nobody else syncing, removing or replacing files.
  func exclusively<T: Sendable>(
    _ body: (inout LogState) throws(StorageError) -> T
  ) throws(StorageError) -> T {
    try housekeeping.withLock { _ throws(StorageError) -> T in
      try syncing.withLock { _ throws(StorageError) -> T in try writing(.stopsWrites, body) }
    }
  }

  /// The last segment goes first, and durably, so that at every moment what is left is the beginning of the
  /// log: recovery does not look for holes below the recovery point.
  private func removeSegments(of state: inout LogState, from end: Offset) throws(StorageError) {
    while state.segments.count > 1, state.active.baseOffset >= end {
      try removeFiles(of: state.segments.removeLast())
      try disk.syncDirectory(directory)
      state.index = nil
    }
  }

  private func cutActive(_ state: inout LogState, at end: Offset) throws(StorageError) {
    try loadIndex(&state)
    let active = state.active
    let file = try active.log.file(on: disk, openFiles)
    // From the segment's start, because an index may lie, and a cut in the wrong place cannot be undone.
    var walk = HeaderWalk(file, path: active.log.path, from: 0, to: active.size)
    state.endOffset = end
    while let (header, position) = try walk.next() {
      guard header.lastOffset >= end else { continue }
      state.endOffset = min(end, header.baseOffset)
      try file.truncate(to: position)
      state.active.size = position
      break
    }
    // The index files of a segment that is active again would be too long for it.
    for kind in [SegmentFile.offsetIndex, .timeIndex] {
      try disk.unlink(kind.path(in: directory, baseOffset: active.baseOffset.value))
    }
    try file.syncData()
    try cutTransactionIndex(&state)
    state.active.isUnsynced = false
    state.active.isIndexUnsynced = false
    state.active.latest = nil
    if state.active.size == 0 { state.active.firstTimestamp = nil }
    let size = state.active.size
    let last = state.endOffset - active.baseOffset
    state.index?.truncate(toPosition: size, relativeOffset: last)
  }

  private func restart(
    _ state: inout LogState, at offset: Offset, openedAt: Timestamp
  ) throws(StorageError) {
    while let last = state.segments.popLast() {
      try removeFiles(of: last)
      try disk.syncDirectory(directory)
    }
    for name in try disk.list(directory) where SegmentFile.parse(name)?.kind == .producerSnapshot {
      try disk.unlink("\(directory)/\(name)")
    }
    try disk.syncDirectory(directory)
    let slot = FileSlot(directory: directory, baseOffset: offset.value)
    slot.install(try disk.create(slot.path), openFiles)
    state.segments = [
      Segment(
        baseOffset: offset, log: slot, size: 0, latest: nil, openedAt: openedAt, firstTimestamp: nil, isUnsynced: false)
    ]
    state.index = SegmentIndex()
    state.recentAborted = RecentAborted(knownFrom: .zero)
    state.endOffset = offset
    state.startOffset = offset
    try saveStart(offset)
    state.epochs = LeaderEpochs()
    state.areEpochsUnsaved = true
    try finishTruncation(&state)
  }

  private func finishTruncation(_ state: inout LogState) throws(StorageError) {
    state.forgetPlaces()
    state.truncations += 1
    state.tickets.voidAll()
    state.syncedOffset = min(state.syncedOffset, state.endOffset)
    try disk.replace(
      "\(directory)/\(SegmentFile.leaderEpochs)", with: state.epochs.fileBytes, in: directory)
    state.areEpochsUnsaved = false
    try rebuildProducers(&state)
  }

  /// The producers as of the log's end, from the newest snapshot before it and the batches after that.
  private func rebuildProducers(_ state: inout LogState) throws(StorageError) {
    let opening = LogOpening(
      disk: disk, openFiles: openFiles, directory: directory, settings: state.settings, now: state.active.openedAt)
    state.snapshotOffset = nil
    let earlier = state.producers.transactions
    try opening.restoreProducers(&state, try disk.list(directory))
    state.producers.transactions.keepEnded(of: earlier, below: state.endOffset.value)
  }
}
