public import Vocabulary

// The way back: topics of an old owner become copies of the new one, which has taken over from it. Both have the same up to
// where they part; what only the old owner has is set aside, and only what it lacks is copied.

public enum FailBackStep: Hashable, Sendable {
  /// Partitions that are not copied yet, with the first of the reasons.
  case waitFor([TopicPartition], reason: String)
  case nothingToDo
  /// Every copy goes on from where the logs part: from here on it is a mirror like any other.
  case done
}

/// - Parameters:
///   - topics: how many partitions each topic has that the mirror writes by now.
///   - givenUpFor: how long it has been known that no other topic is to be given up; nil while there is one. A copy counts
///     that has heard of the source since.
public func planFailBack(
  topics: [TopicName: Int], statuses: [TopicPartition: PartitionStatus], givenUpFor: TimeSpan?
) -> FailBackStep {
  guard !topics.isEmpty else { return .nothingToDo }
  let all = topics.sorted { $0.key < $1.key }.flatMap { name, count in
    (0..<count).map { TopicPartition(name, PartitionIndex(Int32($0))) }
  }
  let late = all.filter { place in
    guard let status = statuses[place], let age = status.age, let givenUpFor else { return true }
    return status.state != .copying || age >= givenUpFor
  }
  guard let first = late.first else { return .done }
  return .waitFor(late, reason: "\(first): \(statuses[first]?.reason ?? "it has not heard of the source yet")")
}
