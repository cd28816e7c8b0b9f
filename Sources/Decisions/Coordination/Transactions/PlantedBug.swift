/// Mistakes of a transaction coordinator that a simulator has to find, for the proof that it can. No caller outside of
/// this package can ask for one.
package enum PlantedBug: String, Sendable, CaseIterable {
  /// The end of a transaction is answered before its record is kept.
  case answersBeforeItIsKept
  /// A transaction that took too long is aborted, and its producer goes on.
  case keepsTheEpochAtATimeout
  /// One partition is forgotten when a coordinator takes over.
  case dropsAPartitionAtLoad
  /// What a coordinator finds at the end of its log counts as committed.
  case trustsTheEndOfTheLog
  /// Nobody asks again for the markers that the coordinator before had not finished.
  case doesNotRenewMarkersAtLoad
  /// A transaction whose outcome is decided is given the other one on request.
  case letsTheOtherOutcomeThrough
  /// That a transaction has ended is said again by a coordinator that may be none any longer.
  case answersFromMemory
  /// Requests of an older epoch count.
  case believesAnOlderEpoch
  /// A transaction is complete with its first marker.
  case completesAtTheFirstMarker
  /// A marker that could not be written counts as written.
  case givesUpOnMarkers
  /// What came of an earlier transaction's markers counts for the next one.
  case believesAnEarlierResult
  /// Partitions join a transaction whose outcome is decided.
  case addsWhileItEnds
  /// Nobody looks at the time.
  case neverTimesOut
}
