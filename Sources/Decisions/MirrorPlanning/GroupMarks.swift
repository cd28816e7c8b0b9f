public import Vocabulary

// A group may be coordinated by a broker that has no copy of what the group reads. How far a copy may be read only its
// leader knows: it is asked, for what is needed and no more, and what it said is remembered.

/// Who leads a copy here, and of which topic: another one may have its name later. Nobody may lead.
public struct CopyLeader: Hashable, Sendable {
  /// What a high watermark holds for.
  public struct Era: Hashable, Sendable {
    public let topic: UniqueID
    public let epoch: LeaderEpoch
    public init(of topic: UniqueID, _ epoch: LeaderEpoch) {
      self.topic = topic
      self.epoch = epoch
    }
  }
  public let node: NodeID?
  public let era: Era
  public init(_ node: NodeID?, _ era: Era) {
    self.node = node
    self.era = era
  }
}

/// What is known of the high watermarks of the copies here.
///
/// What a leader has said holds until another epoch begins: the mark only rises in one. So a copy is asked about when a
/// group is further than what was heard of it, and what rests costs nothing.
public struct GroupMarks: Sendable {
  private var leaders: [TopicPartition: CopyLeader] = [:]
  /// Each in the epoch of the leader that is named above.
  private var marks: [TopicPartition: Offset] = [:]

  public init() {}
  public var isEmpty: Bool { leaders.isEmpty }

  /// - Parameter leaders: of all partitions that are mirrored, and of no other.
  public mutating func follow(_ leaders: [TopicPartition: CopyLeader]) {
    guard leaders != self.leaders else { return }
    let former = self.leaders
    self.leaders = leaders
    marks = marks.filter { partition, _ in leaders[partition]?.era == former[partition]?.era }
  }

  public func isMirrored(_ partition: TopicPartition) -> Bool { leaders[partition] != nil }
  public func era(of partition: TopicPartition) -> CopyLeader.Era? { leaders[partition]?.era }
  /// Nil while nothing is known of it.
  public func mark(of partition: TopicPartition) -> Offset? { marks[partition] }

  /// A leader was asked for it in `era`. What was said in another one is not taken: it may have held more, or something else.
  public mutating func note(_ mark: Offset, of partition: TopicPartition, in era: CopyLeader.Era) {
    guard mark >= .zero, leaders[partition]?.era == era else { return }
    marks[partition] = max(marks[partition] ?? .zero, mark)
  }

  /// Who is to be asked about what before the offsets can be carried, in order. Under nil stands what nobody leads.
  public func questions(for offsets: [TopicPartition: GroupOffset]) -> [(leader: NodeID?, about: [TopicPartition])] {
    var asked: [NodeID?: [TopicPartition]] = [:]
    for (partition, wanted) in offsets {
      guard let leader = leaders[partition] else { continue }
      if let known = marks[partition], known >= wanted.offset { continue }
      asked[leader.node, default: []].append(partition)
    }
    return asked.map { (leader: $0.key, about: $0.value.sorted()) }
      .sorted { ($0.leader ?? .none) < ($1.leader ?? .none) }
  }
}

/// Questions to one leader that wait for each other: one is under way at a time, and it is about no more partitions than a
/// leader answers at once. What several groups need is asked once.
public struct MarkQuestions<Asker: Sendable>: Sendable {
  /// The most partitions of one request.
  public static var partitionsMax: Int { 1000 }

  private struct Waiting: Sendable {
    var missing: Set<TopicPartition>
    var isWhole = true
    let asker: Asker
  }
  /// Somebody who has waited, and whether everything was said that he asked for.
  public typealias Told = (asker: Asker, isWhole: Bool)
  private var waiting: [Waiting] = []
  /// What is under way.
  private var asked: Set<TopicPartition> = []

  public init() {}

  /// `asker` comes back from `answered` or `failed`, once.
  public mutating func add(_ partitions: [TopicPartition], for asker: Asker) {
    waiting.append(Waiting(missing: Set(partitions), asker: asker))
  }

  /// What is to be asked now, in order; empty while a question is under way, or where there is nothing to ask.
  public mutating func next() -> [TopicPartition] {
    guard asked.isEmpty else { return [] }
    for one in waiting {
      for partition in one.missing.sorted() where asked.count < Self.partitionsMax { asked.insert(partition) }
      if asked.count >= Self.partitionsMax { break }
    }
    return asked.sorted()
  }

  /// What was asked was answered, but for what was `refused`: those whose last question it was.
  public mutating func answered(refused: Set<TopicPartition>) -> [Told] {
    for index in waiting.indices {
      if !waiting[index].missing.isDisjoint(with: refused) { waiting[index].isWhole = false }
      waiting[index].missing.subtract(asked)
    }
    asked = []
    let done = waiting.filter(\.missing.isEmpty)
    waiting.removeAll(where: \.missing.isEmpty)
    return done.map { ($0.asker, $0.isWhole) }
  }

  /// The leader does not answer: everybody who waits for it, so that nobody waits for the same silence once more.
  public mutating func failed() -> [Told] {
    defer { self = MarkQuestions() }
    return waiting.map { ($0.asker, false) }
  }
}
