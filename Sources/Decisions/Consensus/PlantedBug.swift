/// Mistakes that a simulator has to find, for the proof that it can. No caller outside of this package can ask for one.
package enum PlantedBug: String, Sendable, CaseIterable {
  /// A vote is given and not written down.
  case forgottenVote
  /// What was only appended counts as durable.
  case acknowledgedBeforePersisted
  /// A leader does not notice that a follower's log diverges from its own.
  case skippedTruncation
  /// A record of an older epoch is committed because a majority has it.
  case olderEpochCommittedByCounting
  /// A candidate stands in the epoch that is there.
  case epochNotBumped
  /// A snapshot counts as whole before its last piece came.
  case snapshotWithoutItsTail
  /// A leader counts the voters of its epoch's start.
  case staleVoterSet
  /// A leader ignores newer epochs, and that nobody fetches.
  case leaderStaysOn
  /// A vote does not depend on the candidate's log.
  case voteWithoutLookingAtTheLog
  /// The next change of voters does not wait for the one before.
  case overlappingVoterChanges
}
