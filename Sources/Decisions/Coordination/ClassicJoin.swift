import Vocabulary

// JoinGroup: a member comes, comes again, or comes back under its instance id.

extension ClassicGroup {
  mutating func join(_ request: JoinRequest, _ token: Token, _ turn: inout Turn) {
    guard accepts(request.member, turn.settings) else {
      refuseForSize(request.member, &turn)
      return turn.answer(token, .join(JoinAnswer(error: .groupMaxSizeReached, member: .unknown)))
    }
    guard supports(request) else {
      return turn.answer(token, .join(JoinAnswer(error: .inconsistentGroupProtocol, member: request.member)))
    }
    if request.member.isUnknown {
      joinUnknown(request, token, &turn)
    } else if pending[request.member] != nil {
      // An id that was made for a dynamic member cannot turn static.
      if request.instance != nil {
        return turn.answer(token, .join(JoinAnswer(error: .unknownMemberId, member: request.member)))
      }
      add(request, as: request.member, token, &turn)
    } else if let error = refusal(of: request.member, request.instance) {
      turn.answer(token, .join(JoinAnswer(error: error, member: request.member)))
    } else {
      rejoin(request, token, &turn)
    }
  }

  /// Whether one more member may come. While members gather, those that wait count, so that the ones that come first
  /// stay.
  private func accepts(_ member: MemberID, _ settings: GroupSettings) -> Bool {
    switch state {
    case .empty: true
    case .gathering: roster[member]?.awaitsJoin == true || roster.joining < settings.classicMembersMax
    case .awaitingAssignment, .stable: roster[member] != nil || roster.count < settings.classicMembersMax
    }
  }

  private mutating func refuseForSize(_ member: MemberID, _ turn: inout Turn) {
    guard pending[member] != nil || roster[member] != nil else { return }
    remove(member, answering: .groupMaxSizeReached, &turn)
    completeJoinIfEveryoneIsThere(&turn)
  }

  private func supports(_ request: JoinRequest) -> Bool {
    if isEmpty { return !request.protocolType.isEmpty && !request.protocols.isEmpty }
    return protocolType == request.protocolType && request.protocols.contains { roster.isSupportedByAll($0.name) }
  }

  private mutating func joinUnknown(_ request: JoinRequest, _ token: Token, _ turn: inout Turn) {
    let fresh = MemberID("\(request.instance?.text ?? request.client.id)-\(request.nonce)")
    if let instance = request.instance {
      if let old = roster.statics[instance] {
        replace(old, with: fresh, request, token, &turn)
      } else {
        add(request, as: fresh, token, &turn)
      }
      return
    }
    switch request.unknownMember {
    case .mustRejoinWithItsID:
      let end = turn.now.instant + request.sessionTimeout
      pending[fresh] = end
      alarm(at: end)
      turn.answer(token, .join(JoinAnswer(error: .memberIdRequired, member: fresh)))
    case .joinsAtOnce:
      add(request, as: fresh, token, &turn)
    }
  }

  private mutating func add(_ request: JoinRequest, as id: MemberID, _ token: Token, _ turn: inout Turn) {
    guard roster[id] == nil else {
      // Two requests cannot share a nonce; a caller that repeats one gets a refusal and not a crash.
      return turn.answer(token, .join(JoinAnswer(error: .unknownMemberId, member: id)))
    }
    pending[id] = nil
    if roster.isEmpty { protocolType = request.protocolType }
    if leader == nil { leader = id }
    var member = ClassicMember(
      id: id, instance: request.instance, client: request.client, sessionTimeout: request.sessionTimeout,
      rebalanceTimeout: request.rebalanceTimeout, protocols: request.protocols)
    member.seniority = .new
    member.sessionEnds = turn.now.instant + turn.settings.newMemberJoinTimeout
    alarm(at: member.sessionEnds)
    roster.add(member)
    if case .gathering(.initial(let until, let remaining, _)) = state {
      state = .gathering(.initial(until: until, remaining: remaining, grew: true))
    }
    wait(id, toJoin: token, &turn)
    rebalanceOrCompleteJoin(&turn)
  }

