public import Vocabulary

/// What the caller must do, in this order.
///
/// An append is written to the coordinator's partition as one batch. An answer is sent, and markers are written, once
/// every append that came before, in this or an earlier call, is committed: what they say rests on those records.
/// When an append fails, the caller gives up this coordinator: it turns the answers it still holds into errors,
/// drops the marker work it still holds, calls `unload`, and loads a new coordinator from the log.
public enum TransactionEffect: Hashable, Sendable {
  case append([TransactionRecord])
  case answer(Token, TransactionAnswer)
  /// A new producer id is needed: give it, or nil, to `producerIDAllocated`. It need not wait for anything.
  case allocateProducerID(TransactionalID)
  /// Write the outcome's marker to these partitions, and give what came of it to `markersWritten`.
  case writeMarkers(MarkerWork)
}

/// Markers that are to be written to the leaders of partitions (WriteTxnMarkers).
public struct MarkerWork: Hashable, Sendable {
  public var id: TransactionalID
  /// Names this work among all of this coordinator.
  public var number: UInt64
  public var producer: ProducerIdentity
  public var outcome: TransactionOutcome
  /// In which epoch this broker coordinates the id: partitions refuse markers of an older one.
  public var coordinatorEpoch: LeaderEpoch
  /// Ordered, each once.
  public var partitions: [TopicPartition]
  public init(
    id: TransactionalID, number: UInt64, producer: ProducerIdentity, outcome: TransactionOutcome,
    coordinatorEpoch: LeaderEpoch, partitions: [TopicPartition]
  ) {
    self.id = id
    self.number = number
    self.producer = producer
    self.outcome = outcome
    self.coordinatorEpoch = coordinatorEpoch
    self.partitions = partitions
  }
}

/// What came of marker work, or of a part of it: results may come one by one. Every partition of the work must come in
/// one of them, once: the coordinator itself asks again, after `markerRetryBackoff`, for those that are to be tried again.
public struct MarkerResult: Hashable, Sendable {
  /// The marker is committed there. Also where a partition says INVALID_PRODUCER_EPOCH: a marker or a record of a later
  /// epoch has come after all that this one could end.
  public var written: [TopicPartition]
  /// These partitions exist no longer: their topic has been deleted.
  public var gone: [TopicPartition]
  /// It could not be written now, or nobody knows whether it was.
  public var again: [TopicPartition]
  /// A partition has a marker of a newer coordinator (TRANSACTION_COORDINATOR_FENCED): this one is it no longer.
  public var isFenced: Bool
  public init(
    written: [TopicPartition] = [], gone: [TopicPartition] = [], again: [TopicPartition] = [], isFenced: Bool = false
  ) {
    self.written = written
    self.gone = gone
    self.again = again
    self.isFenced = isFenced
  }
}

/// The answer of one request.
public enum TransactionAnswer: Hashable, Sendable {
  case initProducer(InitProducerAnswer)
  /// One for all partitions of the request.
  case addPartitions(ErrorCode)
  /// In the order of the request.
  case verify([VerifiedPartition])
  case end(ErrorCode)
  /// In the order of the request.
  case describe([TransactionDescription])
  /// Ordered by id.
  case list([ListedTransaction])

  /// The same kind of answer, saying only that the request failed.
  public func refused(as error: ErrorCode) -> TransactionAnswer {
    switch self {
    case .initProducer: .initProducer(InitProducerAnswer(error: error))
    case .addPartitions: .addPartitions(error)
    case .verify(let partitions): .verify(partitions.map { VerifiedPartition($0.partition, error) })
    case .end: .end(error)
    case .describe(let all): .describe(all.map { TransactionDescription(id: $0.id, error: error) })
    case .list: .list([])
    }
  }
}
