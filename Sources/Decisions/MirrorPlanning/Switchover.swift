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

/// How many partitions the source has of a topic.
public struct SourceCount: Hashable, Sendable {
  /// When it was last looked at, which may be some time ago.
  public var seen: Int
  /// As brokers say that have said before that they take no writes of it: nobody has written one that is not among these.
  /// Nil while no such broker has said so.
  public var closed: Int?
  public init(seen: Int, closed: Int?) {
    self.seen = seen
    self.closed = closed
  }
}

public enum SwitchoverStep: Hashable, Sendable {
  /// The source has more partitions of these topics: they are made here, and copied.
  case grow([TopicName])
  /// The source is asked to close these topics.
  case fence([TopicName])
  /// Leaders that have not said yet that they are closed, or where they end.
  case waitForSource([TopicPartition])
  /// Topics of which nobody has said, since they were closed, how many partitions they have.
  case waitForCounts([TopicName])
  /// How many transactions have no outcome, where there are some. Nothing can begin there any more.
  case waitForTransactions([TopicPartition: Int])
  /// Partitions whose copies are not there yet.
  case waitForCopies([TopicPartition])
  case promote(generation: Int32, reports: [TopicName: String])
}

/// - Parameters:
///   - topics: how many partitions each has here.
///   - fenced: the topics that the source has recorded as closed for this attempt.
///   - counts: how many partitions they have there.
///   - copies: what is committed of each copy that does not stand still, and how old what it knows of the source is.
///   - closedFor: how long the source has been known to be closed, with all of its ends; nil while it is not. A copy
///     counts that has heard of the source since: then it is no other history that ends at the same place.
public func planSwitchover(
  generation: Int32, topics: [TopicName: Int], fenced: Set<TopicName>, counts: [TopicName: SourceCount],
  source: [TopicPartition: SourceStanding], copies: [TopicPartition: PartitionFinding], closedFor: TimeSpan?
) -> SwitchoverStep {
  let grown = topics.filter { name, count in
    counts[name].map { max($0.seen, $0.closed ?? 0) > count } ?? false
  }
  // While the source is still open, nobody waits for it.
  if !grown.isEmpty { return .grow(grown.keys.sorted()) }
  let open = topics.keys.filter { !fenced.contains($0) }.sorted()
  if !open.isEmpty { return .fence(open) }
  let all = topics.sorted { $0.key < $1.key }.flatMap { name, count in
    (0..<count).map { TopicPartition(name, PartitionIndex(Int32($0))) }
  }
  let unknown = all.filter { source[$0]?.isFenced != true || source[$0]?.end == nil }
  if !unknown.isEmpty { return .waitForSource(unknown) }
  let uncounted = topics.keys.filter { counts[$0]?.closed == nil }.sorted()
  if !uncounted.isEmpty { return .waitForCounts(uncounted) }
  let late = all.filter { place in
    guard let copy = copies[place], let end = source[place]?.end, let age = copy.age, let closedFor, copy.open != nil
    else {
      return true
    }
    return copy.end != end || age >= closedFor
  }
  if !late.isEmpty { return .waitForCopies(late) }
  // The copy is the source's log byte by byte: what is open in it is open there. A leader that is closed takes nothing but
  // what belongs to such transactions, so that a log without any ends where it ends.
  let undecided = all.reduce(into: [TopicPartition: Int]()) { found, place in
    if let count = copies[place]?.open, count > 0 { found[place] = count }
  }
  if !undecided.isEmpty { return .waitForTransactions(undecided) }
  let next = generation == .max ? generation : generation + 1
  var reports: [TopicName: String] = [:]
  for (name, count) in topics {
    var found: [TopicPartition: PartitionFinding] = [:]
    for index in 0..<count {
      let place = TopicPartition(name, PartitionIndex(Int32(index)))
      if let copy = copies[place] {
        found[place] = PartitionFinding(end: copy.end, sourceEnd: source[place]?.end, age: .zero)
      }
    }
    reports[name] = report(name, count, found, generation: next)
  }
  return .promote(generation: next, reports: reports)
}
