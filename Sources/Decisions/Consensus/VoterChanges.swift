import Vocabulary

// Voters come and go one at a time (KIP-853): any majority of one set then meets any majority of the next, so that both
// may be in force while the change is on its way.

extension Quorum {
  mutating func update(_ request: UpdateVoter, _ token: Token, _ step: inout Step) {
    var error = leaderError(for: request.epoch) ?? changeError
    if error == nil && !log.voters.contains(request.voter.key) { error = .voterNotFound }
    if error == nil {
      append([(.voters(log.voters.replacing(request.voter)), 1)], &step)
      advanceHighWatermark(&step)
    }
    step.effects.append(.answer(.updateVoter(head(error ?? .none)), token))
  }

  mutating func add(_ voter: Voter, _ token: Token, _ step: inout Step) {
    if let error = additionError(voter, at: step.now) {
      step.effects.append(.answer(.addVoter(head(error)), token))
      return
    }
    start(.add, log.voters.adding(voter), token, &step)
  }

  private func additionError(_ voter: Voter, at now: Instant) -> ErrorCode? {
    guard case .leader(let leadership) = role else { return .notLeaderOrFollower }
    if voter.key.directory == .zero || voter.key.id.value < 0 { return .invalidRequest }
    if let error = changeError { return error }
    if log.voters.contains(voter.key.id) { return .duplicateVoter }
    // A voter that lags would hold up commitment until it has caught up.
    guard let caughtUp = leadership.progress(of: voter.key)?.caughtUp, now - caughtUp < settings.caughtUpWithin else {
      return .requestTimedOut
    }
    return nil
  }

  mutating func remove(_ key: ReplicaKey, _ token: Token, _ step: inout Step) {
    var error: ErrorCode? = isLeader ? changeError : .notLeaderOrFollower
    if error == nil && !log.voters.voters.contains(where: { $0.key == key }) { error = .voterNotFound }
    // Nobody would be left to decide anything.
    if error == nil && log.voters.count == 1 { error = .invalidRequest }
    if let error {
      step.effects.append(.answer(.removeVoter(head(error)), token))
      return
    }
    start(.remove, log.voters.removing(key), token, &step)
  }

  /// Why the voters cannot change now. Before a record of this epoch is committed, an older leader's change might
  /// still come to light, and its majority need not meet ours.
  private var changeError: ErrorCode? {
    guard case .leader(let leadership) = role else { return .notLeaderOrFollower }
    if planted == .overlappingVoterChanges { return nil }
    if leadership.change != nil { return .requestTimedOut }
    guard highWatermark > leadership.start else { return .requestTimedOut }
    if let offset = log.votersOffset, offset >= highWatermark { return .requestTimedOut }
    return nil
  }

  private mutating func start(_ kind: PendingChange.Kind, _ voters: VoterSet, _ token: Token, _ step: inout Step) {
    guard case .leader(var leadership) = role else { return }
    if let other = leadership.change { answer(other, .requestTimedOut, &step) }
    leadership.change = PendingChange(
      kind: kind, token: token, offset: log.end, deadline: step.now + settings.requestTimeout)
    role = .leader(leadership)
    append([(.voters(voters), 1)], &step)
    // A smaller set may have had its majority already.
    advanceHighWatermark(&step)
  }

  func answer(_ change: PendingChange, _ error: ErrorCode, _ step: inout Step) {
    switch change.kind {
    case .add: step.effects.append(.answer(.addVoter(head(error)), change.token))
    case .remove: step.effects.append(.answer(.removeVoter(head(error)), change.token))
    }
  }
}
