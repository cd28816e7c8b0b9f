import Synchronization
public import Vocabulary

/// What a flush covers.
public enum FlushScope: Sendable {
  case everything
  /// Only segments that no longer grow: what Kafka syncs by itself when it rolls one.
  case rolledSegments
}

extension PartitionLog {
  /// Makes what was appended durable, and says up to where.
  ///
  /// Blocks for as long as the disk takes: for a blocking pool. Of several callers at once one syncs, and
  /// the others mostly find their bytes durable. After a failed sync nobody can know what is on the disk
  /// (the kernel forgets the failure with the pages), so that the log takes no more writes.
  @discardableResult
  public func flush(_ scope: FlushScope = .everything) throws(StorageError) -> Offset {
    try syncing.withLock { _ throws(StorageError) -> Offset in
      let pending = try state.withLock { state throws(StorageError) -> PendingSync in
        try state.checkWritable(directory)
        return PendingSync(&state, scope)
      }
      if pending.isEmpty { return state.withLock { $0.noteSynced(pending) } }
      do throws(StorageError) {
        try sync(pending)
      } catch {
        // What could not be opened has not been synced, and its pages are still there: the next flush takes it on.
        state.withLock { state in
          if error.isShortageOfDescriptors { state.takeBack(pending) } else { state.condition = .failed(error) }
        }
        throw error
      }
      return state.withLock { $0.noteSynced(pending) }
    }
  }

  private func sync(_ pending: PendingSync) throws(StorageError) {
    for segment in pending.segments {
      do throws(StorageError) {
        try sync(segment)
      } catch {
        // A segment that retention has removed meanwhile needs no sync.
        let isThere = state.withLock { $0.segments.contains { $0.log === segment.log } }
        if isThere { throw error }
      }
    }
    if let snapshot = pending.snapshot {
      let path = SegmentFile.producerSnapshot.path(in: directory, baseOffset: snapshot.value)
      if try disk.size(of: path) != nil { try disk.open(path).syncData() }
    }
    if let epochs = pending.epochs {
      let path = "\(directory)/\(SegmentFile.leaderEpochs)"
      let file = try disk.create(path + ".tmp")
      try file.write(epochs.fileBytes, at: 0)
      try file.syncData()
      try disk.rename(path + ".tmp", to: path)
    }
    if pending.names.contains(.files) || pending.epochs != nil { try disk.syncDirectory(directory) }
    if pending.names.contains(.folder) { try disk.syncDirectory(parentDirectory) }
  }

  private func sync(_ segment: Segment) throws(StorageError) {
    if segment.isUnsynced { try segment.log.file(on: disk, openFiles).syncData() }
    guard segment.isIndexUnsynced else { return }
    for kind in [SegmentFile.offsetIndex, .timeIndex, .transactionIndex] {
      // A swap takes the indexes away before the segment, and what takes its place brings its own.
      try disk.openIfPresent(kind.path(in: directory, baseOffset: segment.baseOffset.value))?.syncData()
    }
  }

  var parentDirectory: String {
    guard let slash = directory.lastIndex(of: "/") else { return "." }
    return slash == directory.startIndex ? "/" : String(directory[..<slash])
  }
}

/// What one flush has to do, as it was when it began.
struct PendingSync: Sendable {
  let segments: [Segment]
  let names: LogState.UnsyncedNames
  let epochs: LeaderEpochs?
  let snapshot: Offset?
  /// What is durable once all of it is done.
  let end: Offset
  let truncations: Int
  let isEmpty: Bool

  init(_ state: inout LogState, _ scope: FlushScope) {
    truncations = state.truncations
    let active = state.active.baseOffset
    segments = state.segments.filter {
      ($0.isUnsynced || $0.isIndexUnsynced) && (scope == .everything || $0.baseOffset != active)
    }
    end = scope == .everything ? state.endOffset : max(state.syncedOffset, active)
    names = state.unsyncedNames
    epochs = state.areEpochsUnsaved ? state.epochs : nil
    snapshot = names.contains(.files) ? state.snapshotOffset : nil
    isEmpty = segments.isEmpty && names.isEmpty && epochs == nil
    // What changes from now on is for the next flush.
    for index in state.segments.indices where scope == .everything || state.segments[index].baseOffset != active {
      state.segments[index].isUnsynced = false
      state.segments[index].isIndexUnsynced = false
    }
    state.unsyncedNames = []
    state.areEpochsUnsaved = false
  }
}

extension LogState {
  /// What was cut off meanwhile and written anew is not durable yet: then the flush counts for nothing.
  mutating func noteSynced(_ pending: PendingSync) -> Offset {
    if truncations == pending.truncations { syncedOffset = max(syncedOffset, min(pending.end, endOffset)) }
    trustedOffset = max(trustedOffset, syncedOffset)
    return syncedOffset
  }

  /// A flush came to nothing: all of it is for the next one.
  mutating func takeBack(_ pending: PendingSync) {
    for place in segments.indices {
      guard let old = pending.segments.first(where: { $0.log === segments[place].log }) else { continue }
      segments[place].isUnsynced = segments[place].isUnsynced || old.isUnsynced
      segments[place].isIndexUnsynced = segments[place].isIndexUnsynced || old.isIndexUnsynced
    }
    unsyncedNames.formUnion(pending.names)
    areEpochsUnsaved = areEpochsUnsaved || pending.epochs != nil
  }
}
