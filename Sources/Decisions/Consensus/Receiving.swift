import Vocabulary

// Requests of others, and what others answered.

extension Quorum {
  mutating func receive(_ request: Request, _ token: Token, _ step: inout Step) {
    switch request {
    case .vote(let request): vote(on: request, token, &step)
    case .beginQuorumEpoch(let request): begin(request, token, &step)
    case .endQuorumEpoch(let request): end(request, token, &step)
    case .fetch(let request): serve(request, token, &step)
    case .fetchSnapshot(let request): serve(request, token, &step)
    case .updateVoter(let request): update(request, token, &step)
    case .addVoter(let voter): add(voter, token, &step)
    case .removeVoter(let key): remove(key, token, &step)
    }
  }

  mutating func receive(_ answer: Answer, to id: RequestID, _ step: inout Step) {
    guard let entry = requests.take(id) else { return }
    guard !takeHead(answer.head, from: entry.node, &step) else { return }
    switch (entry.kind, answer) {
    case (.vote, .vote(let head, let ballot)):
      count(head.error == .none ? ballot : .denied, by: entry.node, &step)
    case (.fetch, .fetch(let head, let told, let fetched)) where head.error == .none:
      take(fetched, highWatermark: told, &step)
    case (.fetchSnapshot, .fetchSnapshot(let head, let piece)):
      take(head.error == .none ? piece : nil, &step)
    case (.end, .endQuorumEpoch(let head)) where head.error == .none:
      guard case .resigned(var resignation) = role else { return }
      resignation.acknowledged.append(entry.node)
      role = .resigned(resignation)
    case (.begin, .beginQuorumEpoch), (.update, .updateVoter): break
    default: requests.pause(entry.node, until: step.now + settings.retryBackoff)
    }
  }

  /// What an answer says about epoch and leader.
  /// - Returns: whether that is all there is to it.
  private mutating func takeHead(_ head: AnswerHead, from node: NodeID, _ step: inout Step) -> Bool {
    if head.epoch < election.epoch || head.error == .unknownLeaderEpoch {
      requests.pause(node, until: step.now + settings.retryBackoff)
      return true
    }
    let refuses = head.error == .fencedLeaderEpoch || head.error == .notLeaderOrFollower
    if head.epoch > election.epoch || refuses {
      learn(head.leader, head.epoch, &step)
      requests.pause(node, until: step.now + settings.retryBackoff)
      return true
    }
    if head.leader != nil, election.leader == nil {
      learn(head.leader, head.epoch, &step)
      return head.error != .none
    }
    return false
  }

  /// Somebody names an epoch that is not older than ours, and perhaps its leader.
  /// - Returns: false when that cannot be.
  @discardableResult
  mutating func learn(_ named: NodeID?, _ epoch: LeaderEpoch, _ step: inout Step) -> Bool {
    // Nobody else knows better than we do whether we lead.
    let other = named == local.key.id ? nil : named
    if epoch > election.epoch {
      if let other { becomeFollower(of: other, in: epoch, &step) } else { becomeUnattached(in: epoch, &step) }
      return true
    }
    guard let other else { return named == nil || isLeader }
    guard let known = election.leader else {
      becomeFollower(of: other, in: epoch, &step)
      return true
    }
    if known != other { step.effects.append(.report(.secondLeader(other, epoch))) }
    return known == other
  }

  func head(_ error: ErrorCode) -> AnswerHead { AnswerHead(error, epoch: election.epoch, leader: leader) }

  func isMeant(by key: ReplicaKey) -> Bool { Voter(key).isSame(as: local.key) }

  /// The checks of every request that only a leader can fulfil.
  func leaderError(for epoch: LeaderEpoch) -> ErrorCode? {
    if epoch < election.epoch { return .fencedLeaderEpoch }
    if epoch > election.epoch { return .unknownLeaderEpoch }
    return isLeader ? nil : .notLeaderOrFollower
  }
}
