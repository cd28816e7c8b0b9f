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
  private let source: () -> MetadataImage
  private let listener: String
  private var image: MetadataImage?
  /// Every leader that was named, once.
  private(set) var nodes: [Node] = []

  /// - Parameter listener: the one that the client came in by; it is told addresses of the same one.
  init(image: @escaping () -> MetadataImage, listener: String) {
    source = image
    self.listener = listener
  }

  static func isFor(_ code: ErrorCode) -> Bool { code == .notLeaderOrFollower || code == .fencedLeaderEpoch }

  mutating func leader(of partition: Int32, of topic: Topic) -> (id: NodeID, epoch: LeaderEpoch)? {
    let image = image ?? source()
    self.image = image
    let found: TopicState?
    switch topic {
    case .name(let text): found = TopicName(text).flatMap { image.topic(named: $0) }
    case .id(let id): found = image.topics[id]
    }
    guard let found, found.partitions.indices.contains(Int(partition)) else { return nil }
    let state = found.partitions[Int(partition)]
    if !nodes.contains(where: { $0.id == state.leader }), let broker = image.brokers[state.leader], !broker.isFenced,
      let endpoint = broker.endpoints.first(where: { $0.name == listener })
    {
      nodes.append(Node(id: broker.id, host: endpoint.host, port: Int32(endpoint.port), rack: broker.rack))
    }
    return (state.leader, state.leaderEpoch)
  }
}
