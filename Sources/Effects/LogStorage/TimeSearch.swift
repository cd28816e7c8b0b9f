import KafkaProtocol
import RecordCompression
import Synchronization
public import Vocabulary

/// A record found by its time (ListOffsets).
public struct TimedOffset: Hashable, Sendable {
  public let timestamp: Timestamp
  public let offset: Offset
  public let leaderEpoch: LeaderEpoch
}

extension PartitionLog {
  /// The first record whose timestamp is `time` or later; nil when there is none. Reads files: for a blocking pool.
  public func offset(forTimestamp time: Timestamp) throws(StorageError) -> TimedOffset? {
    try whileUnchanged { () throws(StorageError) in try search(forTimestamp: time) }
  }

  /// The record with the largest timestamp, the first of several (KIP-734); nil for an empty log.
  public func offsetOfMaxTimestamp() throws(StorageError) -> TimedOffset? {
    try whileUnchanged { () throws(StorageError) in try searchMaxTimestamp() }
  }

  /// A search that fails because a segment was removed or replaced meanwhile is made anew.
  private func whileUnchanged(
    _ search: () throws(StorageError) -> TimedOffset?
  ) throws(StorageError) -> TimedOffset? {
    while true {
      let generation = state.withLock { $0.generation }
      do throws(StorageError) {
        return try search()
      } catch {
        let isSame = state.withLock { $0.generation == generation }
        if isSame { throw error }
      }
    }
  }

  private func search(forTimestamp time: Timestamp) throws(StorageError) -> TimedOffset? {
    let (segments, start, index) = try snapshotForSearch()
    for segment in segments where segment.size > 0 {
      guard let latest = try knownLatest(of: segment), latest.time >= time else { continue }
      let isActive = segment.log === segments[segments.count - 1].log
      let position = try startPosition(for: time, in: segment, isActive ? index : nil)
      if let found = try search(segment, from: position, start: start, where: { $0 >= time }) { return found }
      // The latest time says that there is one, unless it lies below the log's start: then the index lied.
      if position > 0, let found = try search(segment, from: 0, start: start, where: { $0 >= time }) { return found }
    }
    return nil
  }

  private func searchMaxTimestamp() throws(StorageError) -> TimedOffset? {
    let (segments, start, _) = try snapshotForSearch()
    var best: (segment: Segment, time: Timestamp)?
    for segment in segments where segment.size > 0 {
      guard let latest = try knownLatest(of: segment) else { continue }
      if best.map({ latest.time > $0.time }) ?? true { best = (segment, latest.time) }
    }
    guard let best else { return nil }
    return try search(best.segment, from: 0, start: start, where: { $0 >= best.time })
  }

  private func snapshotForSearch() throws(StorageError) -> ([Segment], Offset, SegmentIndex?) {
    try state.withLock { state throws(StorageError) in
      try state.checkReadable(directory)
      return (state.segments, state.startOffset, state.index)
    }
  }

  private func knownLatest(of segment: Segment) throws(StorageError) -> (time: Timestamp, offset: Offset)? {
    if let latest = segment.latest { return latest }
    let latest = try latestTime(of: segment)
    if let latest { remember(latest, of: segment) }
    return latest
  }

  /// From the time index's last entry; from the headers where that is missing.
  func latestTime(of segment: Segment) throws(StorageError) -> (time: Timestamp, offset: Offset)? {
    let isActive = state.withLock { $0.active.log === segment.log }
    let file = try segment.log.file(on: disk, openFiles)
    if !isActive, let latest = try IndexFiles(disk: disk, directory: directory).latest(of: segment, in: file) {
      return latest
    }
    return try walkLatest(of: segment)
  }

  func walkLatest(of segment: Segment) throws(StorageError) -> (time: Timestamp, offset: Offset)? {
    let file = try segment.log.file(on: disk, openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: 0, to: segment.size)
    var latest: (time: Timestamp, offset: Offset)?
    while let (header, _) = try walk.next() {
      if latest.map({ header.maxTimestamp > $0.time }) ?? true { latest = (header.maxTimestamp, header.lastOffset) }
    }
    return latest
  }

  private func startPosition(
    for time: Timestamp, in segment: Segment, _ known: SegmentIndex?
  ) throws(StorageError) -> Int64 {
    var index = known
    if index == nil {
      index = try IndexFiles(disk: disk, directory: directory).load(
        base: segment.baseOffset, segmentSize: segment.size)
    }
    guard let index else { return 0 }
    let position = index.floor(relativeOffset: Int64(index.floor(timestamp: time.milliseconds)))
    let file = try segment.log.file(on: disk, openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: position, to: segment.size)
    // An index that lies leads to no batch, or to one that is late already: then the segment's start will do.
    guard let first = try? walk.next(), first.header.maxTimestamp < time else { return 0 }
    return position
  }

  private func search(
    _ segment: Segment, from position: Int64, start: Offset, where matches: (Timestamp) -> Bool
  ) throws(StorageError) -> TimedOffset? {
    let file = try segment.log.file(on: disk, openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: position, to: segment.size)
    while let (header, place) = try walk.next() {
      guard header.lastOffset >= start, matches(header.maxTimestamp) else { continue }
      let bytes = try file.bytes(at: place, count: header.totalBytes)
      if let found = Self.firstRecord(in: bytes, start: start, where: matches) { return found }
    }
    return nil
  }

  /// Where a body cannot be decompressed within the limit, the batch's base offset is the best answer there is.
  private static func firstRecord(
    in bytes: [UInt8], start: Offset, where matches: (Timestamp) -> Bool
  ) -> TimedOffset? {
    bytes.withUnsafeBytes { raw in
      guard let batch = try? RecordBatch(raw) else { return nil }
      let header = batch.header
      func answer(_ time: Timestamp, _ offset: Offset) -> TimedOffset {
        TimedOffset(timestamp: time, offset: offset, leaderEpoch: header.partitionLeaderEpoch)
      }
      guard let body = try? DecodedBody(batch, limit: DecodedBody.searchBytesMax) else {
        return answer(header.maxTimestamp, max(start, header.baseOffset))
      }
      return body.withRecords(of: header) { records in
        while let record = try? records.next() {
          if record.offset >= start, matches(record.timestamp) { return answer(record.timestamp, record.offset) }
        }
        return nil
      }
    }
  }
}
