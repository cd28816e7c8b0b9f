public import Vocabulary

/// How far a follower is, as its fetches say.
struct Progress: Hashable, Sendable {
  /// Its log end and its life, once it has fetched in this leader epoch.
  struct Position: Hashable, Sendable {
    var end: Offset
    var logStart: Offset
    var brokerEpoch: BrokerEpoch
    var fetchedAt: Instant
    /// Our own end at that time.
    var leaderEnd: Offset
  }
  var position: Position?
  /// When it last had all that we had; nil when it never had in this leader epoch.
  var caughtUpAt: Instant?

  /// A follower that always asks for a little less than there is by now is in sync if it asks for all that was there
  /// when it asked before.
  mutating func fetched(_ request: FetchRequest, leaderEnd: Offset, at now: Instant) {
    if request.offset >= leaderEnd {
      caughtUpAt = max(caughtUpAt ?? now, now)
    } else if let previous = position, request.offset >= previous.leaderEnd {
      caughtUpAt = max(caughtUpAt ?? previous.fetchedAt, previous.fetchedAt)
    }
    position = Position(
      end: request.offset, logStart: request.logStart, brokerEpoch: request.brokerEpoch, fetchedAt: now,
      leaderEnd: leaderEnd)
  }

  func isCaughtUp(leaderEnd: Offset, lagMax: TimeSpan, at now: Instant) -> Bool {
    if position?.end == leaderEnd { return true }
    guard let caughtUpAt else { return false }
    return now - caughtUpAt <= lagMax
  }
}

/// A leader's term: who copies from it and how far they are, who is in sync, and who waits.
public struct Leadership: Sendable {
  /// Whether the controller has been asked for another in-sync set.
  enum Change: Hashable, Sendable {
    case none
    case proposed(Proposal, sentAt: Instant)
    /// A proposal was refused, but a copy of it may still be under way and be taken later. Until a proposal that
    /// changes nothing has used up its partition epoch, those in it count.
    case withdrawing(Proposal, doubtful: NodeSet, sentAt: Instant)
    /// The controller is further than we are: the metadata will tell what became of it.
    case overtaken(proposed: NodeSet)
  }

  public let id: NodeID
  public let epoch: LeaderEpoch
  /// Where this epoch begins: whoever is not there yet may still have another leader's records.
  public private(set) var startOffset: Offset
  public internal(set) var partitionEpoch: PartitionEpoch
  /// What the controller has confirmed.
  public internal(set) var committed: NodeSet
  public internal(set) var members: [Member]
  var change = Change.none
  var progress: [NodeID: Progress] = [:]
  /// In the order they came.
  var writes: [Write] = []
  var proposals: UInt64 = 0

  init(_ state: PartitionState, of id: NodeID, logEnd: Offset, at now: Instant) {
    self.id = id
    epoch = state.leaderEpoch
    startOffset = logEnd
    partitionEpoch = state.partitionEpoch
    committed = state.inSync
    members = state.members
    for member in members where member.node != id {
      progress[member.node] = Progress(position: nil, caughtUpAt: committed.contains(member.node) ? now : nil)
    }
  }

  /// Everybody whom the controller counts as in sync, or may count by now: what they do not have is not committed
  /// (KIP-497).
  public var maximal: NodeSet {
    switch change {
    case .none: return committed
    case .proposed(let proposal, _): return committed.union(proposal.inSync)
    case .withdrawing(_, let doubtful, _): return committed.union(doubtful)
    case .overtaken(let proposed): return committed.union(proposed)
    }
  }

  /// A new leader's own high watermark lags behind the one that the old leader has shown, until it has passed the
  /// start of its epoch.
  func isSettled(_ log: LogSummary) -> Bool { log.highWatermark >= startOffset }

  func isUnderMinimum(_ settings: ReplicationSettings) -> Bool { !isMet(settings.minimum, by: committed, settings) }

  func isMet(_ minimum: Minimum, by nodes: NodeSet, _ settings: ReplicationSettings) -> Bool {
    var minimum = minimum
    var nodes = nodes
    if settings.planted == .ignoresRegions { minimum.regions = 1 }
    if settings.planted == .countsObservers {
      nodes = nodes.union(NodeSet(members.lazy.filter { $0.kind == .observer }.map(\.node)))
    }
    return minimum.isMet(by: nodes, of: members)
  }

  /// The log was cut below what the others may have: as at the beginning of a term, nobody's position is known, and who
  /// is in sync gets the time to come to it again.
  mutating func beginsAgain(at end: Offset, _ scene: inout LeaderScene) {
    startOffset = end
    for write in writes { scene.effects.append(.answerWrite(write.id, .refused(.notLeaderOrFollower))) }
    writes = []
    for member in members where member.node != id {
      progress[member.node] = Progress(position: nil, caughtUpAt: committed.contains(member.node) ? scene.now : nil)
    }
  }

