import ClusterMetadata
import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// Every group of this broker, by the partition of `__consumer_offsets` that its name falls into.
///
/// There is a shard for each of those partitions that this broker leads, for as long as it leads it in that epoch.
final class Groups: Sendable {
  /// How long a shard that could not keep its records rests before it is read again.
  private static let pause = TimeSpan.seconds(1)
  private let settings: GroupSettings
  private let world: GroupWorld
  private let state = Mutex(State())

  private struct State {
    /// How many partitions the topic has; 0 while there is none.
    var count = 0
    var shards: [Int: GroupShard] = [:]
  }

  init(settings: GroupSettings, world: GroupWorld) {
    self.settings = settings
    self.world = world
  }

  /// Takes over the partitions of `__consumer_offsets` that are led here, each of which is read in the background, and
  /// lets go of those that are led elsewhere.
  func follow(_ topic: PartitionTable.HeldTopic) {
    var new: [GroupShard] = []
    var gone: [GroupShard] = []
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
    for shard in new { world.pool.run { shard.load() } }
  }

  private func begin(_ partition: Partition, _ epoch: LeaderEpoch) -> GroupShard {
    GroupShard(partition: partition, epoch: epoch, settings: settings, world: world) { [weak self] shard in
      self?.beginAnewLater(shard)
    }
  }

  private func beginAnewLater(_ old: GroupShard) {
    world.loop.schedule(after: Self.pause) { [weak self] in
      guard let self else { return }
      world.pool.run { self.beginAnew(old) }
    }
  }

  /// What a shard decided and could not keep is forgotten: another one reads what is in the log.
  private func beginAnew(_ old: GroupShard) {
    // Its first record could not be kept either.
    guard !old.partition.isCutOff else { return beginAnewLater(old) }
    let index = Int(old.partition.name.partition.value)
    let new: GroupShard? = state.withLock { state in
      guard state.shards[index] === old, old.partition.leadership == old.epoch else { return nil }
      let new = begin(old.partition, old.epoch)
      state.shards[index] = new
      return new
    }
    new?.load()
  }

  /// The topic of group offsets is gone, and every group with it.
  func forget() {
    let gone = state.withLock { state in
      defer { state = State() }
      return state.shards.sorted { $0.key < $1.key }.map(\.value)
    }
    for shard in gone { shard.stop() }
  }

  var isEmpty: Bool { state.withLock { $0.count == 0 } }
  /// In the order of their partitions.
  var all: [GroupShard] { state.withLock { $0.shards.sorted { $0.key < $1.key }.map(\.value) } }

  /// Nil while there is no topic of group offsets, and for a group that is coordinated elsewhere.
  func shard(of group: String) -> GroupShard? {
    state.withLock { state in
      state.count == 0 ? nil : state.shards[Self.partition(of: group, among: state.count)]
    }
  }

  /// The shard of one partition of `__consumer_offsets`; nil where it is led elsewhere.
  func shard(at partition: Int) -> GroupShard? { state.withLock { $0.shards[partition] } }

  /// Kafka's: the magnitude of Java's hash of the text, modulo the number of partitions. Other tools compute it too.
  static func partition(of group: String, among count: Int) -> Int {
    var hash: Int32 = 0
    for unit in group.utf16 { hash = hash &* 31 &+ Int32(unit) }
    // The smallest number, whose magnitude is no Int32, counts as 0 there.
    return hash == .min ? 0 : Int(hash.magnitude) % count
  }

  /// Puts a request about one group to its coordinator.
  func ask(
    _ group: String, _ ask: GroupShard.Ask, answer: @escaping @Sendable (GroupAnswer) -> Void,
    refused: @escaping @Sendable (ErrorCode) -> Void
  ) {
    guard !group.isEmpty else { return refused(.invalidGroupId) }
    guard let shard = shard(of: group), !shard.partition.isCutOff else { return refused(.notCoordinator) }
    shard.ask(ask, answer: answer, refused: refused)
  }

  /// Offsets of deleted topics mean nothing for a topic that may come under the same name.
  func topicsDeleted(_ topics: [TopicName]) {
    guard !topics.isEmpty else { return }
    let names = Set(topics)
    for shard in all { shard.topicsDeleted(names) }
  }
}

/// Asks several shards and puts their answers together, in the order in which they were asked.
final class Gathering<Part: Sendable>: Sendable {
  private let state: Mutex<State>
  private let done: @Sendable ([Part]) -> Void

  private struct State {
    var parts: [Part?]
    var missing: Int
  }

  init(count: Int, done: @escaping @Sendable ([Part]) -> Void) {
    self.done = done
    state = Mutex(State(parts: Array(repeating: nil, count: count), missing: count))
    if count == 0 { done([]) }
  }

  func put(_ part: Part, at index: Int) {
    let whole: [Part]? = state.withLock { state in
      precondition(state.parts[index] == nil, "a part was put twice")
      state.parts[index] = part
      state.missing -= 1
      return state.missing == 0 ? state.parts.compactMap { $0 } : nil
    }
    if let whole { done(whole) }
  }
}
