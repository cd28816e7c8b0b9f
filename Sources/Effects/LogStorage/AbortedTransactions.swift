import KafkaProtocol
import Synchronization
public import Vocabulary

extension PartitionLog {
  /// Reads as `read` does, and finds the transactions that were taken back and have records or their marker in what was
  /// read: for `bound` below the last stable offset. May read files, see `isAtTail`.
  public func readCommitted(
    from: Offset, maxBytes: Int, upTo bound: Offset, minimum: SliceMinimum
  ) throws(StorageError) -> (outcome: ReadOutcome, aborted: [AbortedTransaction]) {
    while true {
      // Compaction removes records and entries together: both must be of one time.
      let generation = state.withLock { $0.generation }
      let outcome = try read(from: from, maxBytes: maxBytes, upTo: bound, minimum: minimum)
      guard case .slice(let slice) = outcome else { return (outcome, []) }
      let aborted = try abortedTransactions(from: slice.firstBatchBaseOffset, to: min(slice.endOffset, bound))
      if state.withLock({ $0.generation == generation }) { return (outcome, aborted) }
    }
  }

  /// The transactions that were taken back and reach into a range of offsets, `end` exclusive, by their markers: those
  /// that a reader needs who begins with the range. Reads files, unless the range is at the log's end.
  public func abortedTransactions(from: Offset, to end: Offset) throws(StorageError) -> [AbortedTransaction] {
    var repaired: Set<Offset> = []
    while true {
      let search = try state.withLock { state throws(StorageError) in
        try state.checkReadable(directory)
        return AbortedSearch(state, from: from, to: end)
      }
      guard case .files(let pieces, let generation) = search else {
        if case .known(let found) = search { return found }
        return []
      }
      let outcome = find(in: pieces, from: from, to: end)
      // Of a log that has ended the files may be another's by now.
      let isSame = try state.withLock { state throws(StorageError) in
        try state.checkReadable(directory)
        return state.generation == generation
      }
      guard isSame else { continue }
      switch outcome {
      case .found(let found): return found
      case .failed(let error, let base):
        guard case .invalid = error.reason, repaired.insert(base).inserted else { throw error }
        try rebuildTransactionIndex(base)
      }
    }
  }

  private enum Found {
    case found([AbortedTransaction])
    case failed(StorageError, Offset)
  }

  private func find(in pieces: [AbortedSearch.Piece], from: Offset, to end: Offset) -> Found {
    let files = TransactionIndexFiles(disk: disk, directory: directory)
    var found: [AbortedTransaction] = []
    for piece in pieces {
      do throws(StorageError) {
        let file = try disk.open(files.path(piece.base))
        let place = try files.place(of: from, in: file, piece.base, count: piece.count)
        let mayFollow = try files.each(piece.base, count: piece.count, from: place, in: file) { entry in
          if entry.firstOffset < end { found.append(entry) }
          return entry.lastStableOffset < end
        }
        if !mayFollow { break }
      } catch {
        return .failed(error, piece.base)
      }
    }
    return .found(found)
  }

  /// The log is the truth: what cannot be its index is made anew from it.
  private func rebuildTransactionIndex(_ base: Offset) throws(StorageError) {
    try exclusively { state throws(StorageError) in
      guard let place = state.segments.firstIndex(where: { $0.baseOffset == base }) else { return }
      let opening = LogOpening(
        disk: disk, openFiles: openFiles, directory: directory, settings: state.settings, now: state.active.openedAt)
      try opening.rebuildTransactionIndex(&state, at: place, try disk.list(directory))
      state.generation += 1
    }
  }

  /// Opened before the marker is written: when there is no descriptor left, nothing has happened yet.
  func openTransactionIndex(_ state: inout LogState) throws(StorageError) -> any DiskFile {
    let files = TransactionIndexFiles(disk: disk, directory: directory)
    if state.active.abortedCount == 0 { state.unsyncedNames.insert(.files) }
    return try files.open(state.active.baseOffset, count: state.active.abortedCount)
  }

  func note(
    _ transaction: AbortedTransaction, in file: any DiskFile, _ state: inout LogState
  ) throws(StorageError) {
    let position = Int64(state.active.abortedCount * TransactionIndexFiles.entryBytes)
    try file.write(TransactionIndexFiles.encode(transaction), at: position)
    state.active.abortedCount += 1
    state.active.isIndexUnsynced = true
    state.recentAborted.note(transaction)
  }

