import Replication
import Vocabulary

/// The log of one copy of a partition: the records themselves, what of them a loss of power leaves, and the
/// checkpointed high watermark.
struct ReplicatedLog {
  /// The offset of the first record.
  var base = 0
  var records: [ReplicatedRecord] = []
  /// What a loss of power leaves.
  var synced = 0
  var checkpoint = 0

  var end: Int { base + records.count }
  func record(_ offset: Int) -> ReplicatedRecord? {
    offset >= base && offset < end ? records[offset - base] : nil
  }

  mutating func truncate(to offset: Int) {
    records.removeLast(end - offset)
    synced = min(synced, offset)
    checkpoint = min(checkpoint, offset)
  }
  mutating func restart(at offset: Int) {
    base = offset
    records = []
    synced = offset
  }
  mutating func delete(before offset: Int) {
    records.removeFirst(offset - base)
    base = offset
    synced = max(synced, offset)
  }

  /// What recovery finds: the epochs are in the records.
  func recovered() -> LogSummary {
    LogSummary(
      start: Offset(Int64(base)), end: Offset(Int64(end)), highWatermark: Offset(Int64(checkpoint)),
      epochs: EpochHistory(epochs(from: base, upTo: end)))
  }

  func epochs(from start: Int, upTo end: Int) -> [EpochStart] {
    var found: [EpochStart] = []
    for offset in start..<end {
      guard let epoch = record(offset)?.epoch, epoch != found.last?.epoch else { continue }
      found.append(EpochStart(epoch, at: Offset(Int64(offset))))
    }
    return found
  }

  func offset(ofClient client: Int, sequence: Int) -> Int? {
    records.lastIndex { $0.client == client && $0.sequence == sequence }.map { base + $0 }
  }
}
