import Vocabulary

/// The committed offsets of all groups, and those that wait for the end of a transaction.
struct OffsetStore {
  struct Stored: Hashable {
    let offset: CommittedOffset
    /// The place of its record among all offset records: a later plain commit beats an earlier transactional one,
    /// whenever the transaction ends.
    let sequence: Int64
  }
  typealias Partitions = [TopicPartition: Stored]

  private(set) var committed: [GroupID: Partitions] = [:]
  private(set) var pending: [ProducerID: [GroupID: Partitions]] = [:]
  /// Producers with an open transaction, by group.
  private var openTransactions: [GroupID: Set<ProducerID>] = [:]
  private var sequence: Int64 = 0

  func offset(_ group: GroupID, _ partition: TopicPartition) -> CommittedOffset? {
    committed[group]?[partition]?.offset
  }

  func isPending(_ group: GroupID, _ partition: TopicPartition) -> Bool {
    openTransactions[group]?.contains { pending[$0]?[group]?[partition] != nil } ?? false
  }

  func hasOpenTransaction(_ group: GroupID) -> Bool { openTransactions[group] != nil }

  /// Committed or pending, ordered.
  func partitions(of group: GroupID) -> [TopicPartition] {
    var all = Set(committed[group]?.keys.map { $0 } ?? [])
    for producer in openTransactions[group] ?? [] { all.formUnion(pending[producer]?[group]?.keys.map { $0 } ?? []) }
    return all.sorted()
  }

  /// Every group that has offsets, committed or pending, ordered.
  var groups: [GroupID] { Set(committed.keys).union(openTransactions.keys).sorted() }

  mutating func apply(
    _ group: GroupID, _ partition: TopicPartition, _ value: CommittedOffset?, by writer: RecordWriter
  ) {
    guard let value else { return remove(group, partition) }
    sequence += 1
    let stored = Stored(offset: value, sequence: sequence)
    switch writer {
    case .coordinator:
      committed[group, default: [:]][partition] = stored
    case .transaction(let producer, _):
      pending[producer, default: [:]][group, default: [:]][partition] = stored
      openTransactions[group, default: []].insert(producer)
    }
  }

  private mutating func remove(_ group: GroupID, _ partition: TopicPartition) {
    committed[group]?[partition] = nil
    if committed[group]?.isEmpty == true { committed[group] = nil }
    for producer in openTransactions[group] ?? [] { pending[producer]?[group]?[partition] = nil }
  }

  mutating func endTransaction(of producer: ProducerID, _ outcome: TransactionOutcome) {
    guard let groups = pending.removeValue(forKey: producer) else { return }
    for (group, partitions) in groups {
      openTransactions[group]?.remove(producer)
      if openTransactions[group]?.isEmpty == true { openTransactions[group] = nil }
      guard outcome == .committed else { continue }
      for (partition, stored) in partitions where stored.sequence > committed[group]?[partition]?.sequence ?? 0 {
        committed[group, default: [:]][partition] = stored
      }
    }
  }
}

/// How a transaction ended (KIP-98).
public enum TransactionOutcome: Hashable, Sendable {
  case committed
  case aborted
}
