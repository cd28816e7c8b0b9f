public import Vocabulary

/// InitProducerId with a transactional id (KIP-98; with `expected`, KIP-360).
public struct InitProducerRequest: Hashable, Sendable {
  public var id: TransactionalID
  /// `transaction.timeout.ms` of the producer.
  public var timeout: TimeSpan
  /// The producer that goes on under a new epoch after an error; nil for one that begins.
  public var expected: ProducerIdentity?
  /// Lower ids may be those of producers whose records a mirror copies: whoever has one gets another.
  public var leastID: ProducerID
  public init(
    id: TransactionalID, timeout: TimeSpan, expected: ProducerIdentity? = nil, leastID: ProducerID = ProducerID(0)
  ) {
    self.id = id
    self.timeout = timeout
    self.expected = expected
    self.leastID = leastID
  }
}

public struct InitProducerAnswer: Hashable, Sendable {
  public var error: ErrorCode
  /// `.none` with an error.
  public var producer: ProducerIdentity
  public init(_ producer: ProducerIdentity) {
    error = .none
    self.producer = producer
  }
  public init(error: ErrorCode) {
    self.error = error
    producer = .none
  }
}

/// The partitions of one transaction in a request: to be added (AddPartitionsToTxn as clients send it, and
/// AddOffsetsToTxn with the group's partition of `__consumer_offsets`), or to be verified (KIP-890).
public struct TransactionPartitionsRequest: Hashable, Sendable {
  public var id: TransactionalID
  public var producer: ProducerIdentity
  public var partitions: [TopicPartition]
  public init(id: TransactionalID, producer: ProducerIdentity, partitions: [TopicPartition]) {
    self.id = id
    self.producer = producer
    self.partitions = partitions
  }
}

/// What is known about one of the partitions.
public struct VerifiedPartition: Hashable, Sendable {
  public var partition: TopicPartition
  public var error: ErrorCode
  public init(_ partition: TopicPartition, _ error: ErrorCode) {
    self.partition = partition
    self.error = error
  }
}

/// EndTxn.
public struct EndTransactionRequest: Hashable, Sendable {
  public var id: TransactionalID
  public var producer: ProducerIdentity
  public var outcome: TransactionOutcome
  public init(id: TransactionalID, producer: ProducerIdentity, outcome: TransactionOutcome) {
    self.id = id
    self.producer = producer
    self.outcome = outcome
  }
}

/// DescribeTransactions, one id (KIP-664).
public struct TransactionDescription: Hashable, Sendable {
  public var id: TransactionalID
  /// With any but `.none`, nothing else here means anything.
  public var error: ErrorCode
  public var state: TransactionState
  public var producer: ProducerIdentity
  public var timeout: TimeSpan
  /// `.none` where there is no transaction.
  public var startedAt: Timestamp
  /// Ordered. While markers are being written: those that still miss theirs.
  public var partitions: [TopicPartition]
  public init(
    id: TransactionalID, error: ErrorCode = .none, state: TransactionState = .empty, producer: ProducerIdentity = .none,
    timeout: TimeSpan = .zero, startedAt: Timestamp = .none, partitions: [TopicPartition] = []
  ) {
    self.id = id
    self.error = error
    self.state = state
    self.producer = producer
    self.timeout = timeout
    self.startedAt = startedAt
    self.partitions = partitions
  }
}

/// ListTransactions: which transactional ids are asked for.
public struct TransactionFilter: Hashable, Sendable {
  /// Empty: whatever their state is.
  public var states: Set<TransactionState>
  /// Empty: whatever their producer is.
  public var producers: Set<ProducerID>
  /// Only transactions that began longer ago than this; nil: all.
  public var duration: TimeSpan?
  public init(states: Set<TransactionState> = [], producers: Set<ProducerID> = [], duration: TimeSpan? = nil) {
    self.states = states
    self.producers = producers
    self.duration = duration
  }
}

public struct ListedTransaction: Hashable, Sendable {
  public var id: TransactionalID
  public var producer: ProducerID
  public var state: TransactionState
  public init(id: TransactionalID, producer: ProducerID, state: TransactionState) {
    self.id = id
    self.producer = producer
    self.state = state
  }
}
