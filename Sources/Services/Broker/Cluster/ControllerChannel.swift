import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// Requests from this node to the active controller, wherever it is: in this process, or over one connection.
///
/// Nothing is tried again here: the caller knows whether that makes sense. One that waits behind another is answered
/// behind it, so that what must not wait has a channel of its own.
final class ControllerChannel: Sendable {
  /// Why there is no answer.
  enum Failure: Error, Sendable {
    /// Nobody is known to lead the quorum.
    case noController
    case unreachable(ClientError)
    /// The active controller refused the connection's request without an answer.
    case missing(String)
  }

  private let broker: @Sendable () -> Broker?
  private let quorum: MetadataQuorum
  private let clientID: String
  private let loop: EventLoop
  private let pool: BlockingPool
  private let peer = Mutex<(id: NodeID, peer: Peer)?>(nil)

  init(
    quorum: MetadataQuorum, clientID: String, loop: EventLoop, pool: BlockingPool,
    broker: @escaping @Sendable () -> Broker?
  ) {
    self.quorum = quorum
    self.clientID = clientID
    self.loop = loop
    self.pool = pool
    self.broker = broker
  }

  /// Asks the active controller. `handler` is how this process does it where it is the one. `then` is called once, from
  /// any thread, at the latest after `span`.
  func ask<Request: RequestBody>(
    _ request: Request, within span: TimeSpan,
    here handler: @escaping @Sendable (Broker) -> (Call<Request>) -> Void,
    then: @escaping @Sendable (Result<Request.Response, Failure>) -> Void
  ) {
    guard let leader = quorum.leader else { return then(.failure(.noController)) }
    if let broker = broker(), leader.id == broker.settings.nodeID {
      let context = RequestContext.own(version: Request.versions.upperBound, on: loop)
      return handler(broker)(
        Call(request: request, context: context) { then($0.mapError { .missing($0.reason) }) })
    }
    guard let peer = peer(of: leader.id) else { return then(.failure(.noController)) }
    peer.ask(request, within: span) { then($0.map(\.response).mapError { .unreachable($0) }) }
  }

  private func peer(of leader: NodeID) -> Peer? {
    guard let address = quorum.address(of: leader) else { return nil }
    let (peer, former) = peer.withLock { current -> (Peer, Peer?) in
      if let current, current.id == leader, current.peer.address == address { return (current.peer, nil) }
      let former = current?.peer
      let peer = Peer(address, clientID: clientID, loop: loop, pool: pool)
      current = (leader, peer)
      return (peer, former)
    }
    former?.close()
    return peer
  }

  /// Another controller leads: what the one before has not answered is given up, since it may never be answered, and the
  /// caller may ask the new one.
  func leaderChanged(to leader: NodeID) {
    let former = peer.withLock { current -> Peer? in
      guard let (id, peer) = current, id != leader else { return nil }
      current = nil
      return peer
    }
    former?.close()
  }

  func close() {
    let former = peer.withLock { peer in
      defer { peer = nil }
      return peer?.peer
    }
    former?.close()
  }
}
