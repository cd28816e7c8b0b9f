import Coordination
import Vocabulary

/// Every transactional id of this broker, by the partition of `__transaction_state` that it falls into.
final class Transactions: Sendable {
  private let shards: ShardTable<TransactionCoordinator>

  init(settings: TransactionSettings, world: TransactionWorld) {
    shards = ShardTable(loop: world.loop, pool: world.pool) { partition, epoch, whenUnfit in
      TransactionShard(partition: partition, epoch: epoch, settings: settings, world: world, whenUnfit: whenUnfit)
    }
  }

  /// Takes over the partitions of `__transaction_state` that are led here, each of which is read in the background, and
  /// lets go of those that are led elsewhere.
  func follow(_ topic: PartitionTable.HeldTopic) { shards.follow(topic) }

  /// The topic of transactions is gone, and every transactional id with it.
  func forget() { shards.forget() }

  var isEmpty: Bool { shards.isEmpty }
  /// In the order of their partitions.
  var all: [TransactionShard] { shards.all }

  /// Nil while there is no topic of transactions, and for an id that is coordinated elsewhere.
  func shard(of id: String) -> TransactionShard? { shards.shard(of: id) }

  static func partition(of id: String, among count: Int) -> Int { ShardPlace.partition(of: id, among: count) }

  /// Puts a request about one transactional id to its coordinator.
  func ask(
    _ id: String, _ ask: TransactionShard.Ask, answer: @escaping @Sendable (TransactionAnswer) -> Void,
    refused: @escaping @Sendable (ErrorCode) -> Void
  ) {
    guard !id.isEmpty else { return refused(.invalidRequest) }
    shards.ask(id, ask, answer: answer, refused: refused)
  }
}
