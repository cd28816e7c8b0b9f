import ClusterMetadata
import EventLoop
import LogStorage
import Replication
package import Vocabulary

/// What a node has of a partition, for a simulation that looks at several nodes at the same moment.
package struct PartitionStanding: Sendable {
  package let topic: UniqueID
  package let leads: Bool
  package let epoch: LeaderEpoch
  package let start: Offset
  package let end: Offset
  package let highWatermark: Offset
  package let lastStable: Offset
}

extension Broker {
  /// What a simulated producer, or its coordinator, has for a partition.
  package enum TransactionalWrite: Sendable {
    case records([UInt8], sequence: Int32)
    case marker(committed: Bool, coordinatorEpoch: Int32)
  }

  /// Appends a batch of a transaction as if its coordinator had agreed, or a marker as if it had sent one. `done` gets nil
  /// where this node has no copy, or its disk fails.
  package func write(
    _ what: TransactionalWrite, from producer: ProducerID, _ epoch: ProducerEpoch, to name: TopicPartition,
    done: @escaping @Sendable (ErrorCode?, Offset) -> Void
  ) {
    pool.run {
      guard let partition = self.partitions.partition(name) else { return done(nil, .none) }
      var ticket: VerificationTicket?
      var batch: [UInt8]
      let origin: AppendOrigin
      switch what {
      case .records(let bytes, let sequence):
        (batch, origin) = (bytes, .client)
        if case .unverified(let issued) = partition.standing(of: producer, epoch, from: sequence) { ticket = issued }
      case .marker(let committed, let coordinatorEpoch):
        origin = .coordinator
        batch = TransactionMarkerBatch.build(
          outcome: committed, producer: producer, epoch: epoch, coordinatorEpoch: coordinatorEpoch, at: wallClockNow())
      }
      batch.withUnsafeMutableBytes { raw in
        partition.append(
          raw, origin: origin, acks: .allInSync, timeout: .seconds(2), verified: ticket, now: wallClockNow()
        ) { outcome in
          switch outcome {
          case .kept(let appended): done(ErrorCode.none, appended.baseOffset)
          case .refused(let refusal): done(refusal.code, .none)
          case .failed: done(nil, .none)
          }
        }
      }
    }
  }

  /// The transactions of the log here that were taken back, as readers are told of them.
  package func abortedTransactions(of name: TopicPartition, upTo end: Offset) -> [(producer: Int64, first: Int64)]? {
    guard let log = partitions.partition(name)?.log else { return nil }
    return try? log.abortedTransactions(from: log.startOffset, to: end).map {
      (producer: $0.producer.value, first: $0.firstOffset.value)
    }
  }

  /// Nil where this node has no copy.
  package func standing(of name: TopicPartition) -> PartitionStanding? {
    guard let partition = partitions.partition(name) else { return nil }
    return PartitionStanding(
      topic: partition.topicID, leads: partition.leads, epoch: partition.leaderEpoch, start: partition.log.startOffset,
      end: partition.log.endOffset, highWatermark: partition.highWatermark, lastStable: partition.lastStableOffset)
  }

  package func agreedTopic(_ name: TopicName) -> Bool { image.topic(named: name) != nil }

  /// Which topic has the name, and how many partitions; nil where there is none.
  package func agreedShape(ofTopic name: String) -> (id: UniqueID, partitions: Int)? {
    TopicName(name).flatMap { image.topic(named: $0) }.map { ($0.id, $0.partitions.count) }
  }

  /// What was set on a topic, as far as this node has followed the metadata.
  package func agreedConfigs(ofTopic name: String) -> [String: String] { image.configs(of: .topic(name)) }
  package func agreedConfigs(ofMirror name: String) -> [String: String] { image.configs(of: .mirror(name)) }

  /// What this node says about a mirror's partitions that it leads, by the keys of their status.
  package func mirrorStatus(of name: String) -> [(key: String, value: String)] { mirrors.status(of: name) }
}
