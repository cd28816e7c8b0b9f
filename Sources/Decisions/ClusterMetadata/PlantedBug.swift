/// Rules that are left out, so that a simulation can show that it would notice. Only tests can reach them.
package enum PlantedBug: String, Sendable, CaseIterable {
  /// Every election takes whoever is alive.
  case electsWhoeverIsAlive
  /// Who is gone stays in the in-sync set.
  case keepsFencedInSync
  /// A change of a partition leaves its partition epoch as it was.
  case forgetsToBumpPartitionEpoch
  /// A proposal is taken although the partition has changed since.
  case ignoresThePartitionEpoch
  /// A follower is taken in by what an earlier process of it has fetched.
  case takesAnEarlierLife
  /// Who may have lost the end of its log counts as if it had all of it.
  case believesTheCrashed
  /// Who was eligible once is so for ever.
  case neverForgetsTheEligible
  /// Observers are taken into sets that are large enough without them.
  case promotesAtAnyTime
  /// A broker serves before it has read its own registration.
  case unfencesTheUninformed
}
