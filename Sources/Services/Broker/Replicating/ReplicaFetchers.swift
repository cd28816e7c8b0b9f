import EventLoop
import KafkaClient
import KafkaProtocol
import Replication
import Synchronization
import Vocabulary

/// Copies what this broker follows, from every broker that leads some of it.
final class ReplicaFetchers: Sendable {
  struct World: Sendable {
    let node: NodeID
    let brokerEpoch: BrokerEpoch
    let settings: CopySettings
    let loop: EventLoop
    let pool: BlockingPool
    let throttle: ReplicationThrottle
    let ask: ReplicaFetcher.Ask
    var planted: BrokerMistake?
  }
  private let world: World
  private let state = Mutex(State())

  private struct State {
    var fetchers: [NodeID: ReplicaFetcher] = [:]
    /// From whom each partition is copied, and when that was decided; nobody for one that is led here or gone.
    var sources: [CopyKey: (leader: NodeID?, turn: FetchTurn)] = [:]
    var isStopped = false
  }

  init(_ world: World) { self.world = world }

  func fetch(_ order: FetchOrder) {
    let key = CopyKey(order.partition)
    let (fetcher, former): (ReplicaFetcher?, ReplicaFetcher?) = state.withLock { state in
      guard !state.isStopped else { return (nil, nil) }
      let source = state.sources[key]
      if let source, source.turn > order.turn { return (nil, nil) }
      state.sources[key] = (order.leader, order.turn)
      let former = source?.leader.flatMap { $0 == order.leader ? nil : state.fetchers[$0] }
      if let known = state.fetchers[order.leader] { return (known, former) }
      let new = ReplicaFetcher(leader: order.leader, world: world)
      state.fetchers[order.leader] = new
      return (new, former)
    }
    former?.drop(key)
    fetcher?.want(order)
  }

  func stopFetching(_ partition: Partition, _ turn: FetchTurn) {
    let key = CopyKey(partition)
    let former: ReplicaFetcher? = state.withLock { state in
      guard let source = state.sources[key], source.turn < turn else { return nil }
      state.sources[key] = (nil, turn)
      return source.leader.flatMap { state.fetchers[$0] }
    }
    former?.drop(key)
  }

  /// What was held back may be asked for by now.
  func lookAgain() {
    let fetchers = state.withLock { $0.fetchers.sorted { $0.key < $1.key }.map(\.value) }
    for fetcher in fetchers { fetcher.lookAgain() }
  }

  func stop() {
    let fetchers = state.withLock { state in
      state.isStopped = true
      return Array(state.fetchers.values)
    }
    for fetcher in fetchers { fetcher.stop() }
  }
}

/// Connections to the brokers that we copy from.
final class ReplicaPeers: Sendable {
  private let timeout: TimeSpan
  private let peers: BrokerPeers

  /// - Parameter timeout: `replica.socket.timeout.ms`, beyond the time for which a leader holds a Fetch back.
  init(timeout: TimeSpan, _ peers: BrokerPeers) {
    self.timeout = timeout
    self.peers = peers
  }

  /// `then` gets nil when there is no answer.
  func ask(
    _ node: NodeID, _ request: KafkaProtocol.FetchRequest, then: @escaping @Sendable (FetchedFrame?) -> Void
  ) {
    guard let peer = peers.peer(node) else { return then(nil) }
    let span = TimeSpan.milliseconds(timeout.milliseconds + Int64(request.maxWaitMs))
    peer.ask(request, within: span) { result in
      // Before v15 a follower cannot say which life it is.
      guard case .success(let answer) = result, answer.version >= 15 else { return then(nil) }
      then(FetchedFrame(response: answer.response, frame: answer.frame, bodyStart: answer.bodyStart))
    }
  }

  func close() { peers.close() }
}
