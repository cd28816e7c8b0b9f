public import Vocabulary

/// One partition of one topic, by id.
public struct TopicIDPartition: Hashable, Comparable, Sendable {
  public let topic: UniqueID
  public let partition: PartitionIndex
  public init(_ topic: UniqueID, _ partition: PartitionIndex) {
    self.topic = topic
    self.partition = partition
  }
  public static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
}

/// A set of partitions, by topic id. Equal sets are equal values.
public struct Assignment: Hashable, Sendable {
  /// No topic has an empty set.
  private(set) var byTopic: [UniqueID: Set<PartitionIndex>] = [:]

  public init() {}
  public init(_ partitions: some Sequence<TopicIDPartition>) { for partition in partitions { insert(partition) } }

  public var isEmpty: Bool { byTopic.isEmpty }
  public var count: Int { byTopic.values.reduce(0) { $0 + $1.count } }
  /// Ordered by topic id and partition: what the wire and the records carry.
  public var topics: [(id: UniqueID, partitions: [PartitionIndex])] {
    byTopic.keys.sorted().map { ($0, byTopic[$0, default: []].sorted()) }
  }
  /// In no order that may leave this module.
  var members: [TopicIDPartition] { byTopic.flatMap { topic, set in set.map { TopicIDPartition(topic, $0) } } }
  var sorted: [TopicIDPartition] { topics.flatMap { topic in topic.partitions.map { TopicIDPartition(topic.id, $0) } } }

  public func contains(_ partition: TopicIDPartition) -> Bool {
    byTopic[partition.topic]?.contains(partition.partition) ?? false
  }
  public mutating func insert(_ partition: TopicIDPartition) {
    byTopic[partition.topic, default: []].insert(partition.partition)
  }
  public mutating func remove(_ partition: TopicIDPartition) {
    byTopic[partition.topic]?.remove(partition.partition)
    if byTopic[partition.topic]?.isEmpty == true { byTopic[partition.topic] = nil }
  }
  func union(_ other: Assignment) -> Assignment {
    var result = self
    for (topic, set) in other.byTopic { result.byTopic[topic, default: []].formUnion(set) }
    return result
  }
  func intersection(_ other: Assignment) -> Assignment {
    filter { topic, set in other.byTopic[topic].map { set.intersection($0) } ?? [] }
  }
  func subtracting(_ other: Assignment) -> Assignment {
    filter { topic, set in other.byTopic[topic].map { set.subtracting($0) } ?? set }
  }
  func isSubset(of other: Assignment) -> Bool {
    byTopic.allSatisfy { topic, set in other.byTopic[topic].map { set.isSubset(of: $0) } ?? false }
  }
  private func filter(_ keep: (UniqueID, Set<PartitionIndex>) -> Set<PartitionIndex>) -> Assignment {
    var result = Assignment()
    for (topic, set) in byTopic {
      let kept = keep(topic, set)
      if !kept.isEmpty { result.byTopic[topic] = kept }
    }
    return result
  }
}
