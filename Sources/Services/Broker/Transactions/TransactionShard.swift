import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

/// Runs the coordinator of one partition of `__transaction_state`.
typealias TransactionShard = CoordinatorShard<TransactionCoordinator>

extension TransactionCoordinator: Coordinating {
  typealias Effect = TransactionEffect
  typealias Answer = TransactionAnswer
}

extension CoordinatorShard<TransactionCoordinator> {
  convenience init(
    partition: Partition, epoch: LeaderEpoch, settings: TransactionSettings, world: TransactionWorld,
    whenUnfit: @escaping @Sendable (TransactionShard) -> Void = { _ in }
  ) {
    self.init(
      partition: partition, epoch: epoch, coordinator: TransactionCoordinator(settings: settings, epoch: epoch),
      world: world.shards, whenUnfit: whenUnfit)
  }
}

/// What the shards share: clocks, threads, and the ways to the controller and to other brokers.
struct TransactionWorld: Sendable {
  let loop: EventLoop
  let pool: BlockingPool
  let report: @Sendable (String, TopicPartition) -> Void
  /// Finds a producer id that nobody has had, or says that there is none to be had now. Called on a thread of the pool;
  /// answers once, from any thread.
  let allocate: @Sendable (@escaping @Sendable (ProducerID?) -> Void) -> Void
  /// Has markers written by the leaders of their partitions. Called on a thread of the pool; what came of it may be told
  /// in several parts, from any thread, each partition in one of them. Those to be tried again are asked for again.
  let writeMarkers: @Sendable (MarkerWork, @escaping @Sendable (MarkerResult) -> Void) -> Void

  fileprivate var shards: ShardWorld<TransactionCoordinator> {
    ShardWorld(
      loop: loop, pool: pool, contents: "transactions", report: report,
      replay: { record, _ in
        guard let known = try TransactionRecordFormat.decode(record) else { return nil }
        return { $0.replay(known) }
      },
      step: step)
  }

  private func step(_ effect: TransactionEffect, _ shard: TransactionShard) -> ShardStep<TransactionAnswer> {
    switch effect {
    case .append(let records):
      .append(TransactionRecordFormat.batch(records, at: wallClockNow()), acks: .allInSync)
    case .answer(let token, let answer): .answer(token, answer)
    case .allocateProducerID(let id):
      .begin {
        allocate { producer in
          shard.turn { coordinator, now, effects in
            coordinator.producerIDAllocated(producer, for: id, at: now, into: &effects)
          }
        }
      }
    case .writeMarkers(let work):
      .beginOnceKept {
        writeMarkers(work) { result in
          shard.turn { coordinator, now, effects in
            coordinator.markersWritten(result, for: work, at: now, into: &effects)
          }
        }
      }
    }
  }
}
