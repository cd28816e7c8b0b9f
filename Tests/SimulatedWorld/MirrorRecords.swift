import Vocabulary

/// What was written of topics that are compacted: each side makes batches anew, and leaves out what a later record with the
/// same key replaces. The records themselves are the same wherever they are.
struct MirrorRecords: Sendable {
  private struct Slot: Hashable, Sendable {
    let log: MirrorLedger.Log
    let epoch: Int32
    let offset: Int64
  }
  private var written: [Slot: UInt64] = [:]
  /// What was written at an offset last.
  private var values: [MirrorLedger.Log: [Int64: UInt64]] = [:]
  /// Where the last record of each key is.
  private var last: [MirrorLedger.Log: [UInt64: Int64]] = [:]

  static func key(of value: UInt64) -> UInt64 { value % MirrorSimulation.keys }

  mutating func wrote(_ batch: WrittenBatch, _ records: [Int64: UInt64], _ log: MirrorLedger.Log) -> String? {
    for (offset, value) in records.sorted(by: { $0.key < $1.key }) {
      let slot = Slot(log: log, epoch: batch.epoch, offset: offset)
      if let other = written[slot], other != value {
        return "\(log.place): offset \(offset) was \(other) and is \(value), both of epoch \(batch.epoch)"
      }
      written[slot] = value
      values[log, default: [:]][offset] = value
      let key = Self.key(of: value)
      last[log, default: [:]][key] = max(offset, last[log]?[key] ?? offset)
    }
    return nil
  }

  /// The offsets that no later record replaces: who leaves them out leaves out something. From the first to the last.
  func unreplaced(_ offsets: Range<Int64>, without present: [Int64: UInt64], _ log: MirrorLedger.Log) -> Range<Int64>? {
    let lost = offsets.filter { offset in
      guard present[offset] == nil, let value = values[log]?[offset] else { return false }
      return last[log]?[Self.key(of: value)] == offset
    }
    guard let first = lost.first, let end = lost.last else { return nil }
    return first..<end + 1
  }
}

extension MirrorSimulation {
  /// Both sides have the last record of each key, and what either has besides is the same.
  func checkRecords(
    _ place: TopicPartition, _ contents: [(side: MirrorSide, contents: MirrorContents)], from start: Int64
  ) {
    guard contents.count == 2 else { return }
    for (one, other) in [(contents[0], contents[1]), (contents[1], contents[0])] {
      for (offset, value) in one.contents.records.sorted(by: { $0.key < $1.key }) where offset >= start {
        if let there = other.contents.records[offset] {
          if there != value {
            stage.fail("\(place): offset \(offset) is \(value) in the \(one.side) and \(there) in the \(other.side)")
          }
        } else if !other.contents.replaces(value, at: offset) {
          stage.fail("\(place): the \(other.side) has neither \(value) of offset \(offset) nor what replaces it")
        }
      }
    }
  }
}

extension MirrorContents {
  /// Whether a later record has the same key.
  func replaces(_ value: UInt64, at offset: Int64) -> Bool {
    records.contains { $0.key > offset && MirrorRecords.key(of: $0.value) == MirrorRecords.key(of: value) }
  }
}
