import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

/// Runs the coordinator of one partition of `__consumer_offsets`.
typealias GroupShard = CoordinatorShard<GroupCoordinator>

extension GroupCoordinator: Coordinating {
  typealias Effect = GroupEffect
  typealias Answer = GroupAnswer
}

extension CoordinatorShard<GroupCoordinator> {
  convenience init(
    partition: Partition, epoch: LeaderEpoch, settings: GroupSettings, world: GroupWorld,
    whenUnfit: @escaping @Sendable (GroupShard) -> Void = { _ in }
  ) {
    self.init(
      partition: partition, epoch: epoch, coordinator: GroupCoordinator(settings: settings), world: world.shards,
      whenUnfit: whenUnfit)
  }

  /// Forgets the offsets of deleted topics, which mean nothing for a topic that may come under the same name.
  func topicsDeleted(_ names: Set<TopicName>) {
    turnOnceLoaded { coordinator, now, effects in coordinator.topicsDeleted(names, at: now, into: &effects) }
  }
}

extension CoordinatorShard<GroupCoordinator> {
  /// Ends a transaction whose offsets are here: they count from now on, or never. `done` gets the marker's error, `.none`
  /// when it is kept.
  func endTransaction(
    of producer: ProducerID, _ outcome: TransactionOutcome, marker: [UInt8],
    done: @escaping @Sendable (ErrorCode) -> Void
  ) {
    append(marker) { coordinator, _, _ in
      coordinator.endTransaction(of: producer, outcome)
    } done: {
      done($0.markerCode)
    }
  }
}

extension TransactionMarker {
  fileprivate var outcome: TransactionOutcome { isCommit ? .committed : .aborted }
}

/// What the shards share: clocks, threads and the topics.
struct GroupWorld: Sendable {
  let loop: EventLoop
  let pool: BlockingPool
  let topics: @Sendable () -> TopicCatalogue
  let namesMatching: @Sendable (String) -> [TopicName]
  let report: @Sendable (String, TopicPartition) -> Void
  var planted: BrokerMistake?

  fileprivate var shards: ShardWorld<GroupCoordinator> {
    ShardWorld(
      loop: loop, pool: pool, contents: "group offsets", report: report,
      replay: { record, header in
        guard let known = try GroupRecordFormat.decode(record) else { return nil }
        let writer: RecordWriter =
          header.attributes.isTransactional ? .transaction(header.producerID, header.producerEpoch) : .coordinator
        return { $0.replay(known, by: writer) }
      },
      replayMarker: { marker, header in { $0.endTransaction(of: header.producerID, marker.outcome) } },
      step: step)
  }

  private func step(_ effect: GroupEffect, _ shard: GroupShard) -> ShardStep<GroupAnswer> {
    switch effect {
    case .append(let records, let writer):
      .append(
        GroupRecordFormat.batch(records, by: writer, at: wallClockNow()),
        acks: planted == .keepsOffsetsAlone ? .leader : .allInSync)
    case .answer(let token, let answer): .answer(token, answer)
    case .resolve(let pattern):
      .begin {
        let catalogue = topics()
        let names = namesMatching(pattern.text)
        shard.turn { coordinator, now, effects in
          coordinator.resolved(pattern, to: names, version: catalogue.version, at: now, into: &effects)
        }
      }
    }
  }
}
