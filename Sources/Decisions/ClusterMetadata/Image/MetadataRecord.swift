public import Vocabulary

/// One committed fact about the cluster: what the records of `__cluster_metadata` mean, apart from their bytes.
///
/// `MetadataImage.replay` is the only thing that changes the image, here and when the log is read back.
public enum MetadataRecord: Sendable, Equatable {
  case brokerRegistered(BrokerRegistration)
  case brokerFencing(NodeID, epoch: Int64, isFenced: Bool)
  /// The broker is about to stop: it leads nothing from here on, until it registers again.
  case brokerShutdownBegan(NodeID, epoch: Int64)
  /// What is left of the broker's log directories; never none, since a broker without any is fenced.
  case brokerDirectoriesChanged(NodeID, epoch: Int64, online: [UniqueID])
  case brokerUnregistered(NodeID, epoch: Int64)
  case topicCreated(TopicName, UniqueID)
  case partitionCreated(topic: UniqueID, PartitionIndex, PartitionState)
  case partitionChanged(topic: UniqueID, PartitionIndex, PartitionChange)
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
  /// A mirror that writes topics of this cluster, by its name.
  case mirror(String)

  private var order: (Int, String, Int32) {
    switch self {
    case .topic(let name): (0, name, 0)
    case .broker(let id): (1, "", id.value)
    case .allBrokers: (2, "", 0)
    case .mirror(let name): (3, name, 0)
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
  /// Rises with every registration of this broker, and differs from those of all others.
  public var epoch: Int64
  /// Differs for every start of the process.
  public var incarnation: UniqueID
  public var endpoints: [Endpoint]
  /// "region" or "region/zone".
  public var rack: String?
  public var isFenced: Bool
  /// Whether it has asked to stop (controlled shutdown). A fenced broker may still have this from before.
  public var isShuttingDown: Bool
  public var logDirectories: [UniqueID]

  public init(
    id: NodeID, epoch: Int64, incarnation: UniqueID, endpoints: [Endpoint], rack: String?, isFenced: Bool,
    isShuttingDown: Bool = false, logDirectories: [UniqueID]
  ) {
    self.id = id
    self.epoch = epoch
    self.incarnation = incarnation
    self.endpoints = endpoints
    self.rack = rack
    self.isFenced = isFenced
    self.isShuttingDown = isShuttingDown
    self.logDirectories = logDirectories
  }
}
