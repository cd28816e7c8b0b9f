import Vocabulary

// How one member gets from what it has to what it is to have: revoke first, then take what is free.

extension ConsumerGroup {
  /// The member's next step towards the target, after a heartbeat that said what it owns (nil: as before).
  /// The same record as now means: nothing to do.
  func nextStep(for member: Member, owned: Assignment?) -> CurrentAssignmentRecord {
    let current = member.current
    switch current.state {
    case .stable:
      return current.epoch == targetEpoch ? current : step(from: current, member.id, epoch: current.epoch, owned)
    case .unrevokedPartitions:
      if stillOwns(current.pendingRevocation, owned) { return current }
      // It has let go: that alone takes it one epoch on, so that a repetition of the old heartbeat changes nothing.
      let next = min(current.epoch.next, max(targetEpoch, current.epoch))
      return step(from: current, member.id, epoch: next, owned)
    case .unreleasedPartitions:
      return step(from: current, member.id, epoch: current.epoch, owned)
    case .unknown:
      return step(from: current, member.id, epoch: targetEpoch, owned)
    }
  }

  private func stillOwns(_ pending: Assignment, _ owned: Assignment?) -> Bool {
    guard let owned else { return true }
    return !owned.intersection(pending).isEmpty
  }

  private func step(
    from current: CurrentAssignmentRecord, _ member: MemberID, epoch: MemberEpoch, _ owned: Assignment?
  ) -> CurrentAssignmentRecord {
    let target = targets[member] ?? Assignment()
    let kept = current.assigned.intersection(target)
    let toRevoke = current.assigned.subtracting(kept)
    if !toRevoke.isEmpty && stillOwns(toRevoke, owned) {
      return current.moved(to: epoch, .unrevokedPartitions, assigned: kept, pendingRevocation: toRevoke)
    }
    let wanted = target.subtracting(kept).members
    let free = wanted.filter { owners[$0] == nil }
    let state: MemberState = free.count == wanted.count ? .stable : .unreleasedPartitions
    return current.moved(
      to: targetEpoch, state, assigned: kept.union(Assignment(free)), pendingRevocation: Assignment())
  }
}

extension CurrentAssignmentRecord {
  fileprivate func moved(
    to epoch: MemberEpoch, _ state: MemberState, assigned: Assignment, pendingRevocation: Assignment
  ) -> CurrentAssignmentRecord {
    // Waiting without any progress is no change, and nothing is written for it.
    if epoch == self.epoch, state == self.state, assigned == self.assigned, pendingRevocation == self.pendingRevocation
    {
      return self
    }
    return CurrentAssignmentRecord(
      epoch: epoch, previousEpoch: self.epoch, state: state, assigned: assigned, pendingRevocation: pendingRevocation)
  }
}
