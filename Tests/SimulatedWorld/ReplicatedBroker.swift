import Replication
import Vocabulary

/// A simulated broker: a replica that decides, a log that holds records, and what of it is on disk.
struct ReplicatedBroker {
  enum State {
    case up(Replica)
    /// `lostTail`: the power went, and with it what was not synced.
    case down(lostTail: Bool)
  }
  var state: State
  var life: BrokerEpoch
  /// The offset of the first record.
  var base = 0
  var records: [ReplicatedRecord] = []
  /// What a loss of power leaves.
  var synced = 0
  var checkpoint = 0
  var metadataVersion = 0
  var pending: [WriteID: (client: Int, sequence: Int, offset: Int)] = [:]
  var lastWrite: UInt64 = 0
  /// How many more effects are performed before it crashes.
  var doom: (effects: Int, powerLoss: Bool)?

  var end: Int { base + records.count }
  var isUp: Bool { replica != nil }
  var replica: Replica? {
    if case .up(let replica) = state { return replica }
    return nil
  }
  var mayHaveLostTail: Bool {
    if case .down(lostTail: true) = state { return true }
    return false
  }
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

struct ReplicatedClient {
  var sequence = 0
  var target = 0
  var sentAt: Int64 = 0
  var acknowledged: [(sequence: Int, offset: Int)] = []
}
