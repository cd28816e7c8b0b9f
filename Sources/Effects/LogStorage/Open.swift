import KafkaProtocol
public import Vocabulary

/// How a log was left.
public enum RecoveryStart: Hashable, Sendable {
  /// Closed cleanly: nothing is read again.
  case clean
  /// Everything from the recovery point on is read and checked; everything before it was durable.
  case afterCrash(recoveryPoint: Offset)
}

extension PartitionLog {
  /// Opens a partition's log, or creates it.
  ///
  /// After a crash, what follows the recovery point is read batch by batch; at the first that is cut off,
  /// has a wrong CRC or does not follow, the log ends. Indexes and producers that cannot be read are rebuilt.
  /// `logStart` is what the log directory remembers; a log never starts earlier.
  public static func open(
    disk: any Disk, openFiles: OpenFiles, directory: String, topicPartition: TopicPartition, topicID: UniqueID,
    settings: LogSettings, recovery: RecoveryStart, logStart: Offset = .zero, now: Timestamp
  ) throws(StorageError) -> PartitionLog {
    let opening = LogOpening(disk: disk, openFiles: openFiles, directory: directory, settings: settings, now: now)
    let state = try opening.open(topicID: topicID, recovery: recovery, logStart: logStart)
    return PartitionLog(
      topicPartition: topicPartition, topicID: topicID, directory: directory, disk: disk, openFiles: openFiles,
      state: state)
  }
}

/// The steps from a folder to a log's state.
struct LogOpening {
  let disk: any Disk
  let openFiles: OpenFiles
  let directory: String
  let settings: LogSettings
  let now: Timestamp

  func open(
    topicID: UniqueID, recovery: RecoveryStart, logStart: Offset
  ) throws(StorageError) -> LogState {
    var names: [String]
    var unsyncedNames: LogState.UnsyncedNames = []
    if try disk.size(of: directory) == nil {
      try disk.createDirectory(directory)
      names = []
      unsyncedNames = [.files, .folder]
    } else {
      names = try disk.list(directory)
    }
    try checkMetadata(topicID, exists: names.contains(SegmentFile.partitionMetadata), &unsyncedNames)
    if try finishInterruptedWork(names) { names = try disk.list(directory) }
    let start = try savedLogStart(names) ?? logStart
    var segments = try findSegments(names, from: start)
    try removeStrayTransactionIndexes(names, segments)
    if segments.isEmpty {
      segments = [try createSegment(at: start)]
      unsyncedNames.insert(.files)
    }
    var state = LogState(
      settings: settings, segments: segments, startOffset: max(start, segments[0].baseOffset), endOffset: .zero,
      syncedOffset: .zero, epochs: LeaderEpochs(), producers: ProducerStates(), unsyncedNames: unsyncedNames)
    let epochs = try savedEpochs(names)
    state.epochs = epochs ?? LeaderEpochs()
    switch recovery {
    case .clean where try findEnd(&state):
      state.recentAborted = RecentAborted(knownFrom: state.endOffset)
      try restoreProducers(&state, names)
      try readTransactionIndexes(&state, names)
    case .clean: try recover(&state, from: state.active.baseOffset, start: start, names)
    case .afterCrash(let point): try recover(&state, from: point, start: start, names)
    }
    if state.endOffset < start {
      try restart(&state, at: start)
      try restoreProducers(&state, names)
    }
    if epochs == nil { try rebuildEpochs(&state) }
    if state.epochs.truncate(to: state.endOffset + 1) { state.areEpochsUnsaved = true }
    return state
  }

  private func checkMetadata(
    _ topicID: UniqueID, exists: Bool, _ unsynced: inout LogState.UnsyncedNames
  ) throws(StorageError) {
    let path = "\(directory)/\(SegmentFile.partitionMetadata)"
    if exists, let saved = try PartitionMetadata.read(path, on: disk) {
      if topicID == .zero || saved == .zero || saved == topicID { return }
      throw StorageError(
        .open, path, .invalid("the folder belongs to topic id \(saved), but the topic's id is \(topicID)"))
    }
    try disk.create(path).write(PartitionMetadata.encode(topicID), at: 0)
    unsynced.insert(.files)
  }

