import ClusterMetadata
import KafkaProtocol
import Vocabulary

/// Who leads what a client was refused for, and where it is (KIP-951): from the metadata, asked for only when needed.
struct LeaderHints {
  enum Topic {
    case name(String)
    case id(UniqueID)
  }
  struct Node {
    let id: NodeID
    let host: String
    let port: Int32
    let rack: String?
  }
  private let node: NodeID
  private let source: () -> MetadataImage
  private let listener: String
  private var image: MetadataImage?
  /// Every leader that was named, once.
  private(set) var nodes: [Node] = []

  /// - Parameters:
  ///   - node: this broker.
  ///   - listener: the one that the client came in by; it is told addresses of the same one.
  init(on node: NodeID, image: @escaping () -> MetadataImage, listener: String) {
    self.node = node
    source = image
    self.listener = listener
  }

  private static func isFor(_ code: ErrorCode) -> Bool { code == .notLeaderOrFollower || code == .fencedLeaderEpoch }

  /// Nil where the client had better ask for the metadata: a broker that says that it is not the leader does not say in
  /// the same breath that it is, whatever the metadata has it for.
  mutating func leader(
    of partition: Int32, of topic: Topic, refusedWith code: ErrorCode
  ) -> (id: NodeID, epoch: LeaderEpoch)? {
    guard Self.isFor(code) else { return nil }
    let image = image ?? source()
    self.image = image
    let found: TopicState?
    switch topic {
    case .name(let text): found = TopicName(text).flatMap { image.topic(named: $0) }
    case .id(let id): found = image.topics[id]
    }
    guard let found, found.partitions.indices.contains(Int(partition)) else { return nil }
    let state = found.partitions[Int(partition)]
    if code == .notLeaderOrFollower, state.leader == node { return nil }
    if !nodes.contains(where: { $0.id == state.leader }), let broker = image.brokers[state.leader], !broker.isFenced,
      let endpoint = broker.endpoints.first(where: { $0.name == listener })
    {
      nodes.append(Node(id: broker.id, host: endpoint.host, port: Int32(endpoint.port), rack: broker.rack))
    }
    return (state.leader, state.leaderEpoch)
  }
}
