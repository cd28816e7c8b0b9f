public import Vocabulary

/// What one stopped node still has of the metadata log.
public struct Survivor: Hashable, Sendable {
  public let key: ReplicaKey
  /// The newest epoch that the node knows of, by a vote or by its log.
  public let epoch: LeaderEpoch
  /// The epoch of the last record in its log.
  public let lastEpoch: LeaderEpoch
  public let end: Offset
  /// Who votes, according to its log.
  public let voters: VoterSet

  public init(_ key: ReplicaKey, epoch: LeaderEpoch, lastEpoch: LeaderEpoch, end: Offset, voters: VoterSet) {
    self.key = key
    self.epoch = max(epoch, lastEpoch)
    self.lastEpoch = lastEpoch
    self.end = end
    self.voters = voters
  }

  /// Whether its log goes further than another's, as elections count it.
  public func isBehind(_ other: Survivor) -> Bool { (lastEpoch, end) < (other.lastEpoch, other.end) }
}

/// How a quorum goes on after the majority of its voters is gone for ever.
///
/// No majority can say any more what was committed. What every committed record has in common with the survivors is
/// this: a majority had it, and who has the highest last epoch, then the longest log, has as much of it as anyone. That
/// survivor is the seed. It becomes the only voter, in an epoch that is higher than every one that a survivor has seen,
/// so that nothing that was promised before counts against it. The others begin again from nothing and follow it.
public struct RecoveryPlan: Hashable, Sendable {
  public let seed: Survivor
  /// The seed as the voter it will be: the only one.
  public let voter: Voter
  /// Whose logs are set aside, in the order of their names.
  public let others: [Survivor]
  /// Voters of whom nothing is left, as far as is known.
  public let lost: [Voter]
  /// The seed's new epoch.
  public let epoch: LeaderEpoch

  public enum Refusal: Error, Hashable, Sendable {
    case nothingSurvives
    case namedTwice(ReplicaKey)
    /// Enough voters are there to elect a leader: nothing has to be recovered.
    case majoritySurvives(VoterSet, surviving: Int)
    /// None of them votes according to the newest log.
    case noVoterSurvives(VoterSet)
    /// There is no higher epoch.
    case epochsAreUsedUp
  }

  /// - Throws: a refusal where the survivors do not need a recovery, or cannot have one.
  public init(_ survivors: [Survivor]) throws(Refusal) {
    let survivors = survivors.sorted { $0.key < $1.key }
    for (one, next) in zip(survivors, survivors.dropFirst()) where one.key == next.key {
      throw .namedTwice(one.key)
    }
    guard let newest = Self.furthest(survivors) else { throw .nothingSurvives }
    let voters = newest.voters
    let candidates = survivors.filter { voters.contains($0.key) }
    guard candidates.count < voters.majority else {
      throw .majoritySurvives(voters, surviving: candidates.count)
    }
    guard let seed = Self.furthest(candidates) else { throw .noVoterSurvives(voters) }
    let seen = survivors.map(\.epoch).max() ?? seed.epoch
    guard seen.value < .max else { throw .epochsAreUsedUp }
    self.seed = seed
    voter = Voter(seed.key, endpoints: voters.voter(seed.key.id)?.endpoints ?? [])
    others = survivors.filter { $0.key != seed.key }
    lost = voters.voters.filter { voter in !candidates.contains { voter.isSame(as: $0.key) } }
    epoch = LeaderEpoch(seen.value + 1)
  }

  /// Among equals the one with the lowest name, so that everybody who plans comes to the same.
  private static func furthest(_ survivors: [Survivor]) -> Survivor? {
    survivors.reduce(nil) { best, one in
      guard let best else { return one }
      return best.isBehind(one) ? one : best
    }
  }

  /// Survivors that only follow, and have records that the seed does not have: those are set aside too.
  public var further: [Survivor] { others.filter { seed.isBehind($0) } }
}
