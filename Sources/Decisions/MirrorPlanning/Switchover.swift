public import Vocabulary

// A planned change of sides that loses nothing. The source takes no more writes; every record that it let in is copied;
// then, and in one change of the metadata, the copies become this cluster's own. Until that change the source can be
// opened again, and nothing has happened. Each step looks at what is there, so that whoever is the controller goes on.

/// What is known of the source while it is asked to stop.
public struct SourceStanding: Hashable, Sendable {
  /// Whether the leader of the partition itself has said that it takes no writes.
  public var isFenced: Bool
  /// Where its log ended when it was asked after that, records that are not committed yet included.
  public var end: Offset?
  public init(isFenced: Bool, end: Offset?) {
    self.isFenced = isFenced
    self.end = end
  }
}

public enum SwitchoverStep: Hashable, Sendable {
  /// The source is asked to close these topics.
  case fence([TopicName])
  /// Leaders that have not said yet that they are closed, or where they end.
  case waitForSource([TopicPartition])
  /// Partitions whose copies are not there yet.
  case waitForCopies([TopicPartition])
  case promote(generation: Int32, reports: [TopicName: String])
}

/// - Parameters:
///   - fenced: the topics that the source has recorded as closed for this attempt.
///   - copies: what is committed of each copy.
public func planSwitchover(
  generation: Int32, topics: [TopicName: Int], fenced: Set<TopicName>, source: [TopicPartition: SourceStanding],
  copies: [TopicPartition: Offset]
) -> SwitchoverStep {
  let open = topics.keys.filter { !fenced.contains($0) }.sorted()
  if !open.isEmpty { return .fence(open) }
  let all = topics.sorted { $0.key < $1.key }.flatMap { name, count in
    (0..<count).map { TopicPartition(name, PartitionIndex(Int32($0))) }
  }
  let unknown = all.filter { source[$0]?.isFenced != true || source[$0]?.end == nil }
  if !unknown.isEmpty { return .waitForSource(unknown) }
  let late = all.filter { place in
    guard let copy = copies[place], let end = source[place]?.end else { return true }
    return copy < end
  }
  if !late.isEmpty { return .waitForCopies(late) }
  let next = generation == .max ? generation : generation + 1
  var reports: [TopicName: String] = [:]
  for (name, count) in topics {
    var found: [TopicPartition: PartitionFinding] = [:]
    for index in 0..<count {
      let place = TopicPartition(name, PartitionIndex(Int32(index)))
      if let copy = copies[place] {
        found[place] = PartitionFinding(end: copy, sourceEnd: source[place]?.end, age: .zero)
      }
    }
    reports[name] = report(name, count, found, generation: next)
  }
  return .promote(generation: next, reports: reports)
}
