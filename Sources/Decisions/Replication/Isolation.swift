public import Vocabulary

// A leader that hears neither the controller nor anybody who copies from it. Another one may have been elected meanwhile,
// and nothing that waits here is likely to end well. Its term is not over: when the controller was what failed, it goes
// on in it.

extension Replica {
  /// Whether this replica leads others that are in sync, and none of them has fetched for `silenceMax`.
  public func hearsNoFollower(at now: Instant) -> Bool {
    guard case .leader(let lead) = role else { return false }
    return lead.hearsNoFollower(settings, at: now)
  }
}

extension Leadership {
  /// Who is in sync alone cannot be replaced by anybody, and waits for nobody.
  func hearsNoFollower(_ settings: ReplicationSettings, at now: Instant) -> Bool {
    let others = committed.removing(id)
    return !others.isEmpty
      && others.nodes.allSatisfy { node in
        guard let heardAt = progress[node]?.heardAt else { return true }
        return now - heardAt > settings.silenceMax
      }
  }

  /// Their records stay in the log, and are committed if this term goes on. Whoever wrote them looks for the leader, and
  /// repeats them there.
  mutating func sendWritersAway(_ scene: inout LeaderScene) {
    guard hearsNoFollower(scene.settings, at: scene.now) else { return }
    for write in writes { scene.effects.append(.answerWrite(write.id, .refused(.notLeaderOrFollower))) }
    writes = []
  }
}

extension Progress {
  /// When it fetched last; at the beginning of a term, when that began.
  fileprivate var heardAt: Instant? {
    guard let position else { return caughtUpAt }
    return max(position.fetchedAt, caughtUpAt ?? position.fetchedAt)
  }
}
