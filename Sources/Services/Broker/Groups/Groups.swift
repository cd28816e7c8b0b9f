import Coordination
import Synchronization
import Vocabulary

/// Every group of this broker, by the partition of `__consumer_offsets` that its name falls into.
final class Groups: Sendable {
  private let shards: ShardTable<GroupCoordinator>

  init(settings: GroupSettings, world: GroupWorld) {
    shards = ShardTable(loop: world.loop, pool: world.pool) { partition, epoch, whenUnfit in
      GroupShard(partition: partition, epoch: epoch, settings: settings, world: world, whenUnfit: whenUnfit)
    }
  }

  /// Takes over the partitions of `__consumer_offsets` that are led here, each of which is read in the background, and
  /// lets go of those that are led elsewhere.
  func follow(_ topic: PartitionTable.HeldTopic) { shards.follow(topic) }

  /// The topic of group offsets is gone, and every group with it.
  func forget() { shards.forget() }

  var isEmpty: Bool { shards.isEmpty }
  /// In the order of their partitions.
  var all: [GroupShard] { shards.all }

  /// Nil while there is no topic of group offsets, and for a group that is coordinated elsewhere.
  func shard(of group: String) -> GroupShard? { shards.shard(of: group) }

  /// The shard of one partition of `__consumer_offsets`; nil where it is led elsewhere.
  func shard(at partition: Int) -> GroupShard? { shards.shard(at: partition) }

  static func partition(of group: String, among count: Int) -> Int { ShardPlace.partition(of: group, among: count) }

  /// Puts a request about one group to its coordinator.
  func ask(
    _ group: String, _ ask: GroupShard.Ask, answer: @escaping @Sendable (GroupAnswer) -> Void,
    refused: @escaping @Sendable (ErrorCode) -> Void
  ) {
    guard !group.isEmpty else { return refused(.invalidGroupId) }
    shards.ask(group, ask, answer: answer, refused: refused)
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