  /// Takes the entries away whose markers are cut off, durably.
  func cutTransactionIndex(_ state: inout LogState) throws(StorageError) {
    state.recentAborted.truncate(to: state.endOffset)
    let (base, count) = (state.active.baseOffset, state.active.abortedCount)
    guard count > 0 else { return }
    let files = TransactionIndexFiles(disk: disk, directory: directory)
    let file = try disk.open(files.path(base))
    let left = try files.place(of: state.endOffset, in: file, base, count: count)
    if left == 0 {
      try disk.unlink(files.path(base))
    } else {
      if left < count { try file.truncate(to: Int64(left * TransactionIndexFiles.entryBytes)) }
      try file.syncData()
    }
    state.active.abortedCount = left
  }
}

/// Where the answer lies.
private enum AbortedSearch: Sendable {
  struct Piece: Sendable {
    let base: Offset
    let count: Int
  }
  case known([AbortedTransaction])
  case files([Piece], generation: Int)

  init(_ state: borrowing LogState, from: Offset, to end: Offset) {
    if from >= state.recentAborted.knownFrom {
      self = .known(state.recentAborted.list.filter { $0.lastOffset >= from && $0.firstOffset < end })
      return
    }
    let pieces = state.segments[state.segmentIndex(for: from)...].compactMap { segment in
      segment.abortedCount > 0 ? Piece(base: segment.baseOffset, count: segment.abortedCount) : nil
    }
    self = pieces.isEmpty ? .known([]) : .files(pieces, generation: state.generation)
  }
}

extension LogState {
  /// Whether the transactions that were taken back at or after an offset are known without a look at the disk.
  func knowsAborted(from offset: Offset) -> Bool {
    if offset >= recentAborted.knownFrom { return true }
    return segments[segmentIndex(for: offset)...].allSatisfy { $0.abortedCount == 0 }
  }
}

extension LogOpening {
  /// How many transactions of each segment were taken back, as the files say that a crash may not have touched. Those
  /// that cannot be true are written anew.
  func readTransactionIndexes(_ state: inout LogState, _ names: [String]) throws(StorageError) {
    let files = TransactionIndexFiles(disk: disk, directory: directory)
    // Most logs have none, and many logs are opened at a start.
    let bases = names.filter { $0.hasSuffix(TransactionIndexFiles.suffix) }.compactMap {
      SegmentFile.parse($0)?.baseOffset
    }
    for base in bases.map({ Offset($0) }) {
      guard let place = state.segments.firstIndex(where: { $0.baseOffset == base }) else { continue }
      let end = place + 1 < state.segments.count ? state.segments[place + 1].baseOffset : state.endOffset
      if let count = try files.count(base, end: end) {
        state.segments[place].abortedCount = count
        if count == 0 { try disk.unlink(files.path(base)) }
      } else {
        try rebuildTransactionIndex(&state, at: place, names)
      }
    }
  }

  /// A crash may keep an index whose segment it has lost, or bring one back, and the
  /// next segment of that name would get it.
  func removeStrayTransactionIndexes(_ names: [String], _ segments: [Segment]) throws(StorageError) {
    for name in names where name.hasSuffix(TransactionIndexFiles.suffix) {
      guard let file = SegmentFile.parse(name), !segments.contains(where: { $0.baseOffset.value == file.baseOffset })
      else { continue }
      try disk.unlink("\(directory)/\(name)")
    }
  }

  /// Reads the headers of a segment, and of as many before it as it takes to know which transactions were open.
  func rebuildTransactionIndex(
    _ state: inout LogState, at place: Int, _ names: [String]
  ) throws(StorageError) {
    let segment = state.segments[place]
    let files = TransactionIndexFiles(disk: disk, directory: directory)
    try disk.unlink(files.path(segment.baseOffset))
    var producers = try producers(before: segment.baseOffset, in: Array(state.segments[..<place]), names).states
    var writer = TransactionIndexWriter(disk: disk, path: files.path(segment.baseOffset))
    var failure: StorageError?
    try replay(segment, from: segment.baseOffset, into: &producers) { aborted in
      do throws(StorageError) { try writer.add(aborted) } catch { failure = error }
    }
    if let failure { throw failure }
    try writer.flush()
    state.segments[place].abortedCount = writer.count
    state.segments[place].isIndexUnsynced = true
    state.unsyncedNames.insert(.files)
  }
}
