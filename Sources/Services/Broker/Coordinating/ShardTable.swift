import Coordination
import EventLoop
import Synchronization
import Vocabulary

/// The shards of this broker for one internal topic, by the partition that a name falls into.
///
/// There is one for each of those partitions that this broker leads, for as long as it leads it in that epoch.
final class ShardTable<Coordinator: Coordinating>: Sendable {
  typealias Shard = CoordinatorShard<Coordinator>
  /// Makes the shard of a partition in an epoch. What it is given last is called when that shard has ended too early.
  typealias Begin = @Sendable (Partition, LeaderEpoch, _ whenUnfit: @escaping @Sendable (Shard) -> Void) -> Shard

  /// How long a shard that could not keep its records rests before it is read again.
  private static var pause: TimeSpan { .seconds(1) }
  private let loop: EventLoop
  private let pool: BlockingPool
  private let makeShard: Begin
  private let state = Mutex(State())

  private struct State {
    /// How many partitions the topic has; 0 while there is none.
    var count = 0
    var shards: [Int: Shard] = [:]
  }

  init(loop: EventLoop, pool: BlockingPool, begin: @escaping Begin) {
    self.loop = loop
    self.pool = pool
    makeShard = begin
  }

  /// Takes over the partitions of the topic that are led here, each of which is read in the background, and lets go of
  /// those that are led elsewhere.
  func follow(_ topic: PartitionTable.HeldTopic) {
    var new: [Shard] = []
    var gone: [Shard] = []
    state.withLock { state in
      state.count = topic.places.count
      for (index, partition) in topic.places.enumerated() {
        let epoch = partition?.leadership
        if let shard = state.shards[index] {
          guard shard.epoch != epoch || shard.partition !== partition else { continue }
          gone.append(shard)
          state.shards.removeValue(forKey: index)
        }
        guard let partition, let epoch else { continue }
        let shard = begin(partition, epoch)
        state.shards[index] = shard
        new.append(shard)
      }
    }
    for shard in gone { shard.stop() }
    for shard in new { pool.run { shard.load() } }
  }

  private func begin(_ partition: Partition, _ epoch: LeaderEpoch) -> Shard {
    makeShard(partition, epoch) { [weak self] shard in self?.beginAnewLater(shard) }
  }

  private func beginAnewLater(_ old: Shard) {
    loop.schedule(after: Self.pause) { [weak self] in
      guard let self else { return }
      pool.run { self.beginAnew(old) }
    }
  }

  /// What a shard decided and could not keep is forgotten: another one reads what is in the log.
  private func beginAnew(_ old: Shard) {
    // Its first record could not be kept either.
    guard !old.partition.isCutOff else { return beginAnewLater(old) }
    let index = Int(old.partition.name.partition.value)
    let new: Shard? = state.withLock { state in
      guard state.shards[index] === old, old.partition.leadership == old.epoch else { return nil }
      let new = begin(old.partition, old.epoch)
      state.shards[index] = new
      return new
    }
    new?.load()
  }

  /// The topic is gone, and everything that was coordinated with it.
  func forget() {
    let gone = state.withLock { state in
      defer { state = State() }
      return state.shards.sorted { $0.key < $1.key }.map(\.value)
    }
    for shard in gone { shard.stop() }
  }

  var isEmpty: Bool { state.withLock { $0.count == 0 } }
  /// In the order of their partitions.
  var all: [Shard] { state.withLock { $0.shards.sorted { $0.key < $1.key }.map(\.value) } }

  /// Nil while there is no such topic, and for what is coordinated elsewhere.
  func shard(of name: String) -> Shard? {
    state.withLock { state in
      state.count == 0 ? nil : state.shards[ShardPlace.partition(of: name, among: state.count)]
    }
  }

  /// The shard of one partition; nil where it is led elsewhere.
  func shard(at partition: Int) -> Shard? { state.withLock { $0.shards[partition] } }

  /// Puts a request about one name to its coordinator.
  func ask(
    _ name: String, _ ask: Shard.Ask, answer: @escaping @Sendable (Coordinator.Answer) -> Void,
    refused: @escaping @Sendable (ErrorCode) -> Void
  ) {
    guard let shard = shard(of: name), !shard.partition.isCutOff else { return refused(.notCoordinator) }
    shard.ask(ask, answer: answer, refused: refused)
  }
}

/// Which partition of an internal topic coordinates a group or a transactional id.
enum ShardPlace {
  /// Kafka's: the magnitude of Java's hash of the text, modulo the number of partitions. Other tools compute it too.
  static func partition(of name: String, among count: Int) -> Int {
    var hash: Int32 = 0
    for unit in name.utf16 { hash = hash &* 31 &+ Int32(unit) }
    // The smallest number, whose magnitude is no Int32, counts as 0 there.
    return hash == .min ? 0 : Int(hash.magnitude) % count
  }
}
