public import Vocabulary

// What a role does by itself: because its time has come, or because a node is free to be asked.

extension Quorum {
  /// When `Input.tick` is due at the latest.
  public var nextDeadline: Instant {
    let ofRole: Instant
    switch role {
    case .unattached(let deadline), .voted(let deadline): ofRole = isVoter ? deadline : .never
    case .prospective(let campaign), .candidate(let campaign): ofRole = campaign.deadline
    case .resigned(let resignation): ofRole = resignation.deadline
    case .follower(let following): ofRole = following.fetchDeadline
    case .leader(let leadership):
      ofRole = min(
        min(leadership.quorumDeadline, leadership.nextBegin),
        min(leadership.parked.map(\.deadline).min() ?? .never, leadership.change?.deadline ?? .never))
    }
    return min(ofRole, requests.nextDeadline)
  }

  mutating func poll(_ step: inout Step) {
    // Each transition can bring the next: the only voter goes from start to leader in one step.
    for _ in 0..<8 {
      guard let next = dueTransition(at: step.now) else { break }
      perform(next, &step)
    }
    switch role {
    case .unattached, .voted: if !isVoter { askAnybody(&step) }
    case .prospective(let campaign): canvass(.preVote, campaign, &step)
    case .candidate(let campaign): if !campaign.isBackingOff { canvass(.vote, campaign, &step) }
    case .leader: lead(&step)
    case .follower: follow(&step)
    case .resigned(let resignation): sayGoodbye(resignation, &step)
    }
  }

  private enum Transition {
    case wait
    case prospect(losses: Int)
    case endProspect(losses: Int)
    case endResignation
    case resign
  }

  private func dueTransition(at now: Instant) -> Transition? {
    switch role {
    case .unattached(let deadline), .voted(let deadline):
      guard isVoter else { return nil }
      if deadline == .never { return .wait }
      return deadline <= now ? .prospect(losses: 0) : nil
    case .prospective(let campaign):
      return campaign.deadline <= now || !isVoter ? .endProspect(losses: campaign.losses) : nil
    case .candidate(let campaign):
      return campaign.deadline <= now || !isVoter ? .prospect(losses: campaign.losses + 1) : nil
    case .leader(let leadership):
      let others = log.voters.voters.contains { !$0.isSame(as: local.key) }
      return others && leadership.quorumDeadline <= now ? .resign : nil
    case .follower(let following):
      return isVoter && following.fetchDeadline <= now ? .prospect(losses: 0) : nil
    case .resigned(let resignation):
      return resignation.deadline <= now ? .endResignation : nil
    }
  }

  private mutating func perform(_ transition: Transition, _ step: inout Step) {
    switch transition {
    case .wait:
      let deadline = electionDeadline(&step)
      role = election.votedFor == nil ? .unattached(electionDeadline: deadline) : .voted(electionDeadline: deadline)
    case .prospect(let losses): becomeProspective(losses: losses, &step)
    case .endProspect(let losses): endProspect(losses: losses, &step)
    case .resign:
      if planted == .leaderStaysOn, case .leader(var leadership) = role {
        leadership.quorumDeadline = step.now + quorumTimeout
        role = .leader(leadership)
      } else {
        resign(&step)
      }
    case .endResignation:
      // The epoch is used up: this replica can neither lead in it again nor follow anybody else.
      guard election.epoch.value < .max else {
        role = .resigned(Resignation(successors: [], deadline: .never))
        return
      }
      becomeUnattached(in: LeaderEpoch(election.epoch.value + 1), &step)
      if log.voters.count == 1 && isVoter { role = .unattached(electionDeadline: step.now) }
    }
  }

  private mutating func canvass(_ kind: VoteRequest.Kind, _ campaign: Campaign, _ step: inout Step) {
    for voter in log.voters.voters where voter.key.id != local.key.id {
      let id = voter.key.id
      guard !campaign.granted.contains(id), !campaign.denied.contains(id) else { continue }
      // What is not durable may be gone after a restart, and the vote would still stand: it is not claimed.
      let request = VoteRequest(
        kind, candidate: local.key, voter: voter.key, epoch: election.epoch,
        lastEpoch: log.epoch(before: log.persistedEnd), end: log.persistedEnd)
      send(.vote(request), .vote, to: id, &step)
    }
  }

