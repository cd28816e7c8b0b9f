import KafkaProtocol
import Vocabulary

/// One of the two clusters.
package enum MirrorSide: Int, Sendable, CaseIterable, CustomStringConvertible {
  case north, south
  var other: Self { self == .north ? .south : .north }
  package var description: String { self == .north ? "north" : "south" }
  /// What copies from the other side here.
  var mirror: String { "from-\(other)" }

  /// Who writes in an epoch: a change of sides raises epochs by 2¹⁶, and so that of the other one next.
  init(writing epoch: Int32) { self = (epoch >> 16) & 1 == 0 ? .north : .south }
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
}

/// What was written where in both clusters, and what of it was ever committed. It sees all disks, and so more than any
/// client or any broker.
struct MirrorLedger: Sendable {
  private struct Slot: Hashable, Sendable {
    let place: TopicPartition
    let epoch: Int32
    let base: Int64
  }
  struct Spot: Hashable, Sendable {
    let side: MirrorSide
    let place: TopicPartition
  }
  struct Gap: Sendable {
    let spot: Spot
    let range: Range<Int64>
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
  /// Copied before anybody saw it committed at the source.
  private var unsure: [Spot: Set<WrittenBatch>] = [:]
  /// Where the writes of clients in the era of an epoch begin.
  private var begins: [Spot: [Int32: Int64]] = [:]
  /// The high watermarks of the leaders, and when they were first seen.
  private(set) var marks: [Spot: [(at: Int64, mark: Int64)]] = [:]
  private(set) var copied = 0

  mutating func wrote(_ batch: WrittenBatch, _ spot: Spot) -> String? {
    let slot = Slot(place: spot.place, epoch: batch.epoch, base: batch.base)
    if let other = written[slot], other != batch {
      return "\(spot.place): \(spot.side) has other \(batch) than were written there before"
    }
    written[slot] = batch
    let era = batch.epoch >> 16
    if MirrorSide(writing: batch.epoch) == spot.side {
      begins[spot, default: [:]][era] = min(batch.base, begins[spot]?[era] ?? .max)
    } else {
      copied += 1
      let source = Spot(side: spot.side.other, place: spot.place)
      if committed[source]?.contains(batch) != true { unsure[source, default: []].insert(batch) }
    }
    if let before = covered[spot], batch.base > before {
      let gap = Gap(spot: spot, range: before..<batch.base, nextEnd: batch.next)
      gaps.append(gap)
      newGaps.append(gap)
    }
    covered[spot] = max(batch.next, covered[spot] ?? 0)
    return nil
  }

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
  var premature: String? {
    for (spot, batches) in unsure.sorted(by: { "\($0.key)" < "\($1.key)" }) {
      if let first = batches.min(by: { $0.base < $1.base }) {
        return "\(spot.place): \(spot.side.other) has copied \(first), which \(spot.side) never committed"
      }
    }
    return nil
  }
}
