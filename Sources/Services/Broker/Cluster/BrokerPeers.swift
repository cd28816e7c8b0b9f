import ClusterMetadata
import EventLoop
import KafkaClient
import Synchronization
import Vocabulary

/// One connection to each of the other brokers for one purpose, made anew when one has moved.
final class BrokerPeers: Sendable {
  private let clientID: String
  private let listener: String?
  private let loop: EventLoop
  private let pool: BlockingPool
  private let image: @Sendable () -> MetadataImage
  private let state = Mutex(State())

  private struct State {
    var peers: [NodeID: Peer] = [:]
    var isClosed = false
  }

  /// - Parameters:
  ///   - listener: the one that brokers use among themselves; the first of a broker that has none of that name.
  ///   - image: the metadata as it is now, which says where a broker is.
  init(
    clientID: String, listener: String?, loop: EventLoop, pool: BlockingPool,
    image: @escaping @Sendable () -> MetadataImage
  ) {
    self.clientID = clientID
    self.listener = listener
    self.loop = loop
    self.pool = pool
    self.image = image
  }

  /// Nil for a broker that nobody knows.
  func peer(_ node: NodeID) -> Peer? {
    guard let broker = image().brokers[node],
      let endpoint = broker.endpoints.first(where: { $0.name == listener }) ?? broker.endpoints.first
    else { return nil }
    let address = BrokerAddress(host: endpoint.host, port: endpoint.port)
    let (peer, former): (Peer?, Peer?) = state.withLock { state in
      guard !state.isClosed else { return (nil, nil) }
      let former = state.peers[node]
      if let former, former.address == address { return (former, nil) }
      let new = Peer(address, clientID: clientID, loop: loop, pool: pool)
      state.peers[node] = new
      return (new, former)
    }
    former?.close()
    return peer
  }

  /// What was asked and not answered fails, and nobody can be asked any more.
  func close() {
    let all = state.withLock { state in
      state.isClosed = true
      defer { state.peers = [:] }
      return state.peers.sorted { $0.key < $1.key }.map(\.value)
    }
    for peer in all { peer.close() }
  }
}