  mutating func adopt(_ state: PartitionState, _ scene: inout LeaderScene) {
    members = state.members
    let nodes = Set(members.map(\.node))
    progress = progress.filter { nodes.contains($0.key) }
    for member in members where member.node != id && progress[member.node] == nil {
      progress[member.node] = Progress()
    }
    confirm(state.inSync, state.partitionEpoch, &scene)
  }

  /// The controller says who is in sync. Whatever was proposed on an older partition epoch can no longer be taken.
  mutating func confirm(_ inSync: NodeSet, _ epoch: PartitionEpoch, _ scene: inout LeaderScene) {
    guard epoch > partitionEpoch else { return }
    partitionEpoch = epoch
    // Who joins is at the high watermark, which can be far from the end: it gets the time to come there, or it would
    // be put out again at once, and taken in again.
    for node in inSync.subtracting(committed).nodes { progress[node]?.caughtUpAt = scene.now }
    committed = inSync
    change = .none
    reconsider(&scene)
  }

  /// After anything that could matter to it.
  mutating func reconsider(_ scene: inout LeaderScene) {
    raiseHighWatermark(&scene)
    answerWrites(&scene)
    proposeChange(&scene)
  }

  mutating func tick(_ scene: inout LeaderScene) {
    let now = scene.now
    let late = writes.filter { $0.deadline <= now }
    writes.removeAll { $0.deadline <= now }
    for write in late { scene.effects.append(.answerWrite(write.id, .refused(.requestTimedOut))) }
    repeatProposal(&scene)
    reconsider(&scene)
  }

  // MARK: The high watermark

  /// The smallest end of all who are in sync, or may be by now, or are about to be. It stands still while too few are
  /// in sync, so that whoever has left meanwhile has all that is committed (KIP-966).
  mutating func raiseHighWatermark(_ scene: inout LeaderScene) {
    guard !isUnderMinimum(scene.settings) else { return }
    let counted = scene.settings.planted == .ignoresProposedInSyncSet ? committed : maximal
    var mark = scene.log.end
    for member in members where member.node != id {
      let position = confirmedPosition(of: member.node, scene)
      if counted.contains(member.node) {
        guard let position else { return }
        mark = min(mark, position.end)
      } else if scene.settings.planted != .ignoresProposedInSyncSet, member.kind == .sync, let position,
        position.end >= startOffset, mayJoin(member.node, scene), isCaughtUp(member.node, scene)
      {
        // Without this pause somebody who has nearly caught up could run behind for ever.
        mark = min(mark, position.end)
      }
    }
    guard mark > scene.log.highWatermark else { return }
    scene.log.highWatermark = mark
    scene.effects.append(.keepHighWatermark(mark))
  }

  /// Where a follower is, if it is the life of its broker that the metadata knows: an earlier one may have lost its
  /// tail by now, and a later one is not yet what the controller counts.
  func confirmedPosition(of node: NodeID, _ scene: LeaderScene) -> Progress.Position? {
    guard let position = progress[node]?.position, position.brokerEpoch == scene.brokers[node]?.epoch else {
      return nil
    }
    return position
  }

  func isCaughtUp(_ node: NodeID, _ scene: LeaderScene) -> Bool {
    progress[node]?.isCaughtUp(leaderEnd: scene.log.end, lagMax: scene.settings.lagMax, at: scene.now) ?? false
  }

  /// Neither fenced nor about to stop, and in the life that we know (KIP-841, KIP-903).
  func mayJoin(_ node: NodeID, _ scene: LeaderScene) -> Bool {
    guard confirmedPosition(of: node, scene) != nil, let status = scene.brokers[node] else { return false }
    switch status.availability {
    case .active: return true
    case .fenced, .stopping: return false
    }
  }

  // MARK: Writes

  mutating func answerWrites(_ scene: inout LeaderScene) {
    guard !writes.isEmpty else { return }
    let mark = scene.log.highWatermark
    let underMinimum = isUnderMinimum(scene.settings)
    var waiting: [Write] = []
    for write in writes {
      if write.end <= mark {
        scene.effects.append(.answerWrite(write.id, .acknowledged))
      } else if underMinimum {
        // It stands in the log and may be committed later, but nobody knows when: the producer tries again.
        scene.effects.append(.answerWrite(write.id, .refused(.notEnoughReplicasAfterAppend)))
      } else {
        waiting.append(write)
      }
    }
    writes = waiting
  }
}
