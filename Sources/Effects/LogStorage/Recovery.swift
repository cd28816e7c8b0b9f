import KafkaProtocol
import Vocabulary

extension LogOpening {
  /// Reads what follows the recovery point, and ends the log at the first batch that is not whole and true.
  ///
  /// `start` is where the log is known to begin. A first segment beyond it, which was not durable, means that
  /// the ones before it are lost: then what is left is no log.
  func recover(
    _ state: inout LogState, from point: Offset, start: Offset, _ names: [String]
  ) throws(StorageError) {
    let all = state.segments
    var place = 0
    if all[0].baseOffset > max(point, start) {
      try restart(&state, at: start)
      return try restoreProducers(&state, names)
    }
    // A segment whose successor begins at or below the recovery point was durable as a whole.
    while place + 1 < all.count, all[place + 1].baseOffset <= point { place += 1 }
    // Which transactions are open where the reading begins decides what a marker takes back.
    let known = try producers(before: all[place].baseOffset, in: Array(all[..<place]), names)
    state.producers = known.states
    state.snapshotOffset = known.snapshot
    state.segments = Array(all[..<place])
    state.endOffset = all[place].baseOffset
    state.recentAborted = RecentAborted(knownFrom: state.endOffset)
    try readTransactionIndexes(&state, names)
    var isCut = false
    for segment in all[place...] {
      // A gap between two segments is one whose name was lost: rolling leaves none, and compaction keeps the
      // last offset of what it cleans.
      if isCut || segment.baseOffset != state.endOffset {
        try removeSegmentFiles(segment.baseOffset.value)
        state.unsyncedNames.insert(.files)
        isCut = true
        continue
      }
      isCut = try recover(segment, &state)
    }
    if isCut { try disk.syncDirectory(directory) }
    try removeSnapshots(beyond: state.endOffset, names)
    try restoreIndexes(&state, names)
    // What was read may be in the page cache alone, if only the process crashed.
    state.syncedOffset = min(point, all[place].baseOffset)
    state.trustedOffset = point
  }

  /// Durable segments whose index is missing get one, so that nobody has to walk over them at every search.
  func restoreIndexes(_ state: inout LogState, _ names: [String]) throws(StorageError) {
    let known = Set(names)
    for place in state.segments.indices.dropLast() {
      let segment = state.segments[place]
      let path = SegmentFile.offsetIndex.path(in: directory, baseOffset: segment.baseOffset.value)
      guard segment.size > 0, !segment.isIndexUnsynced, !known.contains(String(path.dropFirst(directory.count + 1)))
      else { continue }
      var index = SegmentIndex()
      var latest = (time: Timestamp.none, offset: segment.baseOffset)
      var walk = HeaderWalk(
        try segment.log.file(on: disk, openFiles), path: segment.log.path, from: 0, to: segment.size)
      var hasMarkers = false
      while let (header, position) = try walk.next() {
        if header.attributes.isControl { hasMarkers = true }
        if header.maxTimestamp > latest.time { latest = (header.maxTimestamp, header.lastOffset) }
        index.note(
          lastRelativeOffset: header.lastOffset - segment.baseOffset, position: position, bytes: header.totalBytes,
          interval: settings.indexInterval.value, maxTimestamp: latest.time,
          maxTimestampRelativeOffset: latest.offset - segment.baseOffset)
      }
      index.noteTime(latest.time, relativeOffset: latest.offset - segment.baseOffset)
      try save(index, of: segment.baseOffset.value)
      state.segments[place].isIndexUnsynced = true
      state.unsyncedNames.insert(.files)
      // Where one index is lost the other may be too, and without any it looks as if nothing had been taken back.
      if hasMarkers, segment.abortedCount == 0 { try rebuildTransactionIndex(&state, at: place, names) }
    }
  }

  /// True when the segment had to be cut.
  private func recover(_ segment: Segment, _ state: inout LogState) throws(StorageError) -> Bool {
    if let finished = state.segments.last { try saveRecoveredIndex(&state, of: finished) }
    let fileSize = segment.size
    var recovered = segment
    recovered.size = 0
    recovered.isUnsynced = fileSize > 0
    state.segments.append(recovered)
    state.index = SegmentIndex()
    state.tail.removeAll()
    let index = TransactionIndexFiles(disk: disk, directory: directory).path(segment.baseOffset)
    try disk.unlink(index)
    guard fileSize > 0 else {
      state.endOffset = max(state.endOffset, segment.baseOffset)
      return false
    }
    state.endOffset = segment.baseOffset
    let file = try segment.log.file(on: disk, openFiles)
    var scan = BatchScan(file, size: fileSize, from: 0, nextOffset: segment.baseOffset)
    var writer = TransactionIndexWriter(disk: disk, path: index)
    var end: Int64?
    scanning: while true {
      switch try scan.next() {
      case .batch(let header, let position, let marker):
        guard header.lastOffset - segment.baseOffset <= Int64(Int32.max) else {
          end = position
          break scanning
        }
        let aborted = state.note(header, marker: marker, position: position, latestOffset: header.lastOffset)
        if let aborted {
          try writer.add(aborted)
          state.recentAborted.note(aborted)
        }
      case .end: break scanning
      case .bad(let position, _):
        end = position
        break scanning
      }
    }
    try writer.flush()
    state.active.abortedCount = writer.count
    state.active.isIndexUnsynced = writer.count > 0
    guard let end else { return false }
    return try cut(file, at: end)
  }

