/// Mistakes of the layer that puts decisions and effects together, which a simulation has to find, for the proof that it
/// can. No caller outside of this package can ask for one.
package enum BrokerMistake: String, Sendable, CaseIterable {
  /// A node that is alone waits for its own heartbeats, which it does not send, and fences itself.
  case fencesWhoIsAlone
  /// Produce with acks=all is answered when the leader has the records.
  case acknowledgesAtOnce
  /// A consumer is given what is not committed yet.
  case readsAboveTheHighWatermark
  /// Nobody looks at the epochs that a follower's fetch names.
  case ignoresTheEpochsOfFetches
  /// The controller answers before what it decided is committed.
  case answersBeforeCommit
  /// A group's offsets count as kept when the coordinator alone has them.
  case keepsOffsetsAlone
  /// A follower that could not ask its leader once never asks it again.
  case givesUpCopying
  /// Folders of topics that were deleted meanwhile stay where a new topic of the name wants to be.
  case keepsStrays
  /// A leader whose proposal about its in-sync set was not answered once never proposes again.
  case proposesOnce
  /// A broker is ready when the controller says so, and tells clients of a cluster without it.
  case isReadyBeforeItKnows
  /// Nobody tells a partition that its topic asks for copies in several Regions.
  case countsNoRegions
  /// A batch that came before those that belong before it is out of order at once, as in Kafka.
  case callsEarlyBatchesOutOfOrder
}
