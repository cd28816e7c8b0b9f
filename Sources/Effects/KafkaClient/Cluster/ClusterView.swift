import KafkaProtocol
public import Vocabulary

/// A topic as the cluster last described it.
public struct TopicView: Sendable, Hashable {
  public struct Partition: Sendable, Hashable {
    public let index: PartitionIndex
    /// Nil while there is none.
    public let leader: NodeID?
    public let leaderEpoch: LeaderEpoch
    public let replicas: [NodeID]
    public let inSync: [NodeID]
    public let offline: [NodeID]
  }
  public let name: TopicName
  public let id: UniqueID
  public let isInternal: Bool
  /// In the order of their numbers.
  public let partitions: [Partition]
}

/// What a client knows about the cluster: brokers, topics and who leads what. A leader with an older epoch never
/// replaces one with a newer (KIP-320).
public struct ClusterView: Sendable {
  public private(set) var clusterID: String?
  public private(set) var brokers: [NodeID: BrokerAddress] = [:]
  public private(set) var racks: [NodeID: String] = [:]
  /// The broker that takes admin requests.
  public private(set) var controller: NodeID?
  public private(set) var topics: [TopicName: TopicView] = [:]
  private var learned: [TopicName: Instant] = [:]

  init() {}

  /// Takes over an answer. Topics that it does not speak of stay as they are; topics that it says are not there go.
  mutating func learn(_ response: MetadataResponse, at now: Instant) {
    clusterID = response.clusterID
    controller = response.controllerID >= 0 ? NodeID(response.controllerID) : nil
    brokers = [:]
    racks = [:]
    for broker in response.brokers {
      guard let port = UInt16(exactly: broker.port) else { continue }
      brokers[NodeID(broker.nodeID)] = BrokerAddress(host: broker.host, port: port)
      racks[NodeID(broker.nodeID)] = broker.rack
    }
    for topic in response.topics {
      guard let name = topic.name.flatMap(TopicName.init) else { continue }
      guard topic.errorCode == .none else {
        topics[name] = nil
        learned[name] = nil
        continue
      }
      topics[name] = merged(TopicView(topic, name: name), into: topics[name])
      learned[name] = now
    }
  }

  private func merged(_ new: TopicView, into old: TopicView?) -> TopicView {
    guard let old, old.id == new.id, old.partitions.count <= new.partitions.count else { return new }
    let partitions = new.partitions.enumerated().map { place, partition in
      guard place < old.partitions.count else { return partition }
      return old.partitions[place].leaderEpoch > partition.leaderEpoch ? old.partitions[place] : partition
    }
    return TopicView(name: new.name, id: new.id, isInternal: new.isInternal, partitions: partitions)
  }

  /// The topic, unless what is known about it is older than `age`.
  func topic(_ name: TopicName, at now: Instant, age: TimeSpan) -> TopicView? {
    guard let when = learned[name], now - when <= age else { return nil }
    return topics[name]
  }

  /// Where a partition's leader is, if both are known.
  func leader(of partition: TopicPartition) -> (NodeID, BrokerAddress)? {
    guard let topic = topics[partition.topic],
      let found = topic.partitions.first(where: { $0.index == partition.partition }),
      let leader = found.leader, let address = brokers[leader]
    else { return nil }
    return (leader, address)
  }

  /// What was known about the topic turned out to be wrong.
  mutating func forget(_ topic: TopicName) { learned[topic] = nil }
  mutating func forgetAll() { learned = [:] }
}

extension TopicView {
  init(_ topic: MetadataResponse.Topic, name: TopicName) {
    self.name = name
    id = topic.topicID
    isInternal = topic.isInternal
    partitions = topic.partitions.map { partition in
      Partition(
        index: PartitionIndex(partition.partitionIndex),
        leader: partition.leaderID >= 0 ? NodeID(partition.leaderID) : nil,
        leaderEpoch: LeaderEpoch(partition.leaderEpoch), replicas: partition.replicaNodes.map { NodeID($0) },
        inSync: partition.isrNodes.map { NodeID($0) }, offline: partition.offlineReplicas.map { NodeID($0) })
    }.sorted { $0.index < $1.index }
  }
}
