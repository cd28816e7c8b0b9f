import LogStorage
import Replication
import Synchronization
import Vocabulary

extension Partition {
  /// Whether the end of a transaction is to be written here.
  ///
  /// Not where a mirror writes, whose log is another cluster's; nor where the topic is being moved to another cluster and
  /// nothing of the producer's is open: the log's end stands in the switchover's books.
  func takesMarker(of producer: ProducerID) -> Bool {
    switch state.withLock({ $0.gate }) {
    case .clients, .opensAbove: true
    case .mirror: false
    case .fenced: log.hasOpenTransaction(of: producer)
    }
  }

  /// Whether a transaction of the producer is open here, or may be opened with the ticket.
  func admits(_ producer: ProducerID, _ epoch: ProducerEpoch, with ticket: VerificationTicket?) -> Bool {
    state.withLock { log.admits(producer, epoch, with: ticket, inEpoch: $0.replica.leaderEpoch) }
  }
}
