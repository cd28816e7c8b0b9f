import KafkaProtocol
import Vocabulary

/// The `.index` and `.timeindex` files of a partition's segments. Whatever cannot be read is treated as
/// if it were not there: the log can always be walked instead.
struct IndexFiles: Sendable {
  let disk: any Disk
  let directory: String

  /// Both files, or nil where one is missing or cannot be true.
  func load(base: Offset, segmentSize: Int64) throws(StorageError) -> SegmentIndex? {
    if segmentSize == 0 { return SegmentIndex() }
    let limit = 64 << 20
    guard
      let offsets = try disk.contents(
        of: SegmentFile.offsetIndex.path(in: directory, baseOffset: base.value), limit: limit),
      let times = try disk.contents(of: SegmentFile.timeIndex.path(in: directory, baseOffset: base.value), limit: limit)
    else { return nil }
    return SegmentIndex(offsetFile: offsets, timeFile: times, segmentSize: segmentSize)
  }

  func openOffsetIndex(base: Offset, segmentSize: Int64) throws(StorageError) -> OffsetIndexFile? {
    let path = SegmentFile.offsetIndex.path(in: directory, baseOffset: base.value)
    guard let size = try disk.size(of: path), size > 0, size % Int64(SegmentIndex.Entry.byteCount) == 0,
      let file = try disk.openIfPresent(path)
    else { return nil }
    return OffsetIndexFile(file: file, count: Int(size) / SegmentIndex.Entry.byteCount, segmentSize: segmentSize)
  }

  /// The last entry of the time index: the segment's largest timestamp.
  func lastTime(base: Offset) throws(StorageError) -> SegmentIndex.TimeEntry? {
    let path = SegmentFile.timeIndex.path(in: directory, baseOffset: base.value)
    let entryBytes = Int64(SegmentIndex.TimeEntry.byteCount)
    guard let size = try disk.size(of: path), size >= entryBytes, size % entryBytes == 0,
      let file = try disk.openIfPresent(path)
    else { return nil }
    let bytes = try file.bytes(at: size - entryBytes, count: Int(entryBytes))
    guard bytes.count == Int(entryBytes) else { return nil }
    let time = Int64(bitPattern: UInt64(bytes.bigEndian32(at: 0)) << 32 | UInt64(bytes.bigEndian32(at: 4)))
    return SegmentIndex.TimeEntry(timestamp: time, relativeOffset: bytes.bigEndian32(at: 8))
  }

  /// The largest timestamp of a segment as its time index says, if the batch that it names has that time.
  func latest(of segment: Segment, in file: any DiskFile) throws(StorageError) -> (time: Timestamp, offset: Offset)? {
    guard let entry = try lastTime(base: segment.baseOffset) else { return nil }
    let offset = segment.baseOffset + Int64(entry.relativeOffset)
    let search = try openOffsetIndex(base: segment.baseOffset, segmentSize: segment.size)
    let start = try search?.floor(relativeOffset: Int64(entry.relativeOffset)) ?? 0
    var walk = HeaderWalk(file, path: segment.log.path, from: start, to: segment.size)
    do throws(StorageError) {
      while let (header, _) = try walk.next(), header.baseOffset <= offset {
        guard header.lastOffset == offset else { continue }
        return header.maxTimestamp.milliseconds == entry.timestamp ? (header.maxTimestamp, offset) : nil
      }
      return nil
    } catch {
      guard case .invalid = error.reason else { throw error }
      return nil
    }
  }

  /// The last entry of the offset index.
  func lastEntry(base: Offset, segmentSize: Int64) throws(StorageError) -> SegmentIndex.Entry? {
    guard let file = try openOffsetIndex(base: base, segmentSize: segmentSize) else { return nil }
    return try file.entry(file.count - 1)
  }
}

/// A binary search in an index file.
struct OffsetIndexFile {
  let file: any DiskFile
  let count: Int
  let segmentSize: Int64

  func entry(_ number: Int) throws(StorageError) -> SegmentIndex.Entry? {
    let bytes = try file.bytes(
      at: Int64(number * SegmentIndex.Entry.byteCount), count: SegmentIndex.Entry.byteCount)
    guard bytes.count == SegmentIndex.Entry.byteCount else { return nil }
    return SegmentIndex.Entry(relativeOffset: bytes.bigEndian32(at: 0), position: bytes.bigEndian32(at: 4))
  }

  func floor(relativeOffset: Int64) throws(StorageError) -> Int64 {
    try floor { Int64($0.relativeOffset) <= relativeOffset }
  }

  func floor(position: Int64) throws(StorageError) -> Int64 {
    try floor { Int64($0.position) <= position }
  }

  private func floor(where holds: (SegmentIndex.Entry) -> Bool) throws(StorageError) -> Int64 {
    var low = 0
    var high = count
    var best: Int64 = 0
    while low < high {
      let middle = (low + high) / 2
      guard let entry = try entry(middle) else { return 0 }
      if holds(entry) {
        best = Int64(entry.position)
        low = middle + 1
      } else {
        high = middle
      }
    }
    return best < segmentSize ? best : 0
  }
}
