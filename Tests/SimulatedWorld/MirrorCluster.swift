import Broker
import KafkaProtocol
import Synchronization
import Vocabulary

/// One of the two clusters: its machines, and what is to be seen of them from outside.
final class MirrorCluster: Sendable {
  let side: MirrorSide
  let layout: BrokerLayout
  let machines: [BrokerMachine]

  init(
    _ side: MirrorSide, _ layout: BrokerLayout, _ network: BrokerNetwork, _ lives: BrokerLives, _ options: Options,
    wrote: @escaping @Sendable (MirrorSide, String, UnsafeRawBufferPointer, () -> UniqueID?) -> Void
  ) {
    self.side = side
    self.layout = layout
    let watch = BrokerDiskWatch(
      wrote: { path, bytes, topic in wrote(side, path, bytes, topic) },
      unsynced: options.planted == .setsAsideWithoutSync ? "set-aside" : nil)
    machines = layout.places.map { place in
      let host = BrokerHost(side.rawValue * Self.stride + Int(place.id), "\(side)-\(place.id)", network)
      return BrokerMachine(
        place, host,
        settings: layout.settings(of: place, syncs: options.syncs, cluster: "\(side)", prefix: "\(side)")
          .merging(options.settings) { $1 },
        planted: side == .north ? options.plantedAtSource : nil, plantedInMirroring: options.planted, watch: watch,
        diskSeed: network.stage.chance(), lives: lives)
    }
  }

  struct Options: Sendable {
    let syncs: Bool
    let planted: MirrorMistake?
    let plantedAtSource: BrokerMistake?
    let settings: [String: String]
  }

  /// What the numbers of the machines of one cluster differ by from those of the other.
  static let stride = 10
  /// By the number that clients ask for.
  static func address(_ number: Int32) -> (host: String, port: UInt16) {
    let side = Int(number) / stride == 0 ? MirrorSide.north : .south
    return ("\(side)-\(Int(number) % stride)", 9092)
  }
  func number(of node: Int32) -> Int32 { Int32(side.rawValue * Self.stride) + node }
  func machine(_ node: Int32?) -> BrokerMachine? { machines.first { $0.id == node } }

  var bootstrap: String { machines.map { "\($0.host.name):9092" }.joined(separator: ",") }

  /// Who decides; else whoever is there.
  var witness: Broker? {
    (machines.first { $0.isActiveController } ?? machines.first { $0.broker != nil })?.broker
  }

  /// Whoever leads a partition in the highest epoch.
  func leader(of place: TopicPartition) -> (machine: BrokerMachine, standing: PartitionStanding)? {
    var best: (machine: BrokerMachine, standing: PartitionStanding)?
    for machine in machines {
      guard let standing = machine.broker?.standing(of: place), standing.leads else { continue }
      if best.map({ $0.standing.epoch < standing.epoch }) ?? true { best = (machine, standing) }
    }
    return best
  }
}

extension BrokerMachine {
  /// The batches of a partition that begin below `end`, from the segment on that has `start`.
  func batches(of place: TopicPartition, from start: Int64, upTo end: Int64) -> [WrittenBatch] {
    let names = segments(of: "\(place)")
    var found: [WrittenBatch] = []
    for (index, name) in names.enumerated() {
      guard let base = Int64(name.dropLast(4)), base < end else { continue }
      if index + 1 < names.count, let next = Int64(names[index + 1].dropLast(4)), next <= start { continue }
      let bytes = peek("\(host.name)/\(place)/\(name)") ?? []
      found += bytes.withUnsafeBytes { WrittenBatch.all(in: $0) }
    }
    return found.filter { $0.base < end && $0.next > start }
  }

  /// All of a partition from `start` up to `end`: its bytes by batch, and the values of its records by offset.
  func contents(of place: TopicPartition, from start: Int64, upTo end: Int64) -> MirrorContents {
    var found = MirrorContents()
    for name in segments(of: "\(place)") {
      found.add(peek("\(host.name)/\(place)/\(name)") ?? [], from: start, upTo: end)
    }
    return found
  }
}

/// What a log has, as it lies on a disk.
struct MirrorContents: Sendable {
  var bytes: [Int64: [UInt8]] = [:]
  var batches: Set<WrittenBatch> = []
  var values: Set<UInt64> = []
  /// By their offsets.
  var records: [Int64: UInt64] = [:]
  /// Offsets that no batch has.
  var holes: [Range<Int64>] = []
  var transactions = TransactionReading()
  private var end: Int64?

  mutating func add(_ segment: [UInt8], from start: Int64, upTo limit: Int64) {
    segment.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      while let batch = try? cursor.next() {
        let written = WrittenBatch(batch.header)
        guard written.base < limit, written.next > start else { continue }
        if let end, written.base > end { holes.append(end..<written.base) }
        end = written.next
        bytes[written.base] = Array(batch.bytes)
        batches.insert(written)
        var records = RecordCursor(body: batch.body, header: batch.header)
        if batch.header.attributes.isControl {
          let key = (try? records.next())?.key
          transactions.note(batch.header, marker: key?.last == 1, [])
          continue
        }
        var found: [UInt64] = []
        defer { transactions.note(batch.header, marker: nil, found) }
        while let record = try? records.next() {
          guard let value = record.value, let number = UInt64(String(decoding: value, as: UTF8.self)) else { continue }
          values.insert(number)
          found.append(number)
          self.records[record.offset.value] = number
        }
      }
    }
  }
}
