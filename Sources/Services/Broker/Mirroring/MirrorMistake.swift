import MirrorPlanning

/// Mistakes of mirroring, which a simulation of two clusters has to find, for the proof that it can. No caller outside of
/// this package can ask for one.
package enum MirrorMistake: String, Sendable, CaseIterable {
  /// What the source sends counts, committed or not.
  case copiesBeyondTheMark
  /// What the source removed too early is passed over, and nobody is told.
  case skipsGaps
  /// A Fetch does not say of which epoch the last record is.
  case comparesNoEpochs
  /// What diverged is cut off before the metadata says where it is kept.
  case cutsBeforeItIsWrittenDown
  /// What is set aside is not synced. The disk of the world does it, by not syncing.
  case setsAsideWithoutSync
  /// A switchover takes what is here for all there is.
  case takesOverEarly
  /// Who takes over has the generation of the owner before.
  case keepsTheGeneration
  /// Groups are carried wherever they are at the source.
  case carriesGroupsAhead
  /// What a switchover has closed that was given up is opened by another number than it was closed by.
  case opensWithAnotherNumber
  /// Groups are carried by the names of topics, whichever topics they are by now.
  case carriesGroupsByName
  /// What the source calls by a topic's name is copied, whichever topic it is by now.
  case takesTheNameForTheTopic
  /// The copy of a partition that is added begins where the source ends at that moment.
  case beginsAddedPartitionsAtTheEnd
  /// Offsets that compaction took away are taken for records that were removed too early.
  case takesHolesForGaps
  /// Of a compacted topic, what was removed too early is taken for what compaction took away.
  case takesGapsForHoles
  /// Of a compacted topic, what lies below what is set aside stays, also where a cleaner took out what only that replaced.
  case keepsWhatWasCleaned
  /// A switchover takes over the partitions that were there when the source was last looked at.
  case countsNoPartitions
  /// Transactions that were copied without an outcome are not ended where clients write then.
  case leavesOpenTransactions
  /// They are ended some time after clients write.
  case endsTransactionsLate
  /// The coordinators of a source that is closed let groups commit for its topics.
  case takesCommitsWhereClosed
  /// The offsets that a switchover carries last are asked for before nobody can commit any more.
  case carriesGroupsBeforeTheFence
  /// A switchover does not wait for transactions without an outcome.
  case waitsForNoTransactions

  var ofCopy: MirrorPlanning.PlantedBug? {
    switch self {
    case .copiesBeyondTheMark: .copiesBeyondTheMark
    case .skipsGaps: .skipsGaps
    case .cutsBeforeItIsWrittenDown: .cutsBeforeItIsWrittenDown
    default: nil
    }
  }
}
