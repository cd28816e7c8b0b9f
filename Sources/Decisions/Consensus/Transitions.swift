import Vocabulary

// The ways from one role to the next. Each persists what it promises before anything else is done.

extension Quorum {
  /// A newer epoch, of which no leader is known.
  mutating func becomeUnattached(in epoch: LeaderEpoch, _ step: inout Step) {
    if planted == .leaderStaysOn, isLeader { return }
    // Whoever was about to stand keeps its turn, or a busy neighbour could put it off for ever.
    let deadline: Instant
    switch role {
    case .unattached(let current), .voted(let current): deadline = isVoter ? current : .never
    case .prospective(let campaign), .candidate(let campaign): deadline = campaign.deadline
    case .leader, .follower, .resigned: deadline = electionDeadline(&step)
    }
    record(ElectionRecord(epoch: epoch), &step)
    leave(for: .unattached(electionDeadline: deadline == .never ? electionDeadline(&step) : deadline), &step)
  }

  mutating func becomeFollower(of leader: NodeID, in epoch: LeaderEpoch, _ step: inout Step) {
    if planted == .leaderStaysOn, isLeader { return }
    let vote = epoch == election.epoch ? election.votedFor : nil
    record(ElectionRecord(epoch: epoch, votedFor: vote, leader: leader), &step)
    leave(for: .follower(following(leader, &step)), &step)
  }

  /// An election would be tried; whether it would be won is asked first.
  mutating func becomeProspective(losses: Int, _ step: inout Step) {
    leave(
      for: .prospective(
        Campaign(granted: [local.key.id], deadline: electionDeadline(&step), losses: losses)), &step)
    decideCampaign(&step)
  }

  /// Nobody would vote for us: back to where we were.
  mutating func endProspect(losses: Int, _ step: inout Step) {
    if let leader = election.leader {
      leave(for: .follower(following(leader, &step)), &step)
    } else {
      let deadline = electionDeadline(&step)
      leave(
        for: election.votedFor == nil
          ? .unattached(electionDeadline: deadline) : .voted(electionDeadline: deadline), &step)
    }
  }

  mutating func becomeCandidate(losses: Int, _ step: inout Step) {
    guard election.epoch.value < .max else { return }
    let next = planted == .epochNotBumped ? election.epoch : LeaderEpoch(election.epoch.value + 1)
    record(ElectionRecord(epoch: next, votedFor: local.key), &step)
    leave(
      for: .candidate(
        Campaign(granted: [local.key.id], deadline: electionDeadline(&step), losses: losses)), &step)
    decideCampaign(&step)
  }

  mutating func becomeLeader(_ campaign: Campaign, _ step: inout Step) {
    record(ElectionRecord(epoch: election.epoch, votedFor: local.key, leader: local.key.id), &step)
    let leadership = Leadership(
      epoch: election.epoch, start: log.end, quorumDeadline: step.now + quorumTimeout, nextBegin: step.now,
      votersAtStart: log.voters)
    leave(for: .leader(leadership), &step)
    let granting = campaign.granted.sorted()
    var content: [LogBatch.Content] = [
      .leaderChange(local.key.id, voters: log.voters.voters.map(\.key.id), grantedBy: granting)
    ]
    // A set that came from outside is found in the log from now on; and who leads at another address than the log has is
    // nobody's follower, who would have it changed.
    let voters = local.namesNoHost ? log.voters : log.voters.replacing(local)
    if !log.votersAreInTheLog || voters != log.voters { content.append(.voters(voters)) }
    append(content.map { ($0, 1) }, &step)
    step.effects.append(.becameLeader(election.epoch, start: leadership.start))
    advanceHighWatermark(&step)
  }

  /// The leader's epoch is over although no newer one has begun: it lost its majority, was removed, or is asked to go.
  mutating func resign(_ step: inout Step) {
    guard case .leader(let leadership) = role else { return }
    let successors = log.voters.voters.filter { !$0.isSame(as: local.key) }
      .map { voter in (voter.key, leadership.progress.first { voter.isSame(as: $0.key) }?.end ?? .none) }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map(\.0)
    leave(for: .resigned(Resignation(successors: successors, deadline: anyElectionDeadline(&step))), &step)
  }

  /// The time without Fetch requests of a majority after which a leader gives up: one and a half fetch timeouts, so
  /// that its followers have noticed before.
  var quorumTimeout: TimeSpan { TimeSpan(nanoseconds: settings.fetchTimeout.nanoseconds / 2 * 3) }

  private mutating func record(_ next: ElectionRecord, _ step: inout Step) {
    guard next != election else { return }
    let known = leader
    election = next
    step.persist(next)
    if next.leader != known { step.effects.append(.leaderChanged(next.leader, next.epoch)) }
  }

  /// Whatever the old role owed to others is answered now; whatever it had asked is forgotten.
  private mutating func leave(for next: Role, _ step: inout Step) {
    let old = role
    role = next
    requests.forgetAll()
    guard case .leader(let leadership) = old else { return }
    step.effects.append(.lostLeadership(leadership.epoch))
    for parked in leadership.parked {
      step.effects.append(
        .answer(.fetch(head(.notLeaderOrFollower), highWatermark: highWatermark, .nothing), parked.token))
    }
    if let change = leadership.change { answer(change, .notLeaderOrFollower, &step) }
  }
}
