import Synchronization
public import Vocabulary

// What coordinators ask a log about one producer.

extension PartitionLog {
  /// Whether a transaction of the producer is open here, whatever its epoch.
  public func hasOpenTransaction(of producer: ProducerID) -> Bool {
    state.withLock { ($0.producers.entries[producer.value]?.transactionStart ?? -1) >= 0 }
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
