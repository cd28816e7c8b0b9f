import LogStorage
import Replication
import Synchronization
import Vocabulary

/// What all copies of a broker have in common: who the broker is in this life, and where what a copy decides goes.
///
/// The closures are called without any lock of a partition held.
struct ReplicaWorld: Sendable {
  let node: NodeID
  /// This life of the broker, as the metadata has it (KIP-903).
  let brokerEpoch: BrokerEpoch
  /// The log directory that the copy lies in.
  var directory = UniqueID.zero
  /// Lags, pauses and limits; each topic has a minimum of its own.
  var timing = ReplicationSettings(minimum: Minimum(replicas: 1, regions: 1))
  /// Whether followers hear of a higher high watermark at once: only where consumers read from them (KAFKA-9731).
  var tellsFollowersOfHighWatermarks = false
  /// Asks the controller for another in-sync set. The answer comes back by `Partition.proposalAnswered`.
  var propose: @Sendable (Proposal, Partition) -> Void = { _, _ in }
  /// Asks a leader for records. The answer comes back by `Partition.copied`.
  var fetch: @Sendable (FetchOrder) -> Void = { _ in }
  /// The partition copies from nobody any more.
  var stopFetching: @Sendable (Partition, FetchTurn) -> Void = { _, _ in }
  /// Limits for copies that are catching up.
  var throttles = ReplicationThrottles()
  /// Copies that were held back may go on.
  var throttleLifted: @Sendable () -> Void = {}
  /// Called once for a partition whose log takes no more writes.
  var storageFailed: @Sendable (StorageError, Partition) -> Void = { _, _ in }
  /// The in-sync set of a partition that is led here has changed within a term.
  var inSyncChanged: @Sendable (InSyncChange) -> Void = { _ in }
  /// Whether the controller may have given this broker up by now.
  var controllerMayHaveGivenUp: @Sendable (Instant) -> Bool = { _ in false }
  /// Makes the checkpointed high watermark durable where it was cut off; under the partition's lock.
  var lowerCheckpoint: @Sendable (TopicPartition, Offset) throws(StorageError) -> Void = { _, _ in }

  var planted: BrokerMistake?
  var plantedInMirroring: MirrorMistake?

  init(node: NodeID, brokerEpoch: BrokerEpoch) {
    self.node = node
    self.brokerEpoch = brokerEpoch
  }
}

enum InSyncChange: Sendable { case shrunk, expanded }

/// When it was decided from whom a partition is copied: decisions leave the lock and may arrive in another order.
struct FetchTurn: Comparable, Sendable {
  private static let last = Atomic<UInt64>(0)
  private let number: UInt64

  /// To be taken under the partition's lock.
  static func next() -> FetchTurn { FetchTurn(number: last.add(1, ordering: .relaxed).newValue) }
  static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

/// A fetch that a copy wants to be sent.
struct FetchOrder: Sendable {
  let partition: Partition
  let leader: NodeID
  let ask: Replication.FetchRequest
  /// Which beginning of the copy asks: an answer to an earlier one is none.
  let generation: UInt64
  let turn = FetchTurn.next()

  /// Of two orders for one partition the later one counts, whichever arrives first.
  func isLater(than other: FetchOrder) -> Bool { turn > other.turn }
}

/// How an order ended, with the bytes of the records where there are any.
struct FetchedRecords {
  var outcome: FetchOutcome
  /// Whole batches that have been checked, from the first offset that was asked for on; empty without records.
  var bytes: UnsafeMutableRawBufferPointer
}
