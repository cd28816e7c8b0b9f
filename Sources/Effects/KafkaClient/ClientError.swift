public import KafkaProtocol
public import Vocabulary

/// Why something that was asked of the cluster was not done. Each names the broker and the request.
public enum ClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No connection could be made: the request was not sent.
  case unreachable(BrokerAddress, String)
  /// The connection ended before the answer came; whether the broker did what it was asked is not known.
  case disconnected(BrokerAddress, APIKey, String)
  /// No answer in time; whether the broker did what it was asked is not known.
  case deadline(BrokerAddress, APIKey, TimeSpan)
  /// Broker and client have no version of this request in common.
  case unsupported(BrokerAddress, APIKey)
  /// The answer could not be read.
  case malformed(BrokerAddress, APIKey, String)
  /// The broker said no. The subject is what it said it about, such as a topic.
  case refused(BrokerAddress, APIKey, subject: String, ErrorCode, String?)
  /// The topic, or this partition of it, is not there or has no leader for now.
  case noLeader(String, ErrorCode)
  /// Bytes that were fetched are not record batches, or cannot be decompressed.
  case corruptRecords(TopicPartition, Offset, String)
  /// The client was closed.
  case closed

  /// Kafka's code, when a broker said one.
  public var code: ErrorCode? {
    switch self {
    case .refused(_, _, _, let code, _), .noLeader(_, let code): code
    case .unreachable, .disconnected, .deadline, .unsupported, .malformed, .corruptRecords, .closed: nil
    }
  }

  /// Whether the network was at fault, so that the same may work again on another connection.
  public var isOfTheNetwork: Bool {
    switch self {
    case .unreachable, .disconnected, .deadline: true
    case .unsupported, .malformed, .refused, .noLeader, .corruptRecords, .closed: false
    }
  }

  public var description: String {
    switch self {
    case .unreachable(let broker, let words):
      words.hasPrefix(broker.description) ? "cannot connect to \(words)" : "cannot connect to \(broker): \(words)"
    case .disconnected(let broker, let api, let words): "\(broker) left before it answered \(api): \(words)"
    case .deadline(let broker, let api, let span):
      "\(broker) did not answer \(api) within \(span.milliseconds) ms"
    case .unsupported(let broker, let api): "\(broker) has no version of \(api) that this client speaks"
    case .malformed(let broker, let api, let words): "\(broker) answered \(api) with bytes that are none: \(words)"
    case .refused(let broker, let api, let subject, let code, let message):
      "\(subject): \(code)\(message.map { $0.isEmpty ? "" : ": \($0)" } ?? "") (\(api), \(broker))"
    case .noLeader(let subject, let code): "\(subject): \(code) (Metadata)"
    case .corruptRecords(let partition, let offset, let words):
      "\(partition) cannot be read at offset \(offset.value): \(words)"
    case .closed: "the client is closed"
    }
  }
}

/// What is to be done about an error before the same request is sent again.
enum Remedy: Hashable, Sendable {
  /// It would fail again.
  case none
  /// It will pass.
  case wait
  /// The leader or the controller is somewhere else.
  case refreshMetadata
  /// The coordinator is somewhere else.
  case findCoordinator

  init(for code: ErrorCode) {
    switch code {
    case .leaderNotAvailable, .notLeaderOrFollower, .fencedLeaderEpoch, .unknownLeaderEpoch, .notController,
      .replicaNotAvailable, .kafkaStorageError, .unknownTopicId, .listenerNotFound:
      self = .refreshMetadata
    case .coordinatorNotAvailable, .notCoordinator: self = .findCoordinator
    case .coordinatorLoadInProgress, .requestTimedOut, .notEnoughReplicas, .notEnoughReplicasAfterAppend,
      .networkException, .offsetNotAvailable, .throttlingQuotaExceeded, .concurrentTransactions,
      .unstableOffsetCommit:
      self = .wait
    default: self = .none
    }
  }

  init(for error: ClientError) {
    switch error {
    case .unreachable, .disconnected, .deadline: self = .refreshMetadata
    case .refused(_, _, _, let code, _), .noLeader(_, let code): self = Remedy(for: code)
    case .unsupported, .malformed, .corruptRecords, .closed: self = .none
    }
  }
}