  private mutating func rejoin(_ request: JoinRequest, _ token: Token, _ turn: inout Turn) {
    let member = request.member
    let unchanged = roster[member].map { sameProtocols($0.protocols, request.protocols) } ?? false
    switch state {
    case .empty:
      turn.answer(token, .join(JoinAnswer(error: .unknownMemberId, member: member)))
    case .awaitingAssignment where unchanged:
      // Its answer got lost: the generation is still its own.
      turn.answer(token, .join(currentGeneration(for: member)))
    case .stable where unchanged && leader != member:
      turn.answer(token, .join(currentGeneration(for: member)))
    case .gathering, .awaitingAssignment, .stable:
      update(member, from: request)
      wait(member, toJoin: token, &turn)
      rebalanceOrCompleteJoin(&turn)
    }
  }

  private func sameProtocols(_ a: [MemberProtocol], _ b: [MemberProtocol]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.name == $1.name && $0.metadata == $1.metadata }
  }

  private mutating func update(_ member: MemberID, from request: JoinRequest) {
    roster.update(member) {
      $0.protocols = request.protocols
      $0.sessionTimeout = request.sessionTimeout
      $0.rebalanceTimeout = request.rebalanceTimeout
    }
  }

  /// What a member learns that joins, or joined, the generation there is.
  func currentGeneration(for member: MemberID) -> JoinAnswer {
    var answer = JoinAnswer(error: .none, member: member)
    answer.generation = generation
    answer.protocolType = protocolType
    answer.protocolName = choice?.name
    answer.leader = leader ?? .unknown
    if leader == member { answer.members = everyone }
    return answer
  }

  private var everyone: [JoinedMember] {
    roster.ordered.map { member in
      JoinedMember(
        member: member.id, instance: member.instance, metadata: choice.map { member.metadata(for: $0.name) } ?? [])
    }
  }

  /// A static member is back under a new id and without having left (KIP-345): the old id is fenced from now on.
  /// A stable group stays as it is, if the choice of protocol does (KIP-814).
  private mutating func replace(
    _ old: MemberID, with fresh: MemberID, _ request: JoinRequest, _ token: Token, _ turn: inout Turn
  ) {
    guard roster[fresh] == nil, let before = roster.remove(old) else {
      return turn.answer(token, .join(JoinAnswer(error: .unknownMemberId, member: fresh)))
    }
    answer(before, with: .fencedInstanceId, &turn)
    let leaderBefore = leader
    if leader == old { leader = fresh }
    roster.add(
      ClassicMember(
        id: fresh, instance: request.instance, client: request.client, sessionTimeout: request.sessionTimeout,
        rebalanceTimeout: request.rebalanceTimeout, protocols: request.protocols, assignment: before.assignment))
    renewSession(of: fresh, at: turn.now)
    renameUnsynced(old, fresh)
    let record = GroupRecord.classicGroup(id, record)
    switch state {
    case .stable where roster.choice() == choice?.name && !turn.isTooLarge(record):
      turn.append([record])
      var answer = currentGeneration(for: fresh)
      switch request.skipping {
      case .supported: answer.duty = leader == fresh ? .skipAssignment : .assign
      case .unsupported:
        // Told the old leader's id, the member believes to be a follower and assigns nothing.
        answer.leader = leaderBefore ?? .unknown
        answer.members = []
      }
      turn.answer(token, .join(answer))
    case .empty, .gathering, .awaitingAssignment, .stable:
      wait(fresh, toJoin: token, &turn)
      rebalanceOrCompleteJoin(&turn)
    }
  }

  private mutating func renameUnsynced(_ old: MemberID, _ fresh: MemberID) {
    guard case .stable(var unsynced, let until) = state, unsynced.remove(old) != nil else { return }
    unsynced.insert(fresh)
    state = .stable(unsynced: unsynced, until: until)
  }
}
