public import Vocabulary

/// The limits and times of transaction coordination, by the names of Kafka's configuration where it has one.
public struct TransactionSettings: Hashable, Sendable {
  /// `transaction.max.timeout.ms`: an InitProducerId beyond it gets INVALID_TRANSACTION_TIMEOUT.
  public var timeoutMax = TimeSpan.seconds(15 * 60)
  /// `transactional.id.expiration.ms`: how long an id without an open transaction is remembered.
  public var idExpiration = TimeSpan.seconds(7 * 24 * 3600)
  /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
  public var idExpirationInterval = TimeSpan.seconds(3600)
  /// How many ids are removed at once, and how long it is until the next of them when there are more.
  public var idExpirationBatch = 1000
  public var idExpirationPause = TimeSpan.seconds(1)
  /// How long a marker that could not be written waits for its next attempt.
  public var markerRetryBackoff = TimeSpan.milliseconds(100)
  /// A longer transactional id gets INVALID_REQUEST.
  public var idLengthMax = ByteCount.kibibytes(8)
  /// More partitions in one transaction are refused with POLICY_VIOLATION.
  public var partitionsMax = 50_000
  /// The most that one append may hold: `max.message.bytes` of `__transaction_state`, less room for a batch's header.
  /// A transaction whose partitions need more is refused with POLICY_VIOLATION.
  public var appendMax = ByteCount(1_000_000)
  package var planted: PlantedBug?

  public init() {}
}
