import Vocabulary

extension Quorum {
  mutating func vote(on request: VoteRequest, _ token: Token, _ step: inout Step) {
    let (error, ballot) = decide(on: request, &step)
    step.effects.append(.answer(.vote(head(error), ballot), token))
  }

  private mutating func decide(on request: VoteRequest, _ step: inout Step) -> (ErrorCode, Ballot) {
    let logIsPossible: Bool
    switch request.kind {
    case .preVote: logIsPossible = request.lastEpoch <= request.epoch
    case .vote: logIsPossible = request.lastEpoch < request.epoch || planted == .epochNotBumped
    }
    guard logIsPossible, request.end >= .zero, request.lastEpoch.value >= 0, request.candidate.id.value >= 0,
      request.candidate.id != local.key.id
    else { return (.invalidRequest, .denied) }
    if request.epoch < election.epoch { return (.fencedLeaderEpoch, .denied) }
    if request.epoch > election.epoch { becomeUnattached(in: request.epoch, &step) }
    guard isMeant(by: request.voter) else { return (.invalidVoterKey, .denied) }
    guard grants(request) else { return (.none, .denied) }
    if request.kind == .vote, election.votedFor != request.candidate {
      election.votedFor = request.candidate
      if planted != .forgottenVote { step.persist(election) }
      role = .voted(electionDeadline: electionDeadline(&step))
      requests.forgetAll()
    }
    return (.none, .granted)
  }

  /// Whether a vote would be given. Who does not vote by its own log gives one all the same: the set in which the
  /// candidate stands may be newer.
  private func grants(_ request: VoteRequest) -> Bool {
    let logIsGood =
      (request.lastEpoch, request.end) >= (log.lastEpoch, log.end) || planted == .voteWithoutLookingAtTheLog
    switch request.kind {
    case .preVote:
      switch role {
      case .leader: return false
      case .follower(let following): return logIsGood && following.contact == .none
      case .unattached, .voted, .prospective, .candidate, .resigned: return logIsGood
      }
    case .vote:
      if election.leader != nil { return false }
      switch role {
      case .leader, .follower, .resigned, .candidate: return false
      case .unattached, .voted, .prospective:
        guard let given = election.votedFor else { return logIsGood }
        return Voter(given).isSame(as: request.candidate) && logIsGood
      }
    }
  }

  mutating func count(_ ballot: Ballot, by voter: NodeID, _ step: inout Step) {
    switch role {
    case .prospective(var campaign):
      campaign.record(ballot, by: voter)
      role = .prospective(campaign)
    case .candidate(var campaign):
      campaign.record(ballot, by: voter)
      role = .candidate(campaign)
    case .unattached, .voted, .leader, .follower, .resigned: return
    }
    decideCampaign(&step)
  }

  mutating func decideCampaign(_ step: inout Step) {
    switch role {
    case .prospective(let campaign):
      if campaign.isWon(among: log.voters) {
        becomeCandidate(losses: campaign.losses, &step)
      } else if campaign.isLost(among: log.voters) {
        endProspect(losses: campaign.losses, &step)
      }
    case .candidate(var campaign):
      if campaign.isWon(among: log.voters) {
        becomeLeader(campaign, &step)
      } else if campaign.isLost(among: log.voters), !campaign.isBackingOff {
        campaign.isBackingOff = true
        campaign.deadline = step.now + backoff(after: campaign.losses, &step)
        role = .candidate(campaign)
      }
    case .unattached, .voted, .leader, .follower, .resigned: break
    }
  }

  /// Up to twice as long after each lost election, so that candidates who split the votes part.
  private func backoff(after losses: Int, _ step: inout Step) -> TimeSpan {
    let steps = Int64(step.draw(below: 2 << UInt64(min(losses, 10))))
    return min(settings.electionBackoffMax, TimeSpan.milliseconds(100 * steps))
  }

  mutating func begin(_ request: BeginQuorumEpoch, _ token: Token, _ step: inout Step) {
    var error = accept(leader: request.leader, request.epoch, &step)
    if error == .none && !isMeant(by: request.voter) { error = .invalidVoterKey }
    step.effects.append(.answer(.beginQuorumEpoch(head(error)), token))
  }

  mutating func end(_ request: EndQuorumEpoch, _ token: Token, _ step: inout Step) {
    let error = accept(leader: request.leader, request.epoch, &step)
    if error == .none, case .follower(var following) = role, following.leader == request.leader {
      following.fetchDeadline = step.now + wait(among: request.successors)
      following.contact = .none
      role = .follower(following)
    }
    step.effects.append(.answer(.endQuorumEpoch(head(error)), token))
  }

  private mutating func accept(leader: NodeID, _ epoch: LeaderEpoch, _ step: inout Step) -> ErrorCode {
    if leader.value < 0 || leader == local.key.id { return .invalidRequest }
    if epoch < election.epoch { return .fencedLeaderEpoch }
    return learn(leader, epoch, &step) ? .none : .invalidRequest
  }

  /// The first successor stands at once, and each further one waits twice as long as the one before.
  private func wait(among successors: [ReplicaKey]) -> TimeSpan {
    guard let place = successors.firstIndex(where: { isMeant(by: $0) }) else { return settings.electionBackoffMax }
    if place == 0 { return .zero }
    let unit = settings.electionBackoffMax.nanoseconds >> Int64(min(successors.count - 1, 62))
    let shift = min(place - 1, 30)
    return min(settings.electionBackoffMax, TimeSpan(nanoseconds: unit << Int64(shift)))
  }
}
