import Synchronization
public import Vocabulary

// What coordinators and mirrors ask a log about producers.

extension PartitionLog {
  /// Whether a transaction of the producer is open here, whatever its epoch.
  public func hasOpenTransaction(of producer: ProducerID) -> Bool {
    state.withLock { ($0.producers.entries[producer.value]?.transactionStart ?? -1) >= 0 }
  }

  /// How many transactions are open.
  public var openTransactionCount: Int {
    guard isUnstable.load(ordering: .acquiring) else { return 0 }
    return state.withLock { $0.producers.transactions.open.count }
  }

  /// The producers whose open transactions began before `end`, in the order of their ids.
  public func openTransactions(before end: Offset) -> [ActiveProducer] {
    guard isUnstable.load(ordering: .acquiring) else { return [] }
    return state.withLock { state in
      guard let first = state.producers.transactions.firstOpen, first < end.value else { return [] }
      return state.producers.entries.filter { 0 <= $0.value.transactionStart && $0.value.transactionStart < end.value }
        .sorted { $0.key < $1.key }.map { ActiveProducer($0.key, $0.value) }
    }
  }

  /// Whether a transaction of the producer and epoch is open here, or may be opened with the ticket, which has not become
  /// void since it was given (KIP-890).
  public func admits(
    _ producer: ProducerID, _ epoch: ProducerEpoch, with ticket: VerificationTicket?, inEpoch leaderEpoch: LeaderEpoch
  ) -> Bool {
    state.withLock { state in
      if let entry = state.producers.entries[producer.value], entry.transactionStart >= 0, entry.epoch == epoch.value {
        return true
      }
      return ticket.map {
        state.tickets.lowestSequence($0, of: producer.value, epoch.value, in: leaderEpoch) != nil
      } ?? false
    }
  }
}
