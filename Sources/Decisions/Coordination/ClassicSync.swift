import Vocabulary

// What members send once they are in a generation: SyncGroup, Heartbeat and LeaveGroup.

extension ClassicGroup {
  mutating func sync(_ request: SyncRequest, _ token: Token, _ turn: inout Turn) {
    if let error = refusal(of: request) { return turn.answer(token, .sync(SyncAnswer(error: error))) }
    let member = request.member
    switch state {
    case .empty:
      turn.answer(token, .sync(SyncAnswer(error: .unknownMemberId)))
    case .gathering:
      turn.answer(token, .sync(SyncAnswer(error: .rebalanceInProgress)))
    case .awaitingAssignment(var unsynced, let until):
      unsynced.remove(member)
      state = .awaitingAssignment(unsynced: unsynced, until: until)
      answer(roster.wait(member, for: .sync(token)), of: member, with: .rebalanceInProgress, &turn)
      if leader == member { assign(request.assignments, unsynced, until, &turn) }
    case .stable(var unsynced, let until):
      unsynced.remove(member)
      state = .stable(unsynced: unsynced, until: until)
      turn.answer(token, .sync(assignment(of: member)))
    }
  }

  private func refusal(of request: SyncRequest) -> ErrorCode? {
    if let error = refusal(of: request.member, request.instance) { return error }
    if request.generation != generation { return .illegalGeneration }
    if let type = request.protocolType, let ours = protocolType, type != ours { return .inconsistentGroupProtocol }
    if let name = request.protocolName, let ours = choice?.name, name != ours { return .inconsistentGroupProtocol }
    return nil
  }

  /// The leader has spoken: everyone who waits gets its part, once the group's record is committed.
  private mutating func assign(
    _ assignments: [MemberID: [UInt8]], _ unsynced: Set<MemberID>, _ until: Instant, _ turn: inout Turn
  ) {
    for member in roster.ids { roster.setAssignment(of: member, assignments[member] ?? []) }
    let before = (state, stateSince)
    transition(to: .stable(unsynced: unsynced, until: until), at: turn.now)
    let record = GroupRecord.classicGroup(id, record)
    if turn.isTooLarge(record) {
      // It could not be kept: nobody learns it, and all try again.
      (state, stateSince) = before
      for member in roster.ids { roster.setAssignment(of: member, []) }
      answerSyncs(with: .unknownServerError, &turn)
      return rebalance(&turn)
    }
    turn.append([record])
    for member in roster.ids {
      guard case .sync(let token) = roster[member]?.waiting else { continue }
      _ = roster.wait(member, for: .nothing)
      turn.answer(token, .sync(assignment(of: member)))
      renewSession(of: member, at: turn.now)
    }
  }

  private func assignment(of member: MemberID) -> SyncAnswer {
    var answer = SyncAnswer(error: .none)
    answer.protocolType = protocolType
    answer.protocolName = choice?.name
    answer.assignment = roster[member]?.assignment ?? []
    return answer
  }

  mutating func heartbeat(_ request: HeartbeatRequest, at now: Moment) -> ErrorCode {
    if let error = refusal(of: request.member, request.instance) { return error }
    if request.generation != generation { return .illegalGeneration }
    switch state {
    case .empty: return .unknownMemberId
    case .gathering:
      renewIfIdle(request.member, at: now)
      return .rebalanceInProgress
    case .awaitingAssignment, .stable:
      renewIfIdle(request.member, at: now)
      return .none
    }
  }

  /// A member that waits for an answer has no session to renew; a heartbeat of it was sent before.
  mutating func renewIfIdle(_ member: MemberID, at now: Moment) {
    if roster[member]?.seniority == .settled { renewSession(of: member, at: now) }
  }

  mutating func leave(_ request: LeaveRequest, _ token: Token, _ turn: inout Turn) {
    var members: [LeaveAnswer.Left] = []
    let countBefore = roster.count
    for leaver in request.members {
      members.append(
        LeaveAnswer.Left(member: leaver.member, instance: leaver.instance, error: leave(leaver, &turn)))
    }
    if roster.count < countBefore { rebalanceOrCompleteJoin(&turn) } else { completeJoinIfEveryoneIsThere(&turn) }
    turn.answer(token, .leave(LeaveAnswer(error: .none, members: members)))
  }

  private mutating func leave(_ leaver: LeaveRequest.Leaver, _ turn: inout Turn) -> ErrorCode {
    var member = leaver.member
    if member.isUnknown {
      // An administrator removes static members by instance alone.
      guard let instance = leaver.instance, let current = roster.statics[instance] else { return .unknownMemberId }
      member = current
    } else if pending[member] == nil, let error = refusal(of: member, leaver.instance) {
      return error
    }
    remove(member, answering: .unknownMemberId, &turn)
    return .none
  }
}
