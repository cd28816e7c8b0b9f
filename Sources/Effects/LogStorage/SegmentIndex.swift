import Vocabulary

/// Where some batches of a segment lie: one entry per `index.interval.bytes`, so that a search reads
/// little. It is a hint: whoever follows an entry reads the batch there and believes that alone.
///
/// The active segment's entries live in memory and go to the `.index` and `.timeindex` files when the
/// segment is rolled or the log is closed cleanly. After a crash the active segment is read again
/// anyway, and gives the same entries; writing them one by one would only dirty more pages.
struct SegmentIndex: Sendable {
  /// Kafka's `.index`: a batch's last offset, relative to the segment, and where the batch begins.
  struct Entry: Sendable, Equatable {
    var relativeOffset: UInt32
    var position: UInt32
    static let byteCount = 8
  }
  /// Kafka's `.timeindex`: the largest timestamp so far, and the offset that has it.
  struct TimeEntry: Sendable, Equatable {
    var timestamp: Int64
    var relativeOffset: UInt32
    static let byteCount = 12
  }
  var entries: [Entry] = []
  var times: [TimeEntry] = []
  var bytesSinceEntry = 0

  /// Where to start looking for `relativeOffset`: the batch there has no larger offset.
  func floor(relativeOffset: Int64) -> Int64 {
    Int64(Self.last(in: entries) { Int64($0.relativeOffset) <= relativeOffset }?.position ?? 0)
  }

  /// A batch's start at or before `position`.
  func floor(position: Int64) -> Int64 {
    Int64(Self.last(in: entries) { Int64($0.position) <= position }?.position ?? 0)
  }

  /// The last entry before which no record is as late as `timestamp`.
  func floor(timestamp: Int64) -> UInt32 {
    Self.last(in: times) { $0.timestamp < timestamp }?.relativeOffset ?? 0
  }

  private static func last<T>(in list: [T], where holds: (T) -> Bool) -> T? {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if holds(list[middle]) { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : list[low - 1]
  }

  /// Notes a batch that was appended at `position`.
  mutating func note(
    lastRelativeOffset: Int64, position: Int64, bytes: Int, interval: Int, maxTimestamp: Timestamp,
    maxTimestampRelativeOffset: Int64
  ) {
    if bytesSinceEntry > interval, let offset = UInt32(exactly: lastRelativeOffset),
      let place = UInt32(exactly: position)
    {
      entries.append(Entry(relativeOffset: offset, position: place))
      noteTime(maxTimestamp, relativeOffset: maxTimestampRelativeOffset)
      bytesSinceEntry = 0
    }
    bytesSinceEntry += bytes
  }

  mutating func noteTime(_ time: Timestamp, relativeOffset: Int64) {
    guard time.milliseconds >= 0, time.milliseconds > times.last?.timestamp ?? -1,
      let offset = UInt32(exactly: relativeOffset)
    else { return }
    times.append(TimeEntry(timestamp: time.milliseconds, relativeOffset: offset))
  }

  mutating func truncate(toPosition position: Int64, relativeOffset: Int64) {
    while let last = entries.last, Int64(last.position) >= position { entries.removeLast() }
    while let last = times.last, Int64(last.relativeOffset) >= relativeOffset { times.removeLast() }
  }
}

extension SegmentIndex {
  var offsetFileBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entries.count * Entry.byteCount)
    for entry in entries {
      bytes.appendBigEndian(entry.relativeOffset)
      bytes.appendBigEndian(entry.position)
    }
    return bytes
  }

  var timeFileBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(times.count * TimeEntry.byteCount)
    for entry in times {
      bytes.appendBigEndian(UInt64(bitPattern: entry.timestamp))
      bytes.appendBigEndian(entry.relativeOffset)
    }
    return bytes
  }

  /// Nil where the bytes cannot be an index of a segment of `segmentSize` bytes: sizes, order and bounds.
  init?(offsetFile: [UInt8], timeFile: [UInt8], segmentSize: Int64) {
    guard offsetFile.count % Entry.byteCount == 0, timeFile.count % TimeEntry.byteCount == 0 else { return nil }
    var previous: Entry?
    for start in stride(from: 0, to: offsetFile.count, by: Entry.byteCount) {
      let entry = Entry(
        relativeOffset: offsetFile.bigEndian32(at: start), position: offsetFile.bigEndian32(at: start + 4))
      guard Int64(entry.position) < segmentSize else { return nil }
      if let previous {
        guard entry.relativeOffset > previous.relativeOffset, entry.position > previous.position else { return nil }
      }
      entries.append(entry)
      previous = entry
    }
    for start in stride(from: 0, to: timeFile.count, by: TimeEntry.byteCount) {
      let time = Int64(offsetFile: timeFile, at: start)
      let entry = TimeEntry(timestamp: time, relativeOffset: timeFile.bigEndian32(at: start + 8))
      if let last = times.last {
        guard entry.timestamp >= last.timestamp, entry.relativeOffset >= last.relativeOffset else { return nil }
      }
      times.append(entry)
    }
  }
}

extension Int64 {
  fileprivate init(offsetFile bytes: [UInt8], at start: Int) {
    let high = UInt64(bytes.bigEndian32(at: start))
    self.init(bitPattern: high << 32 | UInt64(bytes.bigEndian32(at: start + 4)))
  }
}

extension [UInt8] {
  mutating func appendBigEndian<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }
  /// The caller has made sure that four bytes are there.
  func bigEndian32(at start: Int) -> UInt32 {
    UInt32(self[start]) << 24 | UInt32(self[start + 1]) << 16 | UInt32(self[start + 2]) << 8 | UInt32(self[start + 3])
  }
}
