import LogStorage
import Replication
import Synchronization
import Vocabulary

extension Partition {
  /// Whether a transaction of the producer is open here, or may be opened with the ticket.
  func admits(_ producer: ProducerID, _ epoch: ProducerEpoch, with ticket: VerificationTicket?) -> Bool {
    state.withLock { log.admits(producer, epoch, with: ticket, inEpoch: $0.replica.leaderEpoch) }
  }
}
