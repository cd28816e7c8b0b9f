import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

/// What the shards of one kind of coordinator share: clocks, threads, and how records and effects are understood.
struct ShardWorld<Coordinator: Coordinating>: Sendable {
  let loop: EventLoop
  let pool: BlockingPool
  /// What is in the partitions, for reports.
  let contents: String
  let report: @Sendable (String, TopicPartition) -> Void
  /// Applies one record of the log, from a batch with this header, to a coordinator; nil for one that says nothing to it.
  let replay: @Sendable (Record, RecordBatchHeader) throws -> ((inout Coordinator) -> Void)?
  /// The same for the end of a transaction that stands in the log.
  var replayMarker: @Sendable (TransactionMarker, RecordBatchHeader) -> ((inout Coordinator) -> Void)? = { _, _ in nil }
  /// Called under the lock of the shard.
  let step: @Sendable (Coordinator.Effect, CoordinatorShard<Coordinator>) -> ShardStep<Coordinator.Answer>

  var now: Moment { Moment(instant: monotonicNow(), time: wallClockNow()) }
}
