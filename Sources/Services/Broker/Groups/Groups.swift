import ClusterMetadata
import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// Every group of this broker, by the partition of `__consumer_offsets` that its name falls into.
final class Groups: Sendable {
  private let settings: GroupSettings
  private let world: GroupWorld
  private let shards = Mutex<[GroupShard]>([])

  init(settings: GroupSettings, world: GroupWorld) {
    self.settings = settings
    self.world = world
  }

  /// Takes over the partitions of `__consumer_offsets`; each is read in the background.
  func follow(_ partitions: [Partition]) {
    let new: [GroupShard] = shards.withLock { shards in
      let new = partitions.dropFirst(shards.count).map {
        GroupShard(partition: $0, settings: settings, world: world)
      }
      shards += new
      return Array(new)
    }
    for shard in new { world.pool.run { shard.load() } }
  }

  /// The topic of group offsets is gone, and every group with it.
  func forget() {
    let gone = shards.withLock { shards in
      defer { shards = [] }
      return shards
    }
    for shard in gone { shard.stop() }
  }

  var isEmpty: Bool { shards.withLock { $0.isEmpty } }
  var all: [GroupShard] { shards.withLock { $0 } }

  /// Nil while there is no topic of group offsets.
  func shard(of group: String) -> GroupShard? {
    shards.withLock { shards in shards.isEmpty ? nil : shards[Self.partition(of: group, among: shards.count)] }
  }

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
    guard let shard = shard(of: group) else { return refused(.notCoordinator) }
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
