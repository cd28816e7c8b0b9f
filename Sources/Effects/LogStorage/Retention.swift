import Synchronization
public import Vocabulary

extension PartitionLog {
  /// Moves the log's start to `offset` (DeleteRecords), durably, and removes the segments that lie before it.
  /// Says where the log starts now; nil when `offset` is beyond the log's end.
  public func deleteRecords(before offset: Offset) throws(StorageError) -> Offset? {
    let isInside = state.withLock { offset <= $0.endOffset }
    guard isInside else { return nil }
    try advanceStart { _ in offset }
    return startOffset
  }

  /// Removes the segments that `retention.ms` and `retention.bytes` no longer keep, oldest first, and never one
  /// that reaches above `highWatermark`. An expired active segment is rolled first. Says where the removed
  /// ones began.
  @discardableResult
  public func applyRetention(now: Timestamp, highWatermark: Offset) throws(StorageError) -> [Offset] {
    guard settings.cleanup.contains(.delete) else { return try advanceStart { $0.startOffset } }
    try loadOldestTimes()
    try rollIfExpired(now: now, highWatermark: highWatermark)
    return try advanceStart { $0.retained(now: now, highWatermark: highWatermark) }
  }

  /// Retention by time needs the oldest segments' largest timestamps: as many as are expired, and one more.
  private func loadOldestTimes() throws(StorageError) {
    guard let span = settings.retentionSpan, span.nanoseconds >= 0 else { return }
    let unknown = state.withLock { $0.segments.filter { $0.latest == nil && $0.size > 0 } }
    for segment in unknown {
      guard let latest = try latestTime(of: segment) else { continue }
      remember(latest, of: segment)
    }
  }

  private func rollIfExpired(now: Timestamp, highWatermark: Offset) throws(StorageError) {
    try writing { state throws(StorageError) in
      guard state.active.size > 0, state.endOffset <= highWatermark, state.isExpired(state.active, now) else { return }
      try roll(&state, at: state.endOffset, now: now)
    }
  }

  /// The new start is durable before any file goes and before anybody is told of it, so that it never goes back.
  @discardableResult
  private func advanceStart(
    to choose: @Sendable (LogState) -> Offset
  ) throws(StorageError) -> [Offset] {
    try housekeeping.withLock { _ throws(StorageError) -> [Offset] in
      let (start, old) = try state.withLock { state throws(StorageError) in
        try state.checkWritable(directory)
        return (min(choose(state), state.endOffset), state.startOffset)
      }
      if start > old { try saveStart(start) }
      let removed = try writing { state throws(StorageError) -> [Segment] in
        state.startOffset = max(state.startOffset, start)
        var removed: [Segment] = []
        while state.segments.count > 1, state.segments[1].baseOffset <= state.startOffset {
          removed.append(state.segments.removeFirst())
        }
        if state.epochs.advance(to: state.startOffset) { state.areEpochsUnsaved = true }
        if !removed.isEmpty { state.generation += 1 }
        return removed
      }
      for segment in removed { try removeFiles(of: segment) }
      if !removed.isEmpty { try removeOldSnapshots() }
      return removed.map(\.baseOffset)
    }
  }

  /// Kept are the newest snapshot and those at the start of a segment, which a truncation may need.
  func removeOldSnapshots() throws(StorageError) {
    let (newest, bases) = state.withLock { ($0.snapshotOffset, Set($0.segments.map(\.baseOffset))) }
    guard let newest else { return }
    for name in try disk.list(directory) {
      guard let file = SegmentFile.parse(name), file.kind == .producerSnapshot, file.baseOffset < newest.value,
        !bases.contains(Offset(file.baseOffset))
      else { continue }
      try disk.unlink("\(directory)/\(name)")
    }
  }

  func saveStart(_ start: Offset) throws(StorageError) {
    try disk.replace(
      "\(directory)/\(SegmentFile.logStart)", with: CheckpointText.encode(["\(start.value)"]), in: directory)
  }

  func remember(_ latest: (time: Timestamp, offset: Offset), of segment: Segment) {
    state.withLock { state in
      guard let place = state.segments.firstIndex(where: { $0.log === segment.log }),
        state.segments[place].size == segment.size
      else { return }
      state.segments[place].latest = latest
    }
  }
}

extension LogState {
  func isExpired(_ segment: Segment, _ now: Timestamp) -> Bool {
    guard let span = settings.retentionSpan, let latest = segment.latest, latest.time.milliseconds >= 0 else {
      return false
    }
    return now.milliseconds &- latest.time.milliseconds > span.milliseconds
  }

  /// Where the log starts once retention is applied.
  func retained(now: Timestamp, highWatermark: Offset) -> Offset {
    var start = startOffset
    var excess = settings.retentionBytes.map { size - Int64($0.value) } ?? 0
    for place in 0..<segments.count - 1 {
      let segment = segments[place]
      let end = segments[place + 1].baseOffset
      guard end <= highWatermark else { break }
      let isTooMuch = settings.retentionBytes != nil && excess - segment.size >= 0
      guard isTooMuch || isExpired(segment, now) || end <= startOffset else { break }
      excess -= segment.size
      start = max(start, end)
    }
    return start
  }
}
