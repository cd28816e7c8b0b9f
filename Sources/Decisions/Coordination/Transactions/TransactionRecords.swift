public import Vocabulary

/// What the coordinator writes to its partition of `__transaction_state`: the whole of one transactional id, or that it
/// is forgotten.
public struct TransactionRecord: Hashable, Sendable {
  public var id: TransactionalID
  /// Nil is a tombstone.
  public var value: TransactionValue?
  public init(_ id: TransactionalID, _ value: TransactionValue?) {
    self.id = id
    self.value = value
  }
}

/// TransactionLogValue.
public struct TransactionValue: Hashable, Sendable {
  public var producer: ProducerIdentity
  /// `transaction.timeout.ms` of the producer, in whole milliseconds.
  public var timeout: TimeSpan
  public var stage: TransactionStage
  public var updatedAt: Timestamp
  /// Whom InitProducerId has replaced by `producer`, where that producer itself asked and may not have heard the answer
  /// (KIP-360). It is not written: whoever asks again after the coordinator has changed is fenced.
  public var replaced: ProducerIdentity
  public init(
    producer: ProducerIdentity, timeout: TimeSpan, stage: TransactionStage, updatedAt: Timestamp,
    replaced: ProducerIdentity = .none
  ) {
    self.producer = producer
    self.timeout = timeout
    self.stage = stage
    self.updatedAt = updatedAt
    self.replaced = replaced
  }
}

/// How far a transactional id is with its transaction.
public enum TransactionStage: Hashable, Sendable {
  case empty
  case ongoing(OpenTransaction)
  /// How it ends is decided; some of its partitions miss their marker.
  case prepared(TransactionOutcome, OpenTransaction)
  case complete(TransactionOutcome, startedAt: Timestamp)

  public var state: TransactionState {
    switch self {
    case .empty: .empty
    case .ongoing: .ongoing
    case .prepared(.committed, _): .prepareCommit
    case .prepared(.aborted, _): .prepareAbort
    case .complete(.committed, _): .completeCommit
    case .complete(.aborted, _): .completeAbort
    }
  }
}

extension TransactionStage {
  /// `.none` where there is, and was, no transaction.
  public var startedAt: Timestamp {
    switch self {
    case .empty: .none
    case .ongoing(let open), .prepared(_, let open): open.startedAt
    case .complete(_, let startedAt): startedAt
    }
  }
}

/// A transaction that has not ended everywhere.
public struct OpenTransaction: Hashable, Sendable {
  /// When its first partition was added.
  public var startedAt: Timestamp
  public var partitions: Set<TopicPartition>
  public init(startedAt: Timestamp, partitions: Set<TopicPartition>) {
    self.startedAt = startedAt
    self.partitions = partitions
  }
}
