import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// A cluster that is copied from: where its brokers are, who leads what, and one connection to each broker for each kind
/// of question. What waits, such as Fetch, holds up nothing else.
final class SourceCluster: Sendable {
  /// How long an answer that waits for nothing may take.
  static let span = TimeSpan.seconds(10)

  struct Topic: Sendable {
    let id: UniqueID
    let isInternal: Bool
    /// By index, without holes.
    let partitions: [Place]
    let replicationFactor: Int16
  }
  struct Place: Sendable {
    /// Nil while there is none.
    let leader: NodeID?
    let epoch: LeaderEpoch
  }

  /// What the source said about itself at one moment.
  struct View: Sendable {
    let clusterID: String
    let brokers: [NodeID: BrokerAddress]
    let topics: [TopicName: Topic]
    let at: Instant
  }

  enum Purpose: Hashable, Sendable {
    case questions
    /// By the number of the line.
    case copying(Int)
  }
  private struct PeerKey: Hashable {
    let address: BrokerAddress
    let purpose: Purpose
  }
  private struct State {
    var view: View?
    var peers: [PeerKey: Peer] = [:]
    var isAsking = false
    /// Who is asked first: the last that answered.
    var answered: BrokerAddress?
    var isClosed = false
  }

  let bootstrap: [BrokerAddress]
  private let clientID: String
  private let loop: EventLoop
  private let pool: BlockingPool
  private let state = Mutex(State())

  init(_ bootstrap: [BrokerAddress], clientID: String, loop: EventLoop, pool: BlockingPool) {
    self.bootstrap = bootstrap
    self.clientID = clientID
    self.loop = loop
    self.pool = pool
  }

  var view: View? { state.withLock { $0.view } }

  func peer(of node: NodeID, for purpose: Purpose) -> Peer? {
    state.withLock { state in
      guard let address = state.view?.brokers[node] else { return nil }
      return peer(at: address, purpose, &state)
    }
  }

  private func peer(at address: BrokerAddress, _ purpose: Purpose, _ state: inout State) -> Peer? {
    guard !state.isClosed else { return nil }
    let key = PeerKey(address: address, purpose: purpose)
    if let known = state.peers[key] { return known }
    let peer = Peer(address, clientID: clientID, loop: loop, pool: pool)
    state.peers[key] = peer
    return peer
  }

  /// `then` gets nil when there is no answer.
  func fetch(
    on line: SourceLine, _ request: FetchRequest, within span: TimeSpan,
    then: @escaping @Sendable (FetchedFrame?) -> Void
  ) {
    guard let peer = peer(of: line.node, for: .copying(line.number)) else { return then(nil) }
    fetch(from: peer, request, within: span, then: then)
  }

  func close() {
    let peers = state.withLock { state in
      state.isClosed = true
      defer { state.peers = [:] }
      // In an order that is always the same, for simulations.
      return state.peers.sorted { "\($0.key)" < "\($1.key)" }.map(\.value)
    }
    for peer in peers { peer.close() }
  }

  // MARK: Looking

  /// Of the brokers that are known only from an answer: each of them may be waited for.
  private static let knownAskedMax = 20

  /// Asks for brokers and topics: who answered last, then one bootstrap server after the other, then those that are known
  /// from the last answer, so that the source may lose every broker that the mirror was told of. `then` gets nil when none
  /// answers. One look at a time: of those that come meanwhile nothing comes.
  func look(then: @escaping @Sendable (View?) -> Void) {
    let asked: [BrokerAddress]? = state.withLock { state in
      guard !state.isAsking, !state.isClosed else { return nil }
      state.isAsking = true
      let known = (state.view?.brokers ?? [:]).sorted { $0.key < $1.key }.prefix(Self.knownAskedMax).map(\.value)
      var seen: Set<BrokerAddress> = []
      return ((state.answered.map { [$0] } ?? []) + bootstrap + known).filter { seen.insert($0).inserted }
    }
    guard let asked else { return }
    look(at: asked[...], then)
  }

  private func look(at asked: ArraySlice<BrokerAddress>, _ then: @escaping @Sendable (View?) -> Void) {
    guard let address = asked.first else {
      state.withLock { $0.isAsking = false }
      return then(nil)
    }
    guard let peer = state.withLock({ peer(at: address, .questions, &$0) }) else { return then(nil) }
    var request = MetadataRequest()
    request.topics = nil
    request.allowAutoTopicCreation = false
    peer.ask(request, lowest: 9, within: Self.span) { result in
      guard case .success(let answer) = result, let view = Self.view(answer.response),
        self.isTrusted(address, toTellOf: view.clusterID)
      else { return self.look(at: asked.dropFirst(), then) }
      self.state.withLock { state in
        state.isAsking = false
        state.answered = address
        state.view = view
      }
      then(view)
    }
  }

  /// Nobody said that an address which is only known from an answer belongs to the source for ever: another cluster may have
  /// it by now. Of those that the mirror was told, whoever answers there is the source.
  private func isTrusted(_ address: BrokerAddress, toTellOf clusterID: String) -> Bool {
    bootstrap.contains(address) || state.withLock { $0.view?.clusterID == clusterID }
  }

  private static func view(_ response: MetadataResponse) -> View? {
    guard let clusterID = response.clusterID, !clusterID.isEmpty else { return nil }
    var brokers: [NodeID: BrokerAddress] = [:]
    for broker in response.brokers {
      guard let port = UInt16(exactly: broker.port) else { continue }
      brokers[NodeID(broker.nodeID)] = BrokerAddress(host: broker.host, port: port)
    }
    var topics: [TopicName: Topic] = [:]
    for topic in response.topics where topic.errorCode == .none {
      guard let name = topic.name.flatMap(TopicName.init), let known = Self.topic(topic) else { continue }
      topics[name] = known
    }
    return View(clusterID: clusterID, brokers: brokers, topics: topics, at: monotonicNow())
  }

  private static func topic(_ topic: MetadataResponse.Topic) -> Topic? {
    let sorted = topic.partitions.sorted { $0.partitionIndex < $1.partitionIndex }
    guard !sorted.isEmpty, sorted.enumerated().allSatisfy({ $0.offset == Int($0.element.partitionIndex) }) else {
      return nil
    }
    return Topic(
      id: topic.topicID, isInternal: topic.isInternal,
      partitions: sorted.map { partition in
        Place(
          leader: partition.leaderID >= 0 ? NodeID(partition.leaderID) : nil, epoch: LeaderEpoch(partition.leaderEpoch))
      },
      replicationFactor: Int16(clamping: sorted[0].replicaNodes.count))
  }
}

/// A connection to a broker of the source for one Fetch at a time.
struct SourceLine: Hashable, Comparable, Sendable {
  let node: NodeID
  let number: Int
  static func < (a: Self, b: Self) -> Bool { (a.node, a.number) < (b.node, b.number) }
}
