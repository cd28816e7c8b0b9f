public import ClusterMetadata
public import Vocabulary

/// What server.properties and `--override` come to, checked. Nothing on disk has been looked at yet.
public struct BrokerSettings: Sendable {
  public let nodeID: NodeID
  public let roles: Set<ProcessRole>
  /// For clients and other brokers.
  public let listeners: [Listener]
  /// For controllers, and for brokers that speak to them.
  public let controllerListeners: [Listener]
  /// The name of the listener that brokers use among themselves; nil where this is none.
  public let interBrokerListener: String?
  public let quorum: QuorumMembership
  public let rack: String?
  /// Where the metadata log is: `metadata.log.dir`, or the first of `log.dirs`.
  public let metadataDirectory: String
  /// Where partitions are: at least one folder, each named once.
  public let logDirectories: [String]
  /// For a data folder that is new.
  public let clusterID: String?
  public let metrics: Address?
  public let eventLoops: Int?
  public let backgroundThreads: Int
  public let requestBytesMax: Int
  public let connectionsMax: Int
  public let connectionsPerAddressMax: Int
  public let idleLimit: TimeSpan
  public let topicDefaults: TopicDefaults
  public let createsTopicsWhenAsked: Bool
  public let deletesTopics: Bool
  public let producerExpiry: TimeSpan
  /// Whether groups may use the consumer protocol (KIP-848).
  public let offersConsumerProtocol: Bool
  /// Every key as it was written: topics take their defaults from here.
  public let fixed: [String: String]
  /// Accepted keys that change nothing, each with the reason: logged at the start.
  public let remarks: [String]

  public struct Listener: Sendable, Equatable {
    public let name: String
    public let bind: Address
    public let advertised: Address
  }

  public struct Address: Sendable, Equatable {
    /// Empty for every address.
    public let host: String
    public let port: UInt16
  }

  /// Reads the text of a properties file and the overrides, the later of which win.
  public init(file text: String?, named file: String, overrides: [String]) throws(ConfigurationError) {
    var values = try text.map { text throws(ConfigurationError) in try PropertiesFile.parse(text, named: file) } ?? [:]
    for override in overrides {
      guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
        throw ConfigurationError("--override \(override): write it as key=value")
      }
      values[trimmed(override[..<equals])] = trimmed(override[override.index(after: equals)...])
    }
    try self.init(values)
  }

  public init(_ values: [String: String]) throws(ConfigurationError) {
    remarks = try Self.check(values)
    let reader = SettingsReader(values: values)
    fixed = values
    nodeID = try Self.nodeID(from: values)
    roles = try Self.roles(from: values)
    (listeners, controllerListeners) = try Self.listeners(from: reader, roles: roles)
    interBrokerListener = try Self.interBrokerListener(from: values, among: listeners)
    quorum = try Self.quorum(
      from: values, node: nodeID, roles: roles, hasControllerListener: !controllerListeners.isEmpty)
    rack = values["broker.rack"]
    (metadataDirectory, logDirectories) = try Self.directories(from: values, reader)
    clusterID = try Self.clusterID(from: values)
    metrics = try Self.metricsAddress(from: values)
    eventLoops = values["num.network.threads"].flatMap { Int($0) }
    backgroundThreads = reader.int("background.threads")
    requestBytesMax = reader.int("socket.request.max.bytes")
    connectionsMax = reader.int("max.connections")
    connectionsPerAddressMax = reader.int("max.connections.per.ip")
    idleLimit = reader.milliseconds("connections.max.idle.ms")
    topicDefaults = TopicDefaults(
      partitions: Int32(clamping: reader.int("num.partitions")),
      replicationFactor: Int16(clamping: reader.int("default.replication.factor")))
    createsTopicsWhenAsked = reader.flag("auto.create.topics.enable")
    deletesTopics = reader.flag("delete.topic.enable")
    producerExpiry = reader.milliseconds("producer.id.expiration.ms")
    offersConsumerProtocol = commaSeparated(reader.text("group.coordinator.rebalance.protocols")).contains("consumer")
  }

  /// Typed access to keys that `check` has passed.
  public var reader: SettingsReader { SettingsReader(values: fixed) }
}

/// Reads keys whose values have been checked against their definitions; a key that is not set gives its default.
public struct SettingsReader: Sendable {
  let values: [String: String]

  public func text(_ key: String) -> String {
    guard let value = values[key] ?? BrokerConfigs.byName[key]?.definition.defaultValue else {
      preconditionFailure("\(key) has neither a value nor a default: ask for it as an optional")
    }
    return value
  }
  public func int(_ key: String) -> Int {
    guard let number = Int(text(key)) else { preconditionFailure("\(key) was not checked before it was read") }
    return number
  }
  public func flag(_ key: String) -> Bool { text(key) == "true" }
  public func milliseconds(_ key: String) -> TimeSpan { .milliseconds(Int64(int(key))) }
}
