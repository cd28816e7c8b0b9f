import ClusterMetadata
import EventLoop
import LogStorage
import Replication
import Synchronization
import Vocabulary

/// Who reads a partition.
struct Reader: Sendable {
  /// -1 is not checked (KIP-320).
  var epoch: Int32 = -1
  /// The epoch of the last record that was read, -1 where it is not known (KIP-595).
  var lastEpoch: Int32 = -1
  /// Clients that know of KIP-392 may read from copies that do not lead.
  var leaderOnly = false
  /// Where the reader is, when a nearer copy is to be named.
  var region: Region?
  /// Whether it sees committed transactions only (KIP-98).
  var committedOnly = false
}

/// What a reader gets.
enum ReadPlan: Sendable {
  /// Records up to `end`, exclusive. The marks are nil where they are not known yet.
  case records(end: Offset, highWatermark: Offset?, lastStable: Offset?)
  /// A nearer copy that has them (KIP-392).
  case elsewhere(NodeID, highWatermark: Offset?, lastStable: Offset?)
  case diverging(LeaderEpoch, Offset)
  case refused(ErrorCode)
}

extension Partition {
  /// What a consumer may read from an offset: see `Replica.read`.
  func plan(from offset: Offset, for reader: Reader, now: Instant) -> ReadPlan {
    state.withLock { state in
      if let code = state.replica.refusal(forEpoch: LeaderEpoch(max(-1, reader.epoch))) { return .refused(code) }
      switch state.replica.role {
      case .waiting: return .refused(.notLeaderOrFollower)
      case .follower, .observer: if reader.leaderOnly { return .refused(.notLeaderOrFollower) }
      case .leader:
        if offset >= state.replica.log.highWatermark, isCutOff(state, at: now) { return .refused(.notLeaderOrFollower) }
      }
      if reader.lastEpoch >= 0 {
        let (epoch, end) = state.end(of: LeaderEpoch(reader.lastEpoch))
        if epoch.value >= 0, epoch.value < reader.lastEpoch || end < offset { return .diverging(epoch, end) }
      }
      switch state.replica.read(from: offset) {
      case .refused(let code): return .refused(code)
      case .readable(let readable):
        let stable = stableOffset(state)
        let shown = readable.highWatermark.map { min($0, stable) }
        if let region = reader.region, let node = state.replica.preferredReader(in: region, from: offset, at: now) {
          return .elsewhere(node, highWatermark: readable.highWatermark, lastStable: shown)
        }
        return .records(
          end: reader.committedOnly ? min(readable.end, stable) : readable.end, highWatermark: readable.highWatermark,
          lastStable: shown)
      }
    }
  }

  /// Up to where consumers may read, as ListOffsets tells it: on the leader, once it knows (KIP-207). With `stable` it
  /// is the last stable offset.
  func committedEnd(forEpoch epoch: Int32, stable: Bool = false) -> Result<Offset, Refusal> {
    if let code = refusalAsLeader(forEpoch: epoch) { return .failure(Refusal(code, "")) }
    return state.withLock { state in
      if isCutOff(state, at: monotonicNow()) {
        return .failure(Refusal(.notLeaderOrFollower, "the controller and every follower are silent"))
      }
      let mark = state.replica.log.highWatermark
      switch state.replica.read(from: mark) {
      case .readable(let readable) where readable.highWatermark != nil:
        return .success(stable ? stableOffset(state) : mark)
      case .readable: return .failure(Refusal(.offsetNotAvailable, "the leader has just been elected"))
      case .refused(let code): return .failure(Refusal(code, ""))
      }
    }
  }
}
