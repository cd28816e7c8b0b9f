public import Vocabulary

/// A committed offset of a group, with what was committed beside it.
public struct GroupOffset: Hashable, Sendable {
  public let offset: Offset
  public let leaderEpoch: LeaderEpoch
  public let metadata: String
  public init(_ offset: Offset, leaderEpoch: LeaderEpoch, metadata: String) {
    self.offset = offset
    self.leaderEpoch = leaderEpoch
    self.metadata = metadata
  }
}

public struct GroupSteps: Hashable, Sendable {
  public var commit: [TopicPartition: GroupOffset] = [:]
  /// In order.
  public var remove: [TopicPartition] = []
  public var isEmpty: Bool { commit.isEmpty && remove.isEmpty }
}

/// What is to be written of a group that has no active members here.
///
/// Nothing goes beyond what has been copied: who starts here reads on where records are. A commit that was taken back at
/// the source is taken back here, and one that was deleted is deleted, in partitions that are mirrored. Where nothing is
/// known of a copy yet, a commit waits.
public func planGroup(
  source: [TopicPartition: GroupOffset], own: [TopicPartition: GroupOffset], marks: GroupMarks
) -> GroupSteps {
  var steps = GroupSteps()
  for (partition, there) in source {
    guard let mark = marks.mark(of: partition), there.offset >= .zero else { continue }
    let offset = min(there.offset, mark)
    let epoch = offset < there.offset ? LeaderEpoch.none : there.leaderEpoch
    let wanted = GroupOffset(offset, leaderEpoch: epoch, metadata: there.metadata)
    if own[partition] != wanted { steps.commit[partition] = wanted }
  }
  steps.remove = own.keys.filter { marks.isMirrored($0) && source[$0] == nil }.sorted()
  return steps
}

/// How long a switchover waits for the last pass over the groups, while nobody can write: a group that cannot be asked about
/// must not hold up the records.
public let groupsPatience = TimeSpan.seconds(10)

/// The brokers whose last pass over the groups began before everything was copied: what was committed at the source may not
/// be here yet, or may have been held back.
/// - Parameters:
///   - ages: for each broker that coordinates groups, how long ago it began the last pass that carried everything.
///   - copiedFor: how long everything has been known to be copied.
public func planGroupsPass(_ ages: [NodeID: TimeSpan?], copiedFor: TimeSpan?) -> [NodeID] {
  guard let copiedFor else { return ages.keys.sorted() }
  guard copiedFor < groupsPatience else { return [] }
  return ages.filter { _, age in age.map { $0 >= copiedFor } ?? true }.keys.sorted()
}
