import Vocabulary

// The requests of classic groups, found their group.

extension GroupCoordinator {
  /// JoinGroup. The answer may come much later: when the join phase is over.
  ///
  /// Refusals: INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
  /// GROUP_MAX_SIZE_REACHED, and INCONSISTENT_GROUP_PROTOCOL: no protocol that all members support, another protocol
  /// type, or members that use KIP-848. MEMBER_ID_REQUIRED asks to join again with the id in the answer (KIP-394).
  public mutating func join(
    _ request: JoinRequest, _ token: Token, at now: Moment, into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      if let error = coordinator.refusal(of: request) {
        return turn.answer(token, .join(JoinAnswer(error: error, member: request.member)))
      }
      var request = request
      request.protocols = Self.withoutRepetition(request.protocols)
      coordinator.replaceEmptyConsumerGroup(request.group, &turn)
      if coordinator.classic[request.group] != nil {
        coordinator.withClassic(request.group) { $0.join(request, token, &turn) }
      } else {
        coordinator.createByJoin(request, token, &turn)
      }
    }
  }

  private func refusal(of request: JoinRequest) -> ErrorCode? {
    if request.group.text.isEmpty { return .invalidGroupId }
    if request.sessionTimeout < settings.sessionTimeoutMin || request.sessionTimeout > settings.sessionTimeoutMax {
      return .invalidSessionTimeout
    }
    if let group = consumer[request.group], !group.isEmpty { return .inconsistentGroupProtocol }
    let exists = classic[request.group] != nil || consumer[request.group] != nil
    return !exists && !request.member.isUnknown ? .unknownMemberId : nil
  }

  /// A name that comes twice counts once, or its support would be counted wrong.
  private static func withoutRepetition(_ protocols: [MemberProtocol]) -> [MemberProtocol] {
    var seen: Set<String> = []
    return protocols.filter { seen.insert($0.name).inserted }
  }

  /// A group begins to exist with its first member, or with the first id it gives out.
  private mutating func createByJoin(_ request: JoinRequest, _ token: Token, _ turn: inout Turn) {
    var group = ClassicGroup(id: request.group, since: turn.now.time)
    let record = group.record
    var inner = Turn(now: turn.now, settings: turn.settings)
    group.join(request, token, &inner)
    if !group.roster.isEmpty || !group.pending.isEmpty {
      turn.append([.classicGroup(group.id, record)])
      alarms.set(group.id, at: group.wake)
      classic[group.id] = group
    }
    turn.effects += inner.effects
  }

  /// SyncGroup. A follower's answer comes with the leader's assignment.
  ///
  /// Refusals: INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
  /// INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS.
  public mutating func sync(
    _ request: SyncRequest, _ token: Token, at now: Moment, into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      let error: ErrorCode = request.group.text.isEmpty ? .invalidGroupId : .unknownMemberId
      guard coordinator.withClassic(request.group, { $0.sync(request, token, &turn) }) != nil else {
        return turn.answer(token, .sync(SyncAnswer(error: error)))
      }
    }
  }

  /// Heartbeat of a classic member: keeps its session, or tells it to rejoin with REBALANCE_IN_PROGRESS.
  public mutating func heartbeat(
    _ request: HeartbeatRequest, _ token: Token, at now: Moment, into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      let missing: ErrorCode = request.group.text.isEmpty ? .invalidGroupId : .unknownMemberId
      let answer = coordinator.withClassic(request.group) { $0.heartbeat(request, at: turn.now) }
      turn.answer(token, .heartbeat(answer ?? missing))
    }
  }

  /// LeaveGroup: each named member has an error of its own (KIP-345).
  public mutating func leave(
    _ request: LeaveRequest, _ token: Token, at now: Moment, into effects: inout [GroupEffect]
  ) {
    turn(at: now, into: &effects) { coordinator, turn in
      let error: ErrorCode = request.group.text.isEmpty ? .invalidGroupId : .unknownMemberId
      guard coordinator.withClassic(request.group, { $0.leave(request, token, &turn) }) != nil else {
        return turn.answer(token, .leave(LeaveAnswer(error: error, members: [])))
      }
    }
  }
}
