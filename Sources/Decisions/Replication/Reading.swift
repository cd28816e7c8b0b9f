public import Vocabulary

/// What a consumer may read.
public struct Readable: Hashable, Sendable {
  /// Exclusive; at or above the offset that was asked for. Equal to it means: nothing yet.
  public let end: Offset
  /// Nil where a new leader does not know yet how far its predecessor had come: the answer says -1, so that no client
  /// sees the high watermark go back.
  public let highWatermark: Offset?
  public init(end: Offset, highWatermark: Offset?) {
    self.end = end
    self.highWatermark = highWatermark
  }
}

public enum ReadAnswer: Hashable, Sendable {
  case readable(Readable)
  case refused(ErrorCode)
}

extension Replica {
  /// FENCED_LEADER_EPOCH for an epoch that is over, UNKNOWN_LEADER_EPOCH for one that we have not heard of (KIP-320).
  /// Nothing is checked for `.none`.
  public func refusal(forEpoch epoch: LeaderEpoch) -> ErrorCode? {
    if epoch == .none || epoch == leaderEpoch { return nil }
    return epoch < leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
  }

  /// What a consumer may read from here, on the leader or a copy (KIP-392): never above the high watermark.
  ///
  /// OFFSET_OUT_OF_RANGE where the log does not reach; OFFSET_NOT_AVAILABLE where it does, but it is not known here
  /// yet whether it is committed; NOT_LEADER_OR_FOLLOWER where nobody is known to lead.
  public func read(from offset: Offset, epoch: LeaderEpoch = .none) -> ReadAnswer {
    if let code = refusal(forEpoch: epoch) { return .refused(code) }
    // A copy knows that everything below its mark is committed, and nothing of what is above. It shows the mark, since
    // readers take a position there for the end (KIP-392).
    let (isKnown, showsMark): (Bool, Bool)
    switch role {
    case .waiting: return .refused(.notLeaderOrFollower)
    case .leader(let lead):
      isKnown = lead.isSettled(log)
      showsMark = isKnown
    case .follower, .observer: (isKnown, showsMark) = (false, true)
    }
    guard offset >= log.start, offset <= log.end else { return .refused(.offsetOutOfRange) }
    let mark = settings.planted == .readsAboveHighWatermark ? log.end : log.highWatermark
    if offset > mark {
      return isKnown ? .readable(Readable(end: offset, highWatermark: mark)) : .refused(.offsetNotAvailable)
    }
    return .readable(Readable(end: mark, highWatermark: showsMark ? mark : nil))
  }

  /// Where a consumer in that Region had better read (KIP-392): a copy there that has caught up and has the offset
  /// below its high watermark, the furthest one first. Nil means here.
  public func preferredReader(in region: Region, from offset: Offset, at now: Instant) -> NodeID? {
    guard case .leader(let lead) = role, lead.members.first(where: { $0.node == id })?.region != region else {
      return nil
    }
    let scene = LeaderScene(log: log, settings: settings, brokers: brokers, now: now, effects: [])
    var best: (node: NodeID, end: Offset)?
    for member in lead.members where member.node != id && member.region == region {
      guard lead.mayJoin(member.node, scene), lead.isCaughtUp(member.node, scene),
        let position = lead.confirmedPosition(of: member.node, scene),
        position.logStart <= offset, offset <= min(position.end, log.highWatermark)
      else { continue }
      if best.map({ position.end > $0.end }) ?? true { best = (member.node, position.end) }
    }
    return best?.node
  }

  /// The answer to OffsetsForLeaderEpoch (KIP-320): the largest epoch that is not above the one asked for, and where it
  /// ends here. Only the leader's is worth asking.
  public func end(of epoch: LeaderEpoch) -> EpochEnd? { log.epochs.end(of: epoch, logEnd: log.end) }
}
