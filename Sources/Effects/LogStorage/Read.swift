import KafkaProtocol
import Synchronization
public import Vocabulary

/// Whole batches as they lie in a segment file, for sendfile.
///
/// The file stays readable for as long as the slice is held, even when its segment is removed meanwhile.
public struct LogSlice: Sendable {
  public let file: any DiskFile
  public let position: Int64
  public let count: Int
  /// At most the offset asked for, or the next one that exists.
  public let firstBatchBaseOffset: Offset
  /// Above every record in it; at most the bound that was asked for.
  public let endOffset: Offset
  /// The base offset of the segment that it lies in.
  public let segmentBaseOffset: Offset

  /// The bytes, copied: for TLS, for tests and for tools.
  public func bytes() throws(StorageError) -> [UInt8] { try file.bytes(at: position, count: count) }
}

public enum ReadOutcome: Sendable {
  /// Below the log's start or above its end.
  case outOfRange
  case empty
  case slice(LogSlice)
}

/// Whether a reader gets a batch that is larger than it asked for (KIP-74).
public enum SliceMinimum: Sendable {
  case nothing
  case oneBatch
}

extension PartitionLog {
  /// Finds the batches from the one that holds `from`, up to `maxBytes`, that lie wholly below `bound` (the
  /// high watermark for consumers, the log's end for followers).
  ///
  /// At the log's end the place is known in memory (see `isAtTail`). Elsewhere the index is searched and headers
  /// are read, which may block.
  public func read(
    from: Offset, maxBytes: Int, upTo bound: Offset, minimum: SliceMinimum
  ) throws(StorageError) -> ReadOutcome {
    var from = from
    while true {
      let step = try state.withLock { state throws(StorageError) in
        try state.checkReadable(directory)
        return try plan(from, maxBytes, bound, minimum, &state)
      }
      switch step {
      case .done(let outcome): return outcome
      case .search(let search):
        let found = try run(search)
        // The index of a compacted segment has its predecessor's name: a search that ran while they changed places may
        // have looked places up in one of them and batches in the other.
        let isSame = state.withLock { state in
          guard state.generation == search.generation else { return false }
          if case .found(_, let end?) = found { state.noteReadEnd(end, in: search.segmentBase) }
          return true
        }
        guard isSame else { continue }
        switch found {
        case .again: continue
        case .found(let slice, _): return .slice(slice)
        case .nothing: return .empty
        case .continueAt(let next):
          guard next > from, next < search.bound else { return .empty }
          from = next
        }
      }
    }
  }

  /// Whether a read from `offset` finds its place in memory: then it never blocks on the disk. With `committedOnly` it
  /// is about `readCommitted`.
  public func isAtTail(_ offset: Offset, committedOnly: Bool = false) -> Bool {
    state.withLock { state in
      if offset >= state.endOffset { return true }
      guard let oldest = state.tail.oldest, oldest.offset <= offset.value else { return false }
      return !committedOnly || state.knowsAborted(from: Offset(oldest.offset))
    }
  }

  /// A search that fails because its segment was removed or replaced meanwhile is made anew.
  private func run(_ search: SliceSearch) throws(StorageError) -> SliceSearch.Outcome {
    do throws(StorageError) {
      return try search.run()
    } catch {
      let hasChanged = state.withLock { $0.generation != search.generation }
      if hasChanged { return .again }
      throw error
    }
  }

  private enum Plan: Sendable {
    case done(ReadOutcome)
    case search(SliceSearch)
  }

  private func plan(
    _ from: Offset, _ maxBytes: Int, _ bound: Offset, _ minimum: SliceMinimum, _ state: inout LogState
  ) throws(StorageError) -> Plan {
    guard from >= state.startOffset, from <= state.endOffset else { return .done(.outOfRange) }
    let bound = min(bound, state.endOffset)
    guard from < bound else { return .done(.empty) }
    let place = state.segmentIndex(for: from)
    let segment = state.segments[place]
    let isActive = place == state.segments.count - 1
    let nextSegment = isActive ? nil : state.segments[place + 1].baseOffset
    if isActive, let outcome = try readTail(from, maxBytes, bound, minimum, state) { return .done(outcome) }
    if isActive { try loadIndex(&state) }
    var search = SliceSearch(
      disk: disk, openFiles: openFiles, directory: directory, segment: segment, nextSegment: nextSegment, from: from,
      bound: bound, maxBytes: max(0, maxBytes), minimum: minimum, generation: state.generation)
    if isActive, let index = state.index {
      let start = index.floor(relativeOffset: from - segment.baseOffset)
      search.floors = .init(
        start: start, bound: index.floor(relativeOffset: bound - segment.baseOffset),
        end: index.floor(position: start + Int64(search.maxBytes)))
    }
    search.knownStart = state.readEnds.last { $0.segment == segment.baseOffset && $0.mark.offset == from.value }?.mark
    return .search(search)
  }

  /// Answers from memory where the last batches' places suffice; nil where they do not.
  private func readTail(
    _ from: Offset, _ maxBytes: Int, _ bound: Offset, _ minimum: SliceMinimum, _ state: LogState
  ) throws(StorageError) -> ReadOutcome? {
    guard let oldest = state.tail.oldest, oldest.offset <= from.value,
      let start = state.tail.last(where: { $0.offset <= from.value })
    else { return nil }
    var limit = state.active.size
    if bound < state.endOffset {
      // A batch that the bound cuts in two stays out.
      let last = state.tail.last { $0.next <= bound.value }
      limit = last.flatMap { state.tail.first(after: $0.position)?.position } ?? start.position
    }
    guard limit > start.position else { return .empty }
    var end = limit
    if end - start.position > Int64(maxBytes) {
      end = state.tail.last { $0.position <= start.position + Int64(maxBytes) }?.position ?? start.position
      if end <= start.position {
        guard minimum == .oneBatch else { return .empty }
        end = state.tail.first(after: start.position)?.position ?? limit
      }
    }
    let file = try state.active.log.file(on: disk, openFiles)
    let next = state.tail.first(after: end - 1)?.offset ?? state.endOffset.value
    return .slice(
      LogSlice(
        file: file, position: start.position, count: Int(end - start.position),
        firstBatchBaseOffset: Offset(start.offset), endOffset: min(bound, Offset(next)),
        segmentBaseOffset: state.active.baseOffset))
  }

  /// Brings the active segment's index into memory after a clean start.
  func loadIndex(_ state: inout LogState) throws(StorageError) {
    guard state.index == nil else { return }
    let active = state.active
    let files = IndexFiles(disk: disk, directory: directory)
    if let index = try files.load(base: active.baseOffset, segmentSize: active.size) {
      state.index = index
    } else {
      state.index = try rebuildIndex(of: active, interval: state.settings.indexInterval.value)
    }
  }

  /// Reads the headers of a whole segment.
  func rebuildIndex(of segment: Segment, interval: Int) throws(StorageError) -> SegmentIndex {
    var index = SegmentIndex()
    guard segment.size > 0 else { return index }
    let file = try segment.log.file(on: disk, openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: 0, to: segment.size)
    var latest = (time: Timestamp.none, offset: segment.baseOffset)
    while let (header, position) = try walk.next() {
      if header.maxTimestamp > latest.time { latest = (header.maxTimestamp, header.lastOffset) }
      index.note(
        lastRelativeOffset: header.lastOffset - segment.baseOffset, position: position, bytes: header.totalBytes,
        interval: interval, maxTimestamp: latest.time, maxTimestampRelativeOffset: latest.offset - segment.baseOffset)
    }
    return index
  }
}
