public import Vocabulary

/// One committed fact about the cluster: what the records of `__cluster_metadata` mean, apart from their bytes.
///
/// `MetadataImage.replay` is the only thing that changes the image, here and when the log is read back.
public enum MetadataRecord: Sendable, Equatable {
  case brokerRegistered(BrokerRegistration)
  case brokerFencing(NodeID, epoch: Int64, isFenced: Bool)
  case topicCreated(TopicName, UniqueID)
  case partitionCreated(topic: UniqueID, PartitionIndex, PartitionState)
  case leaderChanged(topic: UniqueID, PartitionIndex, leader: NodeID, inSync: [NodeID])
  case topicRemoved(UniqueID)
  /// nil takes the value away.
  case configChanged(ConfigResource, key: String, value: String?)
  /// Every id below this one has been given out.
  case producerIDsAllocated(NodeID, next: ProducerID)
  case featureChanged(name: String, level: Int16)
}

/// What a configuration belongs to. A broker resource with an empty name stands for all brokers.
public enum ConfigResource: Hashable, Comparable, Sendable {
  case topic(String)
  case broker(NodeID)
  case allBrokers

  private var order: (Int, String, Int32) {
    switch self {
    case .topic(let name): (0, name, 0)
    case .broker(let id): (1, "", id.value)
    case .allBrokers: (2, "", 0)
    }
  }
  public static func < (a: Self, b: Self) -> Bool { a.order < b.order }
}

public struct Endpoint: Sendable, Hashable {
  public let name: String
  public let host: String
  public let port: UInt16
  public init(name: String, host: String, port: UInt16) {
    self.name = name
    self.host = host
    self.port = port
  }
}

public struct BrokerRegistration: Sendable, Equatable {
  public var id: NodeID
  /// Rises with every registration of this broker.
  public var epoch: Int64
  /// Differs for every start of the process.
  public var incarnation: UniqueID
  public var endpoints: [Endpoint]
  public var rack: String?
  public var isFenced: Bool
  public var logDirectories: [UniqueID]

  public init(
    id: NodeID, epoch: Int64, incarnation: UniqueID, endpoints: [Endpoint], rack: String?, isFenced: Bool,
    logDirectories: [UniqueID]
  ) {
    self.id = id
    self.epoch = epoch
    self.incarnation = incarnation
    self.endpoints = endpoints
    self.rack = rack
    self.isFenced = isFenced
    self.logDirectories = logDirectories
  }
}

public struct PartitionState: Sendable, Equatable {
  public var replicas: [NodeID]
  public var inSync: [NodeID]
  /// `.none` while no replica can lead.
  public var leader: NodeID
  /// Rises by one with every change of leader and never goes back: clients drop metadata with a lower one.
  public var leaderEpoch: LeaderEpoch
  /// Rises by one with every change of anything here.
  public var partitionEpoch: Int32
  /// The log directory of each replica, in the order of `replicas`.
  public var directories: [UniqueID]

  public init(
    replicas: [NodeID], inSync: [NodeID], leader: NodeID, leaderEpoch: LeaderEpoch, partitionEpoch: Int32,
    directories: [UniqueID]
  ) {
    self.replicas = replicas
    self.inSync = inSync
    self.leader = leader
    self.leaderEpoch = leaderEpoch
    self.partitionEpoch = partitionEpoch
    self.directories = directories
  }
}
