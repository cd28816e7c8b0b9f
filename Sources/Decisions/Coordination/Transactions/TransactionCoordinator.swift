public import Vocabulary

/// Coordinates the transactions of one partition of `__transaction_state`.
public struct TransactionCoordinator: Sendable {
  public let settings: TransactionSettings
  /// The epoch in which this broker leads the partition.
  public let epoch: LeaderEpoch

  public init(settings: TransactionSettings, epoch: LeaderEpoch) {
    self.settings = settings
    self.epoch = epoch
  }

  /// When `tick` has something to do; it may be called earlier or later.
  public var nextDeadline: Instant? { nil }

  /// Applies one record of the log. Only before `loaded`.
  public mutating func replay(_ record: TransactionRecord) {}

  /// The coordinator has read its whole log: what was decided goes on.
  public mutating func loaded(at now: Moment, into effects: inout [TransactionEffect]) {}

  /// Does what is due: aborts transactions that took too long, asks for markers again, removes old ids.
  public mutating func tick(at now: Moment, into effects: inout [TransactionEffect]) {}

  /// Answers everyone who waits. Nothing is left in here afterwards.
  public mutating func unload(as error: ErrorCode, into effects: inout [TransactionEffect]) {}
}

extension TransactionCoordinator {
  /// InitProducerId with a transactional id. Refusals: INVALID_REQUEST, INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED,
  /// CONCURRENT_TRANSACTIONS, and COORDINATOR_LOAD_IN_PROGRESS where no producer id could be had.
  public mutating func initProducer(
    _ request: InitProducerRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// The id that was asked for, or nil where there is none to be had.
  public mutating func producerIDAllocated(
    _ producer: ProducerID?, for id: TransactionalID, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// AddPartitionsToTxn of clients, and AddOffsetsToTxn. Refusals: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING,
  /// PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, POLICY_VIOLATION.
  public mutating func addPartitions(
    _ request: TransactionPartitionsRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// AddPartitionsToTxn of brokers that want to know (KIP-890). Refusals, for every partition alike: INVALID_REQUEST,
  /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS; for one of them: INVALID_TXN_STATE.
  public mutating func verify(
    _ request: TransactionPartitionsRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// EndTxn. Refusals: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS,
  /// INVALID_TXN_STATE.
  public mutating func end(
    _ request: EndTransactionRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// What came of marker work.
  public mutating func markersWritten(
    _ result: MarkerResult, for work: MarkerWork, at now: Moment, into effects: inout [TransactionEffect]
  ) {}

  /// DescribeTransactions. Refusals, one per id: INVALID_REQUEST, TRANSACTIONAL_ID_NOT_FOUND.
  public func describe(_ ids: [TransactionalID], _ token: Token, into effects: inout [TransactionEffect]) {}

  /// ListTransactions.
  public func list(
    _ filter: TransactionFilter, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {}
}
