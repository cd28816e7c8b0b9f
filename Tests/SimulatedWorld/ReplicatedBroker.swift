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
  var log = ReplicatedLog()
  var metadataVersion = 0
  var pending: [WriteID: (client: Int, sequence: Int, offset: Int)] = [:]
  var lastWrite: UInt64 = 0
  /// How many more effects are performed before it crashes.
  var doom: (effects: Int, powerLoss: Bool)?

  var isUp: Bool { replica != nil }
  var replica: Replica? {
    if case .up(let replica) = state { return replica }
    return nil
  }
  var mayHaveLostTail: Bool {
    if case .down(lostTail: true) = state { return true }
    return false
  }
}

struct ReplicatedClient {
  var sequence = 0
  var target = 0
  var sentAt: Int64 = 0
  var acknowledged: [(sequence: Int, offset: Int)] = []
}
