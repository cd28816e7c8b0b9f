import ClusterMetadata
import Coordination
import Telemetry
import Vocabulary

/// What a broker has for transactions, put together.
struct TransactionParts {
  let transactions: Transactions
  let checks: TransactionChecks
  let markers: MarkerSender

  init(
    _ settings: BrokerSettings, _ parts: BrokerParts, itself: Itself, log: Log,
    image: @escaping @Sendable () -> MetadataImage
  ) {
    func peers(for purpose: String) -> BrokerPeers {
      BrokerPeers(
        clientID: "\(purpose)-\(settings.nodeID.value)", listener: settings.interBrokerListener, loop: parts.loops[0],
        pool: parts.pool, image: image)
    }
    checks = TransactionChecks(node: settings.nodeID, itself: itself, peers: peers(for: "transactions"), image: image)
    let markers = MarkerSender(itself: itself, peers: peers(for: "markers"))
    self.markers = markers
    transactions = Transactions(
      settings: TransactionSettings(settings.reader),
      world: TransactionWorld(
        loop: parts.loops[0], pool: parts.pool,
        report: { message, partition in log.error(message, ["partition": "\(partition)"]) },
        allocate: { take in
          guard let broker = itself.broker else { return take(nil) }
          broker.producerIDs.next(from: broker.image.leastProducerID, take)
        },
        writeMarkers: { work, then in markers.write(work, then: then) }))
  }
}
