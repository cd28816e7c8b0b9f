import KafkaProtocol
import Vocabulary

/// One of the two clusters.
package enum MirrorSide: Int, Sendable, CaseIterable, CustomStringConvertible {
  case north, south
  var other: Self { self == .north ? .south : .north }
  package var description: String { self == .north ? "north" : "south" }
  /// What copies from the other side here.
  var mirror: String { "from-\(other)" }
}

/// A batch, by what cannot be the same for two.
struct WrittenBatch: Hashable, Sendable, CustomStringConvertible {
  let base: Int64
  let next: Int64
  let epoch: Int32
  let crc: UInt32
  init(_ header: RecordBatchHeader) {
    base = header.baseOffset.value
    next = header.nextOffset.value
    epoch = header.partitionLeaderEpoch.value
    crc = header.crc
  }
  var description: String { "offsets \(base) to \(next - 1) of epoch \(epoch)" }

  static func all(in bytes: UnsafeRawBufferPointer) -> [WrittenBatch] {
    var cursor = RecordBatchCursor(bytes)
    var found: [WrittenBatch] = []
    while let batch = try? cursor.next() { found.append(WrittenBatch(batch.header)) }
    return found
  }

  /// The values of all records, by their offsets.
  static func values(in bytes: UnsafeRawBufferPointer) -> [Int64: UInt64] {
    var cursor = RecordBatchCursor(bytes)
    var found: [Int64: UInt64] = [:]
    while let batch = try? cursor.next() {
      var records = RecordCursor(body: batch.body, header: batch.header)
      while let record = try? records.next() {
        guard let value = record.value else { continue }
        found[record.offset.value] = UInt64(String(decoding: value, as: UTF8.self))
      }
    }
    return found
  }
}

/// What was written where in both clusters, and what of it was ever committed. It sees all disks, and so more than any
/// client or any broker.
struct MirrorLedger: Sendable {
  /// A partition of one topic, wherever it lies.
  struct Log: Hashable, Sendable {
    let place: TopicPartition
    let topic: UniqueID
  }
  private struct Slot: Hashable, Sendable {
    let log: Log
    let epoch: Int32
    let base: Int64
  }
  struct Spot: Hashable, Sendable {
    let side: MirrorSide
    let place: TopicPartition
    /// Another topic of the same name is another one.
    let topic: UniqueID
    var log: Log { Log(place: place, topic: topic) }
    var opposite: Spot { Spot(side: side.other, place: place, topic: topic) }
  }
  struct Gap: Sendable {
    let spot: Spot
    let range: Range<Int64>
    /// Nothing was there before it.
    let isFirst: Bool
    /// Where the first batch behind it ends: the source may begin in the middle of it.
    let nextEnd: Int64
    /// What may have been left out, at most.
    var widest: Range<Int64> { range.lowerBound..<nextEnd }
  }

  /// An epoch has one leader, who writes one batch at an offset: whoever has it has these bytes.
  private var written: [Slot: WrittenBatch] = [:]
  private(set) var committed: [Spot: Set<WrittenBatch>] = [:]
  /// Up to where a cluster has ever had everything.
  private(set) var covered: [Spot: Int64] = [:]
  /// What was passed over, and not looked into yet.
  private(set) var newGaps: [Gap] = []
  private(set) var gaps: [Gap] = []
  private var records = MirrorRecords()
  /// Who wrote a topic first: the epochs of the other side are above.
  private var born: [UniqueID: MirrorSide] = [:]
  /// Copied before anybody saw it committed at the source.
  private var unsure: [Spot: Set<WrittenBatch>] = [:]
  /// Where the writes of clients in the era of an epoch begin.
  private var begins: [Spot: [Int32: Int64]] = [:]
  /// The high watermarks of the leaders, and when they were first seen.
  private(set) var marks: [Spot: [(at: Int64, mark: Int64)]] = [:]
  private(set) var copied = 0

  /// - Parameter values: those of the records, by their offsets, where a topic is compacted.
  mutating func wrote(_ batch: WrittenBatch, _ spot: Spot, values: [Int64: UInt64]? = nil) -> String? {
    if let values {
      if let broken = records.wrote(batch, values, spot.log) { return broken }
    } else {
      let slot = Slot(log: spot.log, epoch: batch.epoch, base: batch.base)
      if let other = written[slot], other != batch {
        return "\(spot.place): \(spot.side) has other \(batch) than were written there before"
      }
      written[slot] = batch
    }
    let era = batch.epoch >> 16
    let isOwn = writer(of: batch, spot) == spot.side
    if isOwn {
      begins[spot, default: [:]][era] = min(batch.base, begins[spot]?[era] ?? .max)
    } else {
      copied += 1
      // What is compacted is another batch at each look.
      if values == nil, committed[spot.opposite]?.contains(batch) != true {
        unsure[spot.opposite, default: []].insert(batch)
      }
    }
    noteGap(before: batch, spot, values, isOwn: isOwn)
    covered[spot] = max(batch.next, covered[spot] ?? 0)
    return nil
  }

  /// A change of sides raises epochs by 2¹⁶.
  private mutating func writer(of batch: WrittenBatch, _ spot: Spot) -> MirrorSide {
    let first = born[spot.topic] ?? spot.side
    born[spot.topic] = first
    return (batch.epoch >> 16) & 1 == 0 ? first : first.other
  }

  private mutating func noteGap(before batch: WrittenBatch, _ spot: Spot, _ values: [Int64: UInt64]?, isOwn: Bool) {
    let before = covered[spot]
    if before == nil, isOwn { return }
    let from = before ?? 0
    var range = from < batch.base ? from..<batch.base : nil
    if let values, from < batch.next {
      range = records.unreplaced(from..<batch.next, without: values, spot.log)
    }
    guard let range else { return }
    let gap = Gap(spot: spot, range: range, isFirst: before == nil, nextEnd: batch.next)
    if before != nil { gaps.append(gap) }
    newGaps.append(gap)
  }

  /// Nothing is left of a log: what is written there next begins anew.
  mutating func forget(_ spot: Spot) { covered[spot] = nil }

  mutating func takeNewGaps() -> [Gap] {
    defer { newGaps = [] }
    return newGaps
  }

  mutating func commit(_ batches: [WrittenBatch], _ spot: Spot) {
    committed[spot, default: []].formUnion(batches)
    unsure[spot]?.subtract(batches)
  }

  mutating func mark(_ mark: Int64, _ spot: Spot, at now: Int64) {
    guard marks[spot]?.last?.mark != mark else { return }
    marks[spot, default: []].append((now, mark))
  }

  /// The highest that the high watermark ever was.
  func highest(_ spot: Spot) -> Int64 { marks[spot]?.map(\.mark).max() ?? 0 }

  /// What clients first wrote in an era, by its epoch.
  func beginning(of era: Int32, _ spot: Spot) -> Int64? { begins[spot]?[era] }
  func lastEra(_ spot: Spot) -> Int32? { begins[spot]?.keys.max() }

  /// What was copied and never committed at the source.
  ///
  /// - Parameter except: of what was deleted there nobody saw the last that was committed.
  func premature(except deleted: Set<MirrorTopics.Life>) -> String? {
    for (spot, batches) in unsure.sorted(by: { "\($0.key)" < "\($1.key)" }) {
      if deleted.contains(.init(side: spot.side, topic: spot.topic)) { continue }
      if let first = batches.min(by: { $0.base < $1.base }) {
        return "\(spot.place): \(spot.side.other) has copied \(first), which \(spot.side) never committed"
      }
    }
    return nil
  }
}
