import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Testing
import Vocabulary

@testable import Broker

/// Partitions on a disk in memory, with a loop and a pool of their own.
final class Workshop {
  let disk: GatedDisk
  let pool: BlockingPool
  let loop: EventLoop

  init(threads: Int = 4) throws {
    disk = try GatedDisk()
    pool = try BlockingPool(threads: threads, name: "test-pool")
    loop = try EventLoop(name: "test-loop")
    try loop.start()
    try disk.createDirectory("data")
  }

  deinit {
    loop.stop()
    pool.stop()
  }

  func log(_ name: String, _ settings: LogSettings = LogSettings()) throws -> PartitionLog {
    let topic = try #require(TopicName(name))
    return try PartitionLog.open(
      disk: disk, openFiles: OpenFiles(limit: 64), directory: "data/\(name)-0",
      topicPartition: TopicPartition(topic, PartitionIndex(0)), topicID: Workshop.topicID, settings: settings,
      recovery: .clean, now: Timestamp(milliseconds: 1000))
  }

  static let node = NodeID(1)
  static let topicID = UniqueID(high: 7, low: 9)

  func partition(_ name: String = "orders", _ configs: [String: String] = [:]) throws -> Partition {
    let settings = TopicSettings(
      configs, inherited: ConfigResolution(fixed: [:]), producerExpiry: .seconds(86_400))
    let log = try log(name, settings.log)
    let partition = Partition(
      log: log, checkpointed: .zero, settings: settings,
      world: ReplicaWorld(node: Self.node, brokerEpoch: BrokerEpoch(1)), pool: pool)
    partition.lead(in: LeaderEpoch(0))
    return partition
  }
}

func batch(_ values: [String]) -> [UInt8] {
  var builder = RecordBatchBuilder()
  for value in values {
    builder.append(timestamp: Timestamp(milliseconds: 1000), key: Array("k".utf8), value: Array(value.utf8))
  }
  return builder.build()
}

extension Partition {
  /// Makes this broker the only replica, and the leader.
  func lead(in epoch: LeaderEpoch) {
    assign(
      Replication.PartitionState(
        leader: .elected(world.node, world.brokerEpoch), leaderEpoch: epoch,
        partitionEpoch: PartitionEpoch(epoch.value),
        inSync: [world.node], members: [Member(world.node, in: Region(""))]),
      brokers: [BrokerStatus(world.node, epoch: world.brokerEpoch, .active)])
  }

  func put(_ values: [String], done: @escaping @Sendable (AppendOutcome) -> Void) {
    var bytes = batch(values)
    bytes.withUnsafeMutableBytes {
      append($0, origin: .client, acks: .leader, now: Timestamp(milliseconds: 1000), done: done)
    }
  }

  /// Appends where nothing has to be waited for.
  func put(_ value: String) { put([value]) { _ in } }
}

extension AppendOutcome {
  var isKept: Bool { if case .kept = self { true } else { false } }
  var isFailed: Bool { if case .failed = self { true } else { false } }
}
