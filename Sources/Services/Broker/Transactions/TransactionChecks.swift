import ClusterMetadata
import Coordination
import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// Asks the coordinator of a transaction whether a partition is part of it, before the transaction's first batch is
/// appended there (KIP-890): otherwise a batch that comes late would begin a transaction that nobody ends.
///
/// Batches that come meanwhile wait behind the first, in their order.
final class TransactionChecks: Sendable {
  private static let span = TimeSpan.seconds(5)
  private let node: NodeID
  private let itself: Itself
  private let image: @Sendable () -> MetadataImage
  private let peers: BrokerPeers
  private let waiting = Mutex<[Subject: [Waiter]]>([:])

  /// Whose transaction it is, and where it is to begin.
  struct Subject: Hashable, Sendable {
    let transactionalID: String
    let producer: ProducerID
    let epoch: ProducerEpoch
    let partition: TopicPartition
  }

  enum Verdict: Sendable {
    case admitted(VerificationTicket)
    case refused(ErrorCode)
  }

  enum Admission {
    /// The transaction is open here already.
    case now
    /// The verdict will come.
    case later
  }

  private typealias Waiter = @Sendable (Verdict) -> Void

  /// - Parameters:
  ///   - itself: the broker, for transactions that it coordinates itself.
  ///   - peers: for this purpose alone.
  init(node: NodeID, itself: Itself, peers: BrokerPeers, image: @escaping @Sendable () -> MetadataImage) {
    self.node = node
    self.itself = itself
    self.peers = peers
    self.image = image
  }

  func stop() { peers.close() }

  /// - Parameters:
  ///   - sequence: of the batch.
  ///   - wait: makes what is called once with the verdict; not asked where the batch may be appended at once.
  func admit(
    _ subject: Subject, to partition: Partition, from sequence: Int32 = .max,
    wait: () -> @Sendable (Verdict) -> Void
  ) -> Admission {
    enum Step { case now, wait, ask(VerificationTicket) }
    let step: Step = waiting.withLock { waiting in
      if let others = waiting[subject] {
        waiting[subject] = others + [wait()]
        return .wait
      }
      switch partition.standing(of: subject.producer, subject.epoch, from: sequence) {
      case .ongoing: return .now
      case .unverified(let ticket):
        waiting[subject] = [wait()]
        return .ask(ticket)
      }
    }
    switch step {
    case .now: return .now
    case .wait: break
    case .ask(let ticket):
      ask(subject) { code in self.settle(subject, code == .none ? .admitted(ticket) : .refused(code)) }
    }
    return .later
  }

  /// Whoever comes while the waiting ones are told waits behind them.
  private func settle(_ subject: Subject, _ verdict: Verdict) {
    while true {
      let told = waiting.withLock { waiting -> [Waiter] in
        let told = waiting[subject] ?? []
        waiting[subject] = told.isEmpty ? nil : []
        return told
      }
      guard !told.isEmpty else { return }
      for waiter in told { waiter(verdict) }
    }
  }

  private func ask(_ subject: Subject, then: @escaping @Sendable (ErrorCode) -> Void) {
    guard let leader = CoordinatorKind.transaction.leader(of: subject.transactionalID, in: image()) else {
      return then(.coordinatorNotAvailable)
    }
    if leader.id == node { return askHere(subject, then: then) }
    guard let peer = peers.peer(leader.id) else { return then(.coordinatorNotAvailable) }
    peer.ask(Self.request(subject), lowest: 4, within: Self.span) { result in
      guard case .success(let answer) = result else { return then(.coordinatorNotAvailable) }
      then(Self.code(in: answer.response))
    }
  }

  private func askHere(_ subject: Subject, then: @escaping @Sendable (ErrorCode) -> Void) {
    let request = TransactionPartitionsRequest(
      id: TransactionalID(subject.transactionalID), producer: ProducerIdentity(subject.producer, subject.epoch),
      partitions: [subject.partition])
    guard let broker = itself.broker else { return then(.coordinatorNotAvailable) }
    // The coordinator waits until its records are kept, which may take for ever; whoever waits for it holds a batch.
    let first = FirstAnswer(then)
    let timer = broker.loops[0].schedule(after: Self.span) { first.give(.requestTimedOut) }
    @Sendable func decided(_ code: ErrorCode) {
      timer.cancel()
      first.give(code)
    }
    broker.transactions.ask(subject.transactionalID) { coordinator, token, _, effects in
      coordinator.verify(request, token, into: &effects)
    } answer: { answer in
      guard case .verify(let results) = answer else { unexpected(answer) }
      decided(results.first?.error ?? .invalidTxnState)
    } refused: {
      decided($0)
    }
  }

  private static func request(_ subject: Subject) -> AddPartitionsToTxnRequest {
    var topic = AddPartitionsToTxnRequest.Topic()
    topic.name = subject.partition.topic.text
    topic.partitions = [subject.partition.partition.value]
    var transaction = AddPartitionsToTxnRequest.Transaction()
    transaction.transactionalID = subject.transactionalID
    transaction.producerID = subject.producer.value
    transaction.producerEpoch = subject.epoch.value
    transaction.verifyOnly = true
    transaction.topics = [topic]
    var request = AddPartitionsToTxnRequest()
    request.transactions = [transaction]
    return request
  }

  private static func code(in response: AddPartitionsToTxnResponse) -> ErrorCode {
    guard response.errorCode == .none else { return response.errorCode }
    return response.resultsByTransaction.first?.topicResults.first?.resultsByPartition.first?.partitionErrorCode
      ?? .coordinatorNotAvailable
  }
}

extension ErrorCode {
  /// What a producer is told whose transaction could not be checked, or is not what it says (KIP-890). What passes is
  /// something that every producer tries again.
  func toldToProducer(knowsAbortable: Bool) -> ErrorCode {
    switch self {
    case .invalidTxnState, .transactionAbortable: knowsAbortable ? .transactionAbortable : .invalidTxnState
    case .producerFenced: .invalidProducerEpoch
    case .concurrentTransactions, .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator,
      .networkException, .requestTimedOut:
      .notEnoughReplicas
    default: self
    }
  }
}
