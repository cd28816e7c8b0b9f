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
