import Vocabulary

/// What is known of one transactional id: what its record says, and what is going on.
struct TransactionalProducer: Sendable {
  var value: TransactionValue
  var activity = Activity.none

  enum Activity: Sendable {
    case none
    /// A transaction is open, and is aborted then.
    case open(until: Instant)
    /// Boxed: of all ids that are known, few are here.
    indirect case ending(Ending)
  }

  /// Markers are being written.
  struct Ending: Sendable {
    /// Which work a partition is part of that has brought no result yet.
    var outstanding: [TopicPartition: UInt64] = [:]
    /// Those that are to be tried again.
    var refused: Set<TopicPartition> = []
    /// When they are. `.never` while there are none.
    var retryAt = Instant.never
    /// Somebody else coordinates by now: nothing is asked for any more.
    var isFenced = false

    var left: [TopicPartition] { (Array(outstanding.keys) + refused).sorted() }
    var isDone: Bool { outstanding.isEmpty && refused.isEmpty && !isFenced }
  }

  /// When to look at it again.
  var wake: Instant {
    switch activity {
    case .none: .never
    case .open(let until): until
    case .ending(let ending): ending.isFenced ? .never : ending.retryAt
    }
  }

  /// Nobody needs it but a producer that comes back.
  var isIdle: Bool {
    switch value.stage {
    case .empty, .complete: true
    case .ongoing, .prepared: false
    }
  }

  /// In its transaction, or still without its marker. Ordered.
  var partitions: [TopicPartition] {
    switch value.stage {
    case .empty, .complete: []
    case .ongoing(let open): open.partitions.sorted()
    case .prepared: if case .ending(let ending) = activity { ending.left } else { [] }
    }
  }
}

extension ProducerEpoch {
  /// The largest is never given to a producer: it is there to fence the one before it.
  var isExhausted: Bool { value >= .max - 1 }
  /// What a record from elsewhere says is no reason to stop.
  var next: ProducerEpoch { ProducerEpoch(value == .max ? .max : value + 1) }
}

extension TransactionRecord {
  /// Bytes, with room for keys, lengths and numbers.
  static func sizeEstimate(_ id: TransactionalID, _ partitions: Set<TopicPartition>) -> Int {
    var topics: Set<TopicName> = []
    var size = 192 + id.text.utf8.count
    for partition in partitions {
      size += 4
      if topics.insert(partition.topic).inserted { size += 8 + partition.topic.text.utf8.count }
    }
    return size
  }
}
