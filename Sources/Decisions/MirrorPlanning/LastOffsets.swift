public import Vocabulary

// The last step of a switchover before topics change sides: what groups have committed at the source. As with records,
// nobody commits any more first, then everything is asked for, and only then it counts as carried. A coordinator may move
// meanwhile on either side, so that what nobody named is not taken for what is not there.

/// Who leads a partition of group offsets, and so coordinates the groups that fall into it.
public struct ShardLeader: Hashable, Sendable {
  public let node: NodeID
  public let epoch: LeaderEpoch
  public init(_ node: NodeID, _ epoch: LeaderEpoch) {
    self.node = node
    self.epoch = epoch
  }
}

/// Whether all groups of the source were listed, by what its brokers say about themselves.
public struct ListedShards: Sendable {
  private var count = 0
  private var listed: Set<Int> = []

  public init() {}

  /// A broker has listed its groups; before and after that it said who leads which partition.
  ///
  /// What it led both times in one epoch, it led all the while: every group in there was listed. Before a topic of group
  /// offsets is made there are no groups.
  public mutating func note(_ node: NodeID, before: [Int: ShardLeader], after: [Int: ShardLeader], of count: Int) {
    self.count = max(self.count, count)
    listed.formUnion(before.filter { $0.value.node == node && after[$0.key] == $0.value }.keys)
  }

  public var isWhole: Bool { listed.count >= count }
}

/// What one broker here says of going through the groups of the source.
public struct GroupsPass: Hashable, Sendable {
  /// How long ago the last time began in which everything was carried; nil before there was one.
  public var age: TimeSpan?
  /// The partitions of group offsets that this broker led then, all the while. Empty outside of a switchover.
  public var shards: Set<Int> = []
  /// Groups with offsets whose transaction had no outcome the last time. In order.
  public var pending: [String] = []
  /// Groups whose offsets could not be asked for or written the last time. In order.
  public var failed: [String] = []
  public init(age: TimeSpan? = nil, shards: Set<Int> = [], pending: [String] = [], failed: [String] = []) {
    self.age = age
    self.shards = shards
    self.pending = pending
    self.failed = failed
  }
}

public enum LastOffsetsStep: Hashable, Sendable {
  /// The source is asked to let groups commit no more for these topics.
  case close([TopicName])
  /// Brokers of the source that have not said yet that nobody commits there.
  case waitForSource([NodeID])
  /// Groups whose offsets wait for a transaction. Nothing can be added to one any more.
  case waitForTransactions([String])
  case waitForGroups([String])
  /// Brokers here that have not carried everything yet.
  case waitForPass([NodeID])
  case done
}

/// What is still to be done about the offsets of groups, once every record is here and no transaction is open.
/// - Parameters:
///   - closed: of each broker of the source, the topics for which it lets no group commit.
///   - closedFor: how long all of them have been known to do so; nil while they do not. What was asked for before that
///     counts for nothing.
///   - passes: what the brokers here say.
///   - shards: how many partitions of group offsets there are here; 0 where nobody has asked for a group yet.
public func planLastOffsets(
  of topics: Set<TopicName>, closed: [NodeID: Set<TopicName>], closedFor: TimeSpan?, passes: [NodeID: GroupsPass],
  shards: Int
) -> LastOffsetsStep {
  let known = closed.values.reduce(into: Set<TopicName>()) { $0.formUnion($1) }
  let open = topics.subtracting(known)
  if !open.isEmpty { return .close(open.sorted()) }
  let silent = closed.filter { !$0.value.isSuperset(of: topics) }.keys.sorted()
  guard silent.isEmpty, let closedFor else { return .waitForSource(silent) }
  let late = passes.filter { _, pass in pass.age.map { $0 >= closedFor } ?? true }
  let carried = passes.filter { late[$0.key] == nil }.values.reduce(into: Set<Int>()) { $0.formUnion($1.shards) }
  let isDone = shards == 0 ? late.isEmpty && !passes.isEmpty : carried.isSuperset(of: 0..<shards)
  if isDone { return .done }
  let pending = Set(late.values.flatMap(\.pending)).sorted()
  if !pending.isEmpty { return .waitForTransactions(pending) }
  let failed = Set(late.values.flatMap(\.failed)).sorted()
  if !failed.isEmpty { return .waitForGroups(failed) }
  return .waitForPass((late.isEmpty ? passes : late).keys.sorted())
}