  private func savedLogStart(_ names: [String]) throws(StorageError) -> Offset? {
    guard names.contains(SegmentFile.logStart) else { return nil }
    let bytes = try disk.contents(of: "\(directory)/\(SegmentFile.logStart)", limit: 4096) ?? []
    guard let line = CheckpointText.decode(bytes)?.first, let value = Int64(line), value >= 0 else { return nil }
    return Offset(value)
  }

  private func savedEpochs(_ names: [String]) throws(StorageError) -> LeaderEpochs? {
    guard names.contains(SegmentFile.leaderEpochs) else { return nil }
    let path = "\(directory)/\(SegmentFile.leaderEpochs)"
    return LeaderEpochs(fileBytes: try disk.contents(of: path, limit: CheckpointText.bytesMax) ?? [])
  }

  /// The segments in order. Those that end before the log's start go: a removal that was under way.
  private func findSegments(_ names: [String], from start: Offset) throws(StorageError) -> [Segment] {
    let bases = names.compactMap { name -> Int64? in
      guard let file = SegmentFile.parse(name), file.kind == .log else { return nil }
      return file.baseOffset
    }.sorted()
    var segments: [Segment] = []
    for (place, base) in bases.enumerated() {
      let slot = FileSlot(directory: directory, baseOffset: base)
      if place + 1 < bases.count, bases[place + 1] <= start.value {
        try removeSegmentFiles(base)
        continue
      }
      guard let size = try disk.size(of: slot.path) else { continue }
      segments.append(
        Segment(
          baseOffset: Offset(base), log: slot, size: size, latest: nil, openedAt: now, firstTimestamp: nil,
          isUnsynced: false))
    }
    return segments
  }

  func removeSegmentFiles(_ base: Int64) throws(StorageError) {
    for kind in SegmentFile.allCases where kind != .producerSnapshot {
      try disk.unlink(kind.path(in: directory, baseOffset: base))
    }
  }

  private func createSegment(at base: Offset) throws(StorageError) -> Segment {
    let slot = FileSlot(directory: directory, baseOffset: base.value)
    _ = try disk.create(slot.path)
    return Segment(
      baseOffset: base, log: slot, size: 0, latest: nil, openedAt: now, firstTimestamp: nil, isUnsynced: false)
  }

  /// The files that were to follow `start` are lost: the log begins anew there.
  func restart(_ state: inout LogState, at start: Offset) throws(StorageError) {
    for segment in state.segments { try removeSegmentFiles(segment.baseOffset.value) }
    state.segments = [try createSegment(at: start)]
    state.index = SegmentIndex()
    state.tail.removeAll()
    state.recentAborted = RecentAborted(knownFrom: .zero)
    state.startOffset = start
    state.endOffset = start
    state.syncedOffset = start
    state.unsyncedNames.insert(.files)
  }

  /// Finds the log's end after a clean stop: the last index entry, and the headers after it.
  /// False where the files are not as a clean stop leaves them.
  private func findEnd(_ state: inout LogState) throws(StorageError) -> Bool {
    let active = state.active
    state.endOffset = active.baseOffset
    if active.size > 0 {
      do throws(StorageError) {
        let files = IndexFiles(disk: disk, directory: directory)
        let entry = try files.lastEntry(base: active.baseOffset, segmentSize: active.size)
        let file = try active.log.file(on: disk, openFiles)
        defer { active.log.release(openFiles) }
        var walk = HeaderWalk(file, path: active.log.path, from: Int64(entry?.position ?? 0), to: active.size)
        while let (header, position) = try walk.next() {
          guard header.baseOffset >= state.endOffset else { return false }
          state.endOffset = header.nextOffset
          state.tail.note(
            BatchMark(offset: header.baseOffset.value, position: position, next: header.nextOffset.value))
        }
        // Where the time index lies, the next search by time walks over the segment.
        state.active.latest = try files.latest(of: active, in: file)
      } catch {
        guard case .invalid = error.reason else { throw error }
        return false
      }
    } else {
      state.index = SegmentIndex()
    }
    state.syncedOffset = state.endOffset
    state.trustedOffset = state.endOffset
    return true
  }
}
