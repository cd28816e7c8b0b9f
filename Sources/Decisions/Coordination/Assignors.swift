public import Vocabulary

/// What an assignor knows of a member.
public struct AssignorMember: Hashable, Sendable {
  public var id: MemberID
  public var instance: InstanceID?
  /// The topics that it subscribes to and that exist.
  public var topics: Set<UniqueID>
  /// What the last target gave it.
  public var before: Assignment
  public init(id: MemberID, instance: InstanceID? = nil, topics: Set<UniqueID>, before: Assignment = Assignment()) {
    self.id = id
    self.instance = instance
    self.topics = topics
    self.before = before
  }
}

extension Assignor {
  /// Gives every partition of every subscribed topic to exactly one of its subscribers. Every member is in the result.
  /// The same arguments always give the same result, in whatever order the members come.
  public func assign(
    _ members: [AssignorMember], partitions: [UniqueID: Int32]
  ) -> [MemberID: Assignment] {
    // Counts may come from a log: a damaged one must not bring the arithmetic down.
    let partitions = partitions.mapValues { max($0, 0) }
    var known = members.sorted { $0.id < $1.id }
    for index in known.indices { known[index].topics.formIntersection(partitions.keys) }
    switch self {
    case .range: return Self.ranges(known, partitions)
    case .uniform:
      let first = known.first?.topics ?? []
      return known.allSatisfy { $0.topics == first }
        ? Self.uniformOverSameTopics(known, first, partitions)
        : Self.uniformOverDifferentTopics(known, partitions)
    }
  }

  /// Each topic on its own, in contiguous pieces, in the order of instance ids and then of member ids: a static member
  /// keeps its pieces over restarts, and members get the same partition numbers of every topic.
  private static func ranges(
    _ members: [AssignorMember], _ partitions: [UniqueID: Int32]
  ) -> [MemberID: Assignment] {
    var result = Dictionary(uniqueKeysWithValues: members.map { ($0.id, Assignment()) })
    let ordered = members.sorted { a, b in
      switch (a.instance, b.instance) {
      case (let x?, let y?): (x, a.id) < (y, b.id)
      case (.some, nil): true
      case (nil, .some): false
      case (nil, nil): a.id < b.id
      }
    }
    for (topic, count) in partitions {
      let subscribers = ordered.filter { $0.topics.contains(topic) }
      guard !subscribers.isEmpty else { continue }
      let (share, extra) = Int(count).quotientAndRemainder(dividingBy: subscribers.count)
      var next = 0
      for (index, member) in subscribers.enumerated() {
        let end = next + share + (index < extra ? 1 : 0)
        for partition in next..<end {
          result[member.id, default: Assignment()].insert(TopicIDPartition(topic, PartitionIndex(Int32(partition))))
        }
        next = end
      }
    }
    return result
  }
}