  /// The cut is made durable at once: otherwise what was cut off could come back behind what is appended now.
  private func cut(_ file: any DiskFile, at position: Int64) throws(StorageError) -> Bool {
    try file.truncate(to: position)
    try file.syncData()
    return true
  }

  /// A recovered segment that is not the last gets its index files again; they may never have reached the disk.
  private func saveRecoveredIndex(_ state: inout LogState, of segment: Segment) throws(StorageError) {
    guard var index = state.index, segment.size > 0 else { return }
    if let latest = segment.latest {
      index.noteTime(latest.time, relativeOffset: latest.offset - segment.baseOffset)
    }
    try save(index, of: segment.baseOffset.value)
    state.active.isIndexUnsynced = true
    state.unsyncedNames.insert(.files)
  }

  /// Reads every header of the log for the epochs: their file was missing or not to be believed.
  func rebuildEpochs(_ state: inout LogState) throws(StorageError) {
    state.epochs = LeaderEpochs()
    for segment in state.segments where segment.size > 0 {
      var walk = HeaderWalk(
        try segment.log.file(on: disk, openFiles), path: segment.log.path, from: 0, to: segment.size)
      while let (header, _) = try walk.next() {
        if state.epochs.assign(header.partitionLeaderEpoch, start: header.baseOffset) { state.areEpochsUnsaved = true }
      }
    }
  }

  /// The producers as of the log's end: the newest snapshot that can be believed, and the batches after it.
  func restoreProducers(_ state: inout LogState, _ names: [String]) throws(StorageError) {
    let known = try producers(before: state.endOffset, in: state.segments, names)
    state.producers = known.states
    state.snapshotOffset = known.snapshot
    try removeSnapshots(beyond: state.endOffset, names)
  }

  /// They would be believed once the log has grown to there anew, so that they go durably.
  func removeSnapshots(beyond end: Offset, _ names: [String]) throws(StorageError) {
    var isChanged = false
    for name in names {
      guard let file = SegmentFile.parse(name), file.kind == .producerSnapshot, file.baseOffset > end.value else {
        continue
      }
      try disk.unlink("\(directory)/\(name)")
      isChanged = true
    }
    if isChanged { try disk.syncDirectory(directory) }
  }

  /// The producers as of an offset at which a batch begins. `segments` hold all that lies before it.
  func producers(
    before end: Offset, in segments: [Segment], _ names: [String]
  ) throws(StorageError) -> (states: ProducerStates, snapshot: Offset?) {
    let offsets = names.compactMap { name -> Int64? in
      guard let file = SegmentFile.parse(name), file.kind == .producerSnapshot, file.baseOffset <= end.value else {
        return nil
      }
      return file.baseOffset
    }.sorted(by: >)
    var states = ProducerStates()
    var snapshot: Offset?
    for offset in offsets {
      let path = SegmentFile.producerSnapshot.path(in: directory, baseOffset: offset)
      // One that is too large, as Kafka may have left it, is like one that cannot be read.
      let isReadable = try disk.size(of: path).map { $0 <= ProducerSnapshot.bytesMax } ?? false
      let bytes = isReadable ? try disk.contents(of: path, limit: ProducerSnapshot.bytesMax) : nil
      if let saved = bytes.flatMap(ProducerSnapshot.decode) {
        states = saved
        snapshot = Offset(offset)
        break
      }
      try disk.unlink(path)
    }
    for (place, segment) in segments.enumerated() {
      let next = place + 1 < segments.count ? segments[place + 1].baseOffset : end
      guard next > snapshot ?? .zero else { continue }
      try replay(segment, from: snapshot ?? .zero, into: &states) { _ in }
    }
    return (states, snapshot)
  }

  /// What a segment says of producers from an offset on, and which transactions it takes back.
  func replay(
    _ segment: Segment, from: Offset, into producers: inout ProducerStates, aborted: (AbortedTransaction) -> Void
  ) throws(StorageError) {
    guard segment.size > 0 else { return }
    let file = try segment.log.file(on: disk, openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: 0, to: segment.size)
    while let (header, position) = try walk.next() {
      guard header.baseOffset >= from, header.isIdempotent else { continue }
      var marker: TransactionMarker?
      if header.attributes.isControl, header.totalBytes <= BatchScan.chunkBytes {
        let bytes = try file.bytes(at: position, count: header.totalBytes)
        marker = bytes.withUnsafeBytes { raw in (try? RecordBatch(raw)).flatMap(TransactionMarker.init) }
      }
      if let transaction = producers.note(header, marker: marker) { aborted(transaction) }
    }
  }

  /// Removes what is worthless after a crash, and finishes swaps. True when names have changed.
  func finishInterruptedWork(_ names: [String]) throws(StorageError) -> Bool {
    var hasChanged = false
    for name in names
    where name.hasSuffix(SegmentFile.cleanedSuffix) || name.hasSuffix(SegmentFile.deletedSuffix)
      || name.hasSuffix(".tmp")
    {
      try disk.unlink("\(directory)/\(name)")
      hasChanged = true
    }
    // A segment's log comes before its index of transactions, and takes that along.
    for name in names.sorted() where name.hasSuffix(SegmentFile.swapSuffix) {
      try finishSwap(name, among: names)
      hasChanged = true
    }
    return hasChanged
  }
}
