public import Vocabulary

// After a failover the old owner does not know that it is one. A generation has one writer: as soon as it can be asked
// again, its topics are closed as for a switchover. That is done once; whoever opens them again by hand has meant it.

/// A topic that this cluster has taken over without asking.
public struct TakenTopic: Hashable, Sendable {
  public let name: TopicName
  public let id: UniqueID
  /// In which clients write here.
  public let generation: Int32
  public init(name: TopicName, id: UniqueID, generation: Int32) {
    self.name = name
    self.id = id
    self.generation = generation
  }
}

public struct ClosingPlan: Hashable, Sendable {
  /// Topics that the old owner is asked to close.
  public var close: [TopicName] = []
  /// Topics of which it has said nothing yet.
  public var unknown: [TopicName] = []
  /// Nobody can write there any more what was taken over here.
  public var isDone: Bool { close.isEmpty && unknown.isEmpty }
}

/// What is to be closed at the old owner.
///
/// Left alone are a topic that was made anew there, one that a mirror writes there, and one that clients write in a
/// generation that is not earlier than the one here: that has taken over from this cluster.
/// - Parameter fences: of topics that are closed there already, by whom and for which attempt.
public func planClosing(
  _ taken: [TakenTopic], at source: [TopicName: SourceTopic], fences: [TopicName: [String]], word: String
) -> ClosingPlan {
  var plan = ClosingPlan()
  for topic in taken.sorted(by: { $0.name < $1.name }) {
    guard let there = source[topic.name] else {
      plan.unknown.append(topic.name)
      continue
    }
    let isOwnedThere =
      there.id == topic.id && there.link == nil && ownershipGeneration(there.configs) < topic.generation
    if isOwnedThere, fences[topic.name]?.contains(word) != true { plan.close.append(topic.name) }
  }
  return plan
}
