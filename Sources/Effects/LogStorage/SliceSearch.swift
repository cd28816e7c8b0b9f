import KafkaProtocol
import Vocabulary

/// A search for whole batches in one segment, away from the partition's lock: what it looks at does not
/// change while the file is held, or the generation tells that it did.
struct SliceSearch: Sendable {
  let disk: any Disk
  let openFiles: OpenFiles
  let directory: String
  let segment: Segment
  /// Where the following segment begins; nil for the active one.
  let nextSegment: Offset?
  let from: Offset
  let bound: Offset
  let maxBytes: Int
  let minimum: SliceMinimum
  let generation: Int
  /// From the index in memory; otherwise the index file is searched.
  var floors: Floors?
  /// A batch that begins with `from`, where an earlier read ended.
  var knownStart: BatchMark?

  var segmentBase: Offset { segment.baseOffset }

  /// Places from which to walk: batch starts at or before what is looked for.
  struct Floors: Sendable {
    var start: Int64
    var bound: Int64
    var end: Int64
  }

  enum Outcome {
    case found(LogSlice, end: BatchMark?)
    case nothing
    /// The segment is gone.
    case again
    /// Nothing of interest in this segment, after compaction.
    case continueAt(Offset)
  }

  func run() throws(StorageError) -> Outcome {
    let file = try segment.log.file(on: disk, openFiles)
    let floors = if let floors = self.floors { floors } else { try searchFile() }
    do throws(StorageError) {
      return try run(file, floors)
    } catch {
      // An index that lies sends the walk astray; the segment's start never does.
      if floors.start == 0, floors.bound == 0, floors.end == 0 { throw error }
      return try run(file, Floors(start: 0, bound: 0, end: 0))
    }
  }

  private func searchFile() throws(StorageError) -> Floors {
    let index = IndexFiles(disk: disk, directory: directory)
    guard let search = try index.openOffsetIndex(base: segment.baseOffset, segmentSize: segment.size) else {
      return Floors(start: 0, bound: 0, end: 0)
    }
    let found = try search.floor(relativeOffset: from - segment.baseOffset)
    let start = knownStart?.position ?? found
    let reachesEnd = nextSegment.map { $0 <= bound } ?? false
    return Floors(
      start: start,
      bound: reachesEnd ? segment.size : try search.floor(relativeOffset: bound - segment.baseOffset),
      end: try search.floor(position: start + Int64(maxBytes)))
  }

  private func run(_ file: any DiskFile, _ floors: Floors) throws(StorageError) -> Outcome {
    guard let start = try findStart(file, from: floors.start) else {
      return nextSegment.map(Outcome.continueAt) ?? .nothing
    }
    guard start.header.nextOffset <= bound else { return .nothing }
    let firstEnd = start.position + Int64(start.header.totalBytes)
    let farthest = start.position + Int64(maxBytes)
    if firstEnd > farthest, minimum == .nothing { return .nothing }
    var end = BatchMark(offset: start.header.nextOffset.value, position: firstEnd)
    var endOffset = start.header.nextOffset
    if firstEnd < farthest {
      (end, endOffset) = try findEnd(
        file, after: end, from: max(firstEnd, min(floors.end, floors.bound)), farthest: farthest)
    }
    let slice = LogSlice(
      file: file, position: start.position, count: Int(end.position - start.position),
      firstBatchBaseOffset: start.header.baseOffset, endOffset: min(bound, endOffset),
      segmentBaseOffset: segment.baseOffset)
    return .found(slice, end: end.offset >= 0 ? end : nil)
  }

  private var lie: StorageError {
    StorageError(.read, segment.log.path, .invalid("its index leads to a batch that is too far"))
  }

  /// The first batch that has a record at or after `from`.
  ///
  /// Compaction leaves batches without records, for the sake of their producers' sequence numbers. A reader that gets
  /// nothing else takes it for a batch that is cut off: librdkafka asks for twice as much, and gives up after ten times.
  private func findStart(
    _ file: any DiskFile, from position: Int64
  ) throws(StorageError) -> (header: RecordBatchHeader, position: Int64)? {
    var walk = HeaderWalk(file, path: segment.log.path, from: knownStart?.position ?? position, to: segment.size)
    while let found = try walk.next() {
      // An entry of the index never leads beyond what it was asked for, unless it lies.
      if knownStart == nil, position > 0, found.position == position, found.header.lastOffset > from { throw lie }
      if found.header.lastOffset >= from, found.header.recordsCount > 0 { return found }
    }
    return nil
  }

  /// The end of the last batch that ends by `farthest` and lies below the bound, and an offset that lies above all
  /// batches up to there.
  private func findEnd(
    _ file: any DiskFile, after first: BatchMark, from position: Int64, farthest: Int64
  ) throws(StorageError) -> (BatchMark, Offset) {
    if segment.size <= farthest, let nextSegment, nextSegment <= bound {
      return (BatchMark(offset: -1, position: segment.size), nextSegment)
    }
    var end = position == first.position ? first : BatchMark(offset: -1, position: position)
    var walk = HeaderWalk(file, path: segment.log.path, from: position, to: segment.size)
    while let (header, start) = try walk.next() {
      let finish = start + Int64(header.totalBytes)
      if start == position, position > first.position, header.baseOffset > bound { throw lie }
      guard header.nextOffset <= bound, finish <= farthest else { return (end, header.baseOffset) }
      end = BatchMark(offset: header.nextOffset.value, position: finish)
    }
    return (end, end.offset >= 0 ? Offset(end.offset) : bound)
  }
}
