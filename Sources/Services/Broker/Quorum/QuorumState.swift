import ClusterMetadata
import Consensus
import EventLoop
import KafkaClient
import Vocabulary

/// A batch that this node made as the leader, and whose records it need not read back.
struct OwnBatch: Sendable {
  let base: Offset
  let end: Offset
  let records: [ClusterMetadata.MetadataRecord]
  let bytes: [UInt8]
}

/// The bytes that came with the answer that is being handled.
enum Arrived: Sendable {
  case nothing
  case batches([UInt8])
  case piece([UInt8])
}

/// What the quorum's lock guards. Only the quorum's thread changes it.
struct QuorumState: Sendable {
  enum Phase: Sendable {
    /// Read back, and not started.
    case loaded
    case running
    /// Its disk failed, or a peer contradicts it.
    case failed(String)
    case stopped
  }
  enum Leading: Sendable {
    case no
    /// Elected, while the image does not yet hold everything before the epoch's start.
    case catchingUp(LeaderEpoch, start: Offset)
    case announced(LeaderEpoch)
  }
  typealias Waiting = @Sendable (Answer?) -> Void

  var quorum: Quorum
  var phase = Phase.loaded
  /// To be performed, in order.
  var effects: [Effect] = []
  var isPerforming = false
  var arrived = Arrived.nothing

  /// Proposed and not written yet, by name.
  var proposals: [UInt64: OwnBatch] = [:]
  var lastName: UInt64 = 0
  /// Written and not applied yet, in order.
  var own: [OwnBatch] = []
  var isFlushQueued = false
  var leading = Leading.no

  /// Who waits for an answer of ours.
  var waiting: [Token: Waiting] = [:]
  var lastToken: UInt64 = 0
  var peers: [NodeID: Peer] = [:]
  /// What nodes said of their own or their leader's address.
  var learned: [NodeID: BrokerAddress] = [:]
  /// How often a node was not reached where it was looked for without having said it itself.
  var failures: [NodeID: UInt] = [:]
  /// EndQuorumEpoch requests that are not answered.
  var goodbyes: Set<RequestID> = []
  var whenTold: (@Sendable () -> Void)?

  var alarm: Timer?
  var armed = Instant.never

  var bytesSinceSnapshot = 0
  var isTakingSnapshot = false
  /// A downloaded snapshot that was read and found whole.
  var checked: (id: SnapshotID, image: MetadataImage)?

  init(quorum: Quorum) { self.quorum = quorum }

  mutating func nextEffect() -> Effect? {
    guard case .running = phase, !effects.isEmpty else {
      effects = []
      return nil
    }
    return effects.removeFirst()
  }

  mutating func end(_ phase: Phase) -> (peers: [Peer], waiting: [Waiting], ledEpoch: LeaderEpoch?) {
    var ledEpoch: LeaderEpoch?
    if case .announced(let epoch) = leading { ledEpoch = epoch }
    defer {
      if case .failed = self.phase {} else { self.phase = phase }
      leading = .no
      peers = [:]
      waiting = [:]
      effects = []
      alarm?.cancel()
      alarm = nil
      whenTold?()
      whenTold = nil
    }
    // In an order of their own, so that nothing hangs on where a table keeps them.
    let inOrder = waiting.sorted { $0.key.value < $1.key.value }.map(\.value)
    return (peers.sorted { $0.key < $1.key }.map(\.value), inOrder, ledEpoch)
  }

  mutating func wait(_ answer: @escaping Waiting) -> Token {
    lastToken += 1
    waiting[Token(lastToken)] = answer
    return Token(lastToken)
  }

  /// A request to another node is over, with or without an answer.
  /// - Returns: whoever waits for the last goodbye.
  mutating func isOver(_ id: RequestID) -> (@Sendable () -> Void)? {
    guard goodbyes.remove(id) != nil, goodbyes.isEmpty else { return nil }
    defer { whenTold = nil }
    return whenTold
  }
}
