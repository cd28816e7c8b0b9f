public import Vocabulary

/// How far one replica is, as its leader knows it: what DescribeQuorum tells (KIP-595, KIP-836).
public struct ReplicaProgress: Hashable, Sendable {
  public let key: ReplicaKey
  /// Where its durable log ends; nil while it has not fetched in this epoch.
  public let end: Offset?
  public let lastFetch: Instant?
  /// When it last had everything.
  public let caughtUp: Instant?
}

/// The quorum in the eyes of its leader.
public struct QuorumDescription: Hashable, Sendable {
  public let voters: [ReplicaProgress]
  public let observers: [ReplicaProgress]
}

extension Quorum {
  /// Nil unless this replica leads: nobody else knows who has what.
  public func description(at now: Instant) -> QuorumDescription? {
    guard case .leader(let leadership) = role else { return nil }
    let voters = log.voters.voters.map { voter -> ReplicaProgress in
      if voter.isSame(as: local.key) {
        return ReplicaProgress(key: local.key, end: log.end, lastFetch: now, caughtUp: now)
      }
      let known = leadership.progress.first { voter.isSame(as: $0.key) }
      return ReplicaProgress(
        key: known?.key ?? voter.key, end: known?.end, lastFetch: known?.lastFetch, caughtUp: known?.caughtUp)
    }
    let observers = leadership.progress.filter {
      !log.voters.contains($0.key) && now - $0.lastFetch <= settings.observerSession
    }.sorted { $0.key < $1.key }
    return QuorumDescription(
      voters: voters,
      observers: observers.map {
        ReplicaProgress(key: $0.key, end: $0.end, lastFetch: $0.lastFetch, caughtUp: $0.caughtUp)
      })
  }
}
