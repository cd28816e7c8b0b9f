import Vocabulary

// From one generation to the next: gathering members, ending the join phase, removing those that are gone.

extension ClassicGroup {
  /// A change that asks for a new generation: starts one, or, if members gather already, sees whether that was the last.
  mutating func rebalanceOrCompleteJoin(_ turn: inout Turn) {
    if isGathering { completeJoinIfEveryoneIsThere(&turn) } else { rebalance(&turn) }
  }

  mutating func rebalance(_ turn: inout Turn) {
    if case .awaitingAssignment = state { answerSyncs(with: .rebalanceInProgress, &turn) }
    if isEmpty {
      let delay = turn.settings.initialRebalanceDelay
      let remaining = max(roster.rebalanceTimeout.nanoseconds - delay.nanoseconds, 0)
      let gathering = Gathering.initial(
        until: turn.now.instant + delay, remaining: TimeSpan(nanoseconds: remaining), grew: false)
      transition(to: .gathering(gathering), at: turn.now)
    } else {
      let until = turn.now.instant + roster.rebalanceTimeout
      transition(to: .gathering(.rejoining(until: until)), at: turn.now)
      completeJoinIfEveryoneIsThere(&turn)
    }
  }

  /// An initial rebalance ends by its timer alone: the others are still to come.
  mutating func completeJoinIfEveryoneIsThere(_ turn: inout Turn) {
    guard case .gathering(.rejoining) = state, roster.joining == roster.count, pending.isEmpty else { return }
    completeJoin(&turn)
  }

  /// Ends the join phase. Dynamic members that did not come are out; static ones may be restarting and stay.
  mutating func completeJoin(_ turn: inout Turn) {
    for member in roster.ordered where !member.awaitsJoin && member.instance == nil {
      remove(member.id, answering: .unknownMemberId, &turn)
    }
    if !roster.isEmpty && !electLeaderAmongJoined() {
      // Only static members are left, and none of them is here.
      let until = turn.now.instant + roster.rebalanceTimeout
      return transition(to: .gathering(.rejoining(until: until)), at: turn.now)
    }
    generation = generation.next
    if roster.isEmpty {
      choice = nil
      transition(to: .empty, at: turn.now)
      turn.append([.classicGroup(id, record)])
      return
    }
    choice = roster.choice().map { Choice(name: $0, subscribedTopics: subscriptions(to: $0)) }
    let ids = roster.ids
    let until = turn.now.instant + roster.rebalanceTimeout
    transition(to: .awaitingAssignment(unsynced: Set(ids), until: until), at: turn.now)
    for member in ids {
      if case .join(let token) = roster.wait(member, for: .nothing) {
        turn.answer(token, .join(currentGeneration(for: member)))
      }
      roster.settle(member)
      renewSession(of: member, at: turn.now)
    }
  }

  private mutating func electLeaderAmongJoined() -> Bool {
    if let leader, roster[leader]?.awaitsJoin == true { return true }
    guard let next = roster.ids.first(where: { roster[$0]?.awaitsJoin == true }) else { return false }
    leader = next
    return true
  }

  /// Lets a member wait for the end of the join phase. A wait that it gave up for this one is answered, too.
  mutating func wait(_ member: MemberID, toJoin token: Token, _ turn: inout Turn) {
    answer(roster.wait(member, for: .join(token)), of: member, with: .rebalanceInProgress, &turn)
  }

  func answer(_ member: ClassicMember, with error: ErrorCode, _ turn: inout Turn) {
    answer(member.waiting, of: member.id, with: error, &turn)
  }

  func answer(_ waiting: ClassicMember.Waiting, of member: MemberID, with error: ErrorCode, _ turn: inout Turn) {
    switch waiting {
    case .nothing: break
    case .join(let token): turn.answer(token, .join(JoinAnswer(error: error, member: member)))
    case .sync(let token): turn.answer(token, .sync(SyncAnswer(error: error)))
    }
  }

  mutating func answerSyncs(with error: ErrorCode, _ turn: inout Turn) {
    for member in roster.ordered {
      guard case .sync(let token) = member.waiting else { continue }
      _ = roster.wait(member.id, for: .nothing)
      turn.answer(token, .sync(SyncAnswer(error: error)))
      renewSession(of: member.id, at: turn.now)
    }
  }

  /// Takes a member out, whether it had joined or only had its id. What follows for the group is the caller's to decide.
  mutating func remove(_ member: MemberID, answering error: ErrorCode, _ turn: inout Turn) {
    pending[member] = nil
    guard let removed = roster.remove(member) else { return }
    answer(removed, with: error, &turn)
    if leader == member { leader = roster.members.keys.min() }
    switch state {
    case .empty, .gathering: break
    case .awaitingAssignment(var unsynced, let until):
      unsynced.remove(member)
      state = .awaitingAssignment(unsynced: unsynced, until: until)
    case .stable(var unsynced, let until):
      unsynced.remove(member)
      state = .stable(unsynced: unsynced, until: until)
    }
  }

  /// Does what is due by now.
  mutating func tick(_ turn: inout Turn) {
    guard wake <= turn.now.instant else { return }
    for member in pending.keys.sorted() where pending[member, default: .never] <= turn.now.instant {
      pending[member] = nil
      completeJoinIfEveryoneIsThere(&turn)
    }
    for member in roster.ids { expire(member, &turn) }
    tickState(&turn)
    wake = earliestDeadline
  }

  private mutating func expire(_ id: MemberID, _ turn: inout Turn) {
    guard let member = roster[id], member.sessionEnds <= turn.now.instant else { return }
    if member.seniority == .settled && member.awaitsAnything {
      // It cannot send heartbeats while it waits for us; its session starts again with the answer.
      return roster.setSessionEnd(of: id, .never)
    }
    remove(id, answering: .unknownMemberId, &turn)
    rebalanceOrCompleteJoin(&turn)
  }

  private mutating func tickState(_ turn: inout Turn) {
    let now = turn.now.instant
    switch state {
    case .empty: break
    case .gathering(.initial(let until, let remaining, let grew)) where until <= now:
      if grew && remaining > .zero {
        let next = min(turn.settings.initialRebalanceDelay, remaining)
        let left = TimeSpan(nanoseconds: remaining.nanoseconds - next.nanoseconds)
        state = .gathering(.initial(until: now + next, remaining: left, grew: false))
      } else {
        completeJoin(&turn)
      }
    case .gathering(.rejoining(let until)) where until <= now:
      completeJoin(&turn)
    case .awaitingAssignment(let unsynced, let until) where until <= now,
      .stable(let unsynced, let until) where until <= now:
      dropUnsynced(unsynced, &turn)
    case .gathering, .awaitingAssignment, .stable: break
    }
  }

  private mutating func dropUnsynced(_ unsynced: Set<MemberID>, _ turn: inout Turn) {
    if unsynced.isEmpty {
      if case .stable = state { state = .stable(unsynced: [], until: .never) }
      if case .awaitingAssignment = state { state = .awaitingAssignment(unsynced: [], until: .never) }
      return
    }
    for member in unsynced.sorted() { remove(member, answering: .unknownMemberId, &turn) }
    rebalance(&turn)
  }

  private var earliestDeadline: Instant {
    var earliest = min(
      roster.members.values.map(\.sessionEnds).min() ?? .never, pending.values.min() ?? .never)
    switch state {
    case .empty: break
    case .gathering(.initial(let until, _, _)), .gathering(.rejoining(let until)): earliest = min(earliest, until)
    case .awaitingAssignment(_, let until), .stable(_, let until): earliest = min(earliest, until)
    }
    return earliest
  }
}