  private mutating func lead(_ step: inout Step) {
    guard case .leader(var leadership) = role else { return }
    if let change = leadership.change, change.deadline <= step.now {
      leadership.change = nil
      answer(change, .requestTimedOut, &step)
    }
    let due = leadership.parked.filter { $0.deadline <= step.now }
    leadership.parked.removeAll { $0.deadline <= step.now }
    for parked in due { step.effects.append(.answer(fetchAnswer(.nothing), parked.token)) }
    let begins = leadership.nextBegin <= step.now
    if begins {
      leadership.nextBegin = step.now + TimeSpan(nanoseconds: max(1, settings.fetchTimeout.nanoseconds / 2))
    }
    // Alone, there is nobody to lose.
    if !log.voters.voters.contains(where: { !$0.isSame(as: local.key) }), leadership.quorumDeadline <= step.now {
      leadership.quorumDeadline = step.now + quorumTimeout
    }
    role = .leader(leadership)
    guard begins else { return }
    for voter in log.voters.voters where !voter.isSame(as: local.key) {
      let request = BeginQuorumEpoch(leader: local.key.id, epoch: election.epoch, voter: voter.key)
      send(.beginQuorumEpoch(request), .begin, to: voter.key.id, &step)
    }
  }

  private mutating func sayGoodbye(_ resignation: Resignation, _ step: inout Step) {
    let request = EndQuorumEpoch(
      leader: local.key.id, epoch: election.epoch, successors: resignation.successors)
    for voter in log.voters.voters where voter.key.id != local.key.id {
      guard !resignation.acknowledged.contains(voter.key.id) else { continue }
      send(.endQuorumEpoch(request), .end, to: voter.key.id, &step)
    }
  }

  private mutating func follow(_ step: inout Step) {
    guard case .follower(var following) = role else { return }
    if isVoter && following.isOutOfTouch {
      following.isOutOfTouch = false
      following.fetchDeadline = step.now + settings.fetchTimeout
      role = .follower(following)
    } else if !isVoter, following.fetchDeadline <= step.now {
      following.isOutOfTouch = true
      following.fetchDeadline = .never
      following.snapshot = nil
      role = .follower(following)
    }
    if !isVoter, following.snapshot == nil, following.isOutOfTouch || !isFree(following.leader) {
      return askAnybody(&step)
    }
    // A Fetch is nearly always under way: the update takes the turn of the next one.
    if isVoter, following.nextUpdate <= step.now, requests.isReady(following.leader) {
      following.nextUpdate = step.now + settings.fetchTimeout
      role = .follower(following)
      if let known = log.voters.voter(local.key.id), known != local, !local.namesNoHost {
        send(
          .updateVoter(UpdateVoter(epoch: election.epoch, voter: local)), .update, to: following.leader, &step)
      }
    }
    guard let download = following.snapshot else { return fetch(from: following.leader, &step) }
    guard download.phase == .fetching else { return }
    let request = FetchSnapshotRequest(
      replica: local.key, epoch: election.epoch, snapshot: download.id, position: download.position)
    send(.fetchSnapshot(request), .fetchSnapshot, to: following.leader, &step)
  }

  /// An observer that knows of no leader, or does not reach it, asks around: whoever answers names the leader.
  private mutating func askAnybody(_ step: inout Step) {
    guard !requests.isUnderWay(.fetch), !requests.isUnderWay(.fetchSnapshot) else { return }
    let known = settings.bootstrap + log.voters.voters.map(\.key.id)
    let free = Set(known).filter { $0 != local.key.id && requests.isReady($0) }.sorted()
    guard !free.isEmpty else { return }
    fetch(from: free[Int(step.draw(below: UInt64(free.count)))], &step)
  }

  /// The next record is asked for when the one before is durable, because asking acknowledges it.
  private mutating func fetch(from node: NodeID, _ step: inout Step) {
    guard log.persistedEnd == log.end || planted == .acknowledgedBeforePersisted else { return }
    // An observer may have asked somebody else, who is the leader under another name, while the leader did not answer:
    // the same records must not come twice.
    guard !requests.isUnderWay(.fetch) else { return }
    let request = FetchRequest(
      replica: local.key, epoch: election.epoch, offset: log.end, lastFetchedEpoch: log.lastEpoch,
      maxWait: settings.fetchMaxWait)
    send(.fetch(request), .fetch, to: node, &step)
  }

  private func isFree(_ node: NodeID) -> Bool {
    requests.isReady(node) || requests.isUnderWay(.fetch) || requests.isUnderWay(.fetchSnapshot)
  }

  private mutating func send(_ request: Request, _ kind: RequestTable.Kind, to node: NodeID, _ step: inout Step) {
    guard requests.isReady(node) else { return }
    let id = requests.start(kind, to: node, deadline: step.now + settings.requestTimeout)
    step.effects.append(.send(request, id, to: node))
  }
}
