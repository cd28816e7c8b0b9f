import Vocabulary

// Who joins and who leaves the in-sync set. One change at a time is proposed, and it counts when the controller has
// confirmed it.

extension Leadership {
  mutating func proposeChange(_ scene: inout LeaderScene) {
    guard case .none = change else { return }
    let next = proposedSet(scene)
    guard next != committed else { return }
    if scene.settings.planted == .shrinksWithoutController, next.subtracting(committed).isEmpty {
      committed = next
      raiseHighWatermark(&scene)
      answerWrites(&scene)
    }
    propose(next, &scene)
  }

  /// Leaving comes first, then joining, then observers, in or out.
  private func proposedSet(_ scene: LeaderScene) -> NodeSet {
    let leaving = committed.nodes.filter { $0 != id && !isCaughtUp($0, scene) }
    if !leaving.isEmpty { return committed.subtracting(NodeSet(leaving)) }
    let joining = members.filter { $0.kind == .sync && canJoin($0.node, scene) }.map(\.node)
    if !joining.isEmpty { return committed.union(NodeSet(joining)) }
    return isUnderMinimum(scene.settings) ? withPromoted(scene) : withoutPromoted(scene)
  }

  /// Has all that is committed, and nothing of another leader's.
  private func canJoin(_ node: NodeID, _ scene: LeaderScene) -> Bool {
    guard !committed.contains(node), mayJoin(node, scene), let position = confirmedPosition(of: node, scene) else {
      return false
    }
    // Where the high watermark stands still, an old position stays above it: it says nothing about now.
    guard scene.now - position.fetchedAt <= scene.settings.lagMax else { return false }
    return position.end >= scene.log.highWatermark && position.end >= startOffset
  }

  /// As few observers as are needed to have the minimum again; none when there are not enough.
  private func withPromoted(_ scene: LeaderScene) -> NodeSet {
    let minimum = scene.settings.minimum
    var next = committed
    for member in members where member.kind == .observer && !minimum.isMet(by: next, of: members) {
      guard canJoin(member.node, scene), isCaughtUp(member.node, scene) else { continue }
      let isNewRegion = !Minimum.regions(of: next, members).contains(member.region)
      if next.count < minimum.replicas || isNewRegion { next = next.adding(member.node) }
    }
    return minimum.isMet(by: next, of: members) ? next : committed
  }

  /// Observers go as soon as the minimum holds without them. A leader does not remove itself.
  private func withoutPromoted(_ scene: LeaderScene) -> NodeSet {
    let promoted = observers(in: committed).removing(id)
    guard !promoted.isEmpty else { return committed }
    let next = committed.subtracting(promoted)
    return scene.settings.minimum.isMet(by: next, of: members) ? next : committed
  }

  private func observers(in nodes: NodeSet) -> NodeSet {
    NodeSet(members.lazy.filter { $0.kind == .observer && nodes.contains($0.node) }.map(\.node))
  }

  private mutating func propose(_ inSync: NodeSet, _ scene: inout LeaderScene) {
    let proposal = makeProposal(inSync, scene)
    change = .proposed(proposal, sentAt: scene.now)
    scene.effects.append(.propose(proposal))
  }

  private mutating func makeProposal(_ inSync: NodeSet, _ scene: LeaderScene) -> Proposal {
    proposals += 1
    var joining: [NodeID: BrokerEpoch] = [:]
    for node in inSync.subtracting(committed).nodes { joining[node] = confirmedPosition(of: node, scene)?.brokerEpoch }
    return Proposal(
      id: ProposalID(epoch, proposals), leader: id, leaderEpoch: epoch, partitionEpoch: partitionEpoch, inSync: inSync,
      promoted: observers(in: inSync), joining: joining)
  }

  private mutating func withdraw(doubtful: NodeSet, _ scene: inout LeaderScene) {
    let proposal = makeProposal(committed, scene)
    change = .withdrawing(proposal, doubtful: doubtful, sentAt: scene.now)
    scene.effects.append(.propose(proposal))
  }

  /// The same proposal again: the controller takes it at most once.
  mutating func repeatProposal(_ scene: inout LeaderScene) {
    let patience = scene.settings.proposalTimeout
    switch change {
    case .proposed(let proposal, let sentAt) where scene.now - sentAt >= patience:
      change = .proposed(proposal, sentAt: scene.now)
      scene.effects.append(.propose(proposal))
    case .withdrawing(let proposal, let doubtful, let sentAt) where scene.now - sentAt >= patience:
      change = .withdrawing(proposal, doubtful: doubtful, sentAt: scene.now)
      scene.effects.append(.propose(proposal))
    case .none, .proposed, .withdrawing, .overtaken: return
    }
  }

  func awaits(_ id: ProposalID) -> Bool {
    switch change {
    case .proposed(let proposal, _), .withdrawing(let proposal, _, _): return proposal.id == id
    case .none, .overtaken: return false
    }
  }

  mutating func refused(_ id: ProposalID, _ code: ErrorCode, _ scene: inout LeaderScene) {
    let proposed: NodeSet
    switch change {
    case .proposed(let proposal, _) where proposal.id == id: proposed = proposal.inSync
    case .withdrawing(let proposal, let doubtful, _) where proposal.id == id:
      // Without a new partition epoch nothing is void: the tick asks again for one.
      guard code == .invalidUpdateVersion || code == .newLeaderElected else { return }
      proposed = doubtful
    case .none, .proposed, .withdrawing, .overtaken: return
    }
    switch code {
    case .ineligibleReplica, .operationNotAttempted, .invalidRequest: withdraw(doubtful: proposed, &scene)
    case .invalidUpdateVersion, .newLeaderElected, .unknownTopicOrPartition, .unknownTopicId:
      change = .overtaken(proposed: proposed)
    default:
      // Anything else is the controller's passing trouble: the tick proposes it again.
      return
    }
  }
}
