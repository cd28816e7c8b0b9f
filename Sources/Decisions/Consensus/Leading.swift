import Vocabulary

extension Quorum {
  mutating func propose(_ proposals: [Proposal], in epoch: LeaderEpoch, _ step: inout Step) {
    guard isLeader, epoch == election.epoch else {
      step.effects.append(.refuse(proposals, .notLeaderOrFollower))
      return
    }
    append(proposals.map { (.data($0.name), $0.count) }, &step)
  }

  mutating func append(_ contents: [(LogBatch.Content, Int32)], _ step: inout Step) {
    guard !contents.isEmpty else { return }
    var batches: [LogBatch] = []
    for (content, count) in contents {
      precondition(count > 0, "a batch without records was proposed")
      let batch = LogBatch(base: log.end, epoch: election.epoch, count: count, content: content)
      log.append(batch)
      batches.append(batch)
    }
    step.effects.append(.append(batches))
    if planted == .acknowledgedBeforePersisted { advanceHighWatermark(&step) }
    wakeParked(&step)
  }

  /// Commits what a majority has, provided that it reaches over a record of this epoch: an older record may be on a
  /// majority and still lose to a log that ends in a newer epoch.
  mutating func advanceHighWatermark(_ step: inout Step) {
    guard case .leader(var leadership) = role else { return }
    let voters = planted == .staleVoterSet ? leadership.votersAtStart : log.voters
    let ends = voters.voters.map { voter -> Offset in
      if voter.isSame(as: local.key) {
        return planted == .acknowledgedBeforePersisted ? log.end : log.persistedEnd
      }
      return leadership.progress.first { voter.isSame(as: $0.key) }?.end ?? .none
    }.sorted(by: >)
    guard !ends.isEmpty else { return }
    let committed = min(ends[ends.count / 2], log.end)
    guard committed > highWatermark,
      committed > leadership.start || planted == .olderEpochCommittedByCounting
    else { return }
    highWatermark = committed
    step.effects.append(.highWatermark(committed))
    if let change = leadership.change, change.offset < committed {
      leadership.change = nil
      role = .leader(leadership)
      answer(change, .none, &step)
    }
    wakeParked(&step)
    if !isVoter, let offset = log.votersOffset, offset < committed { resign(&step) }
  }

  // MARK: Fetch

  mutating func serve(_ request: FetchRequest, _ token: Token, _ step: inout Step) {
    if request.offset < .zero || request.lastFetchedEpoch.value < 0 || request.lastFetchedEpoch > request.epoch
      || request.maxWait < .zero || request.replica.id == local.key.id
    {
      step.effects.append(.answer(fetchAnswer(.nothing, .invalidRequest), token))
      return
    }
    if let error = leaderError(for: request.epoch) {
      step.effects.append(.answer(fetchAnswer(.nothing, error), token))
      return
    }
    switch position(of: request) {
    case .diverging(let end): step.effects.append(.answer(fetchAnswer(.diverging(end)), token))
    case .snapshot(let id): step.effects.append(.answer(fetchAnswer(.snapshot(id)), token))
    case .valid:
      let before = highWatermark
      note(request.replica, end: request.offset, &step)
      advanceHighWatermark(&step)
      guard case .leader(var leadership) = role else {
        step.effects.append(.answer(fetchAnswer(.nothing, .notLeaderOrFollower), token))
        return
      }
      if request.offset < log.end {
        step.effects.append(.answer(fetchAnswer(.range(from: request.offset, to: log.end)), token))
      } else if request.maxWait == .zero || highWatermark > before
        || leadership.parked.count > settings.observersMax
      {
        step.effects.append(.answer(fetchAnswer(.nothing), token))
      } else {
        // A replica that asks again does not wait for the older question any more.
        for old in leadership.parked where old.request.replica == request.replica {
          step.effects.append(.answer(fetchAnswer(.nothing), old.token))
        }
        leadership.parked.removeAll { $0.request.replica == request.replica }
        leadership.parked.append(Parked(token: token, request: request, deadline: step.now + request.maxWait))
        role = .leader(leadership)
      }
    }
  }

  func fetchAnswer(_ fetched: Fetched, _ error: ErrorCode = .none) -> Answer {
    .fetch(head(error), highWatermark: highWatermark, fetched)
  }

  private func position(of request: FetchRequest) -> LogIndex.Position {
    let position = log.position(of: request.offset, epoch: request.lastFetchedEpoch)
    if planted == .skippedTruncation, case .diverging = position, request.offset <= log.end { return .valid }
    return position
  }

  /// There is something to say to those who wait: records, or that more is committed.
  private mutating func wakeParked(_ step: inout Step) {
    guard case .leader(var leadership) = role, !leadership.parked.isEmpty else { return }
    let parked = leadership.parked
    leadership.parked = []
    role = .leader(leadership)
    for waiting in parked {
      let offset = waiting.request.offset
      step.effects.append(
        .answer(fetchAnswer(offset < log.end ? .range(from: offset, to: log.end) : .nothing), waiting.token))
    }
  }

  /// A replica has everything before an offset.
  private mutating func note(_ replica: ReplicaKey, end: Offset, _ step: inout Step) {
    guard case .leader(var leadership) = role, replica.id.value >= 0 else { return }
    let caughtUp = end == log.end ? step.now : nil
    if let at = leadership.progress.firstIndex(where: { $0.key == replica }) {
      leadership.progress[at].end = end
      leadership.progress[at].lastFetch = step.now
      if let caughtUp { leadership.progress[at].caughtUp = caughtUp }
    } else {
      leadership.progress.removeAll {
        !log.voters.contains($0.key) && step.now - $0.lastFetch > settings.observerSession
      }
      if leadership.progress.count < settings.observersMax || log.voters.contains(replica) {
        leadership.progress.append(Progress(key: replica, end: end, lastFetch: step.now, caughtUp: caughtUp))
      }
    }
    role = .leader(leadership)
    noteContact(replica, &step)
  }

  /// A majority of the voters that still asks is why a leader may believe that it leads.
  mutating func noteContact(_ replica: ReplicaKey, _ step: inout Step) {
    guard case .leader(var leadership) = role, log.voters.contains(replica) else { return }
    if !leadership.fetched.contains(replica.id) { leadership.fetched.append(replica.id) }
    let ours = isVoter ? 1 : 0
    if leadership.fetched.count(where: { log.voters.contains($0) }) + ours >= log.voters.majority {
      leadership.fetched = []
      leadership.quorumDeadline = step.now + quorumTimeout
    }
    role = .leader(leadership)
  }
}
