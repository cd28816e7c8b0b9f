public import Vocabulary
public import Wire

/// Asks for brokers, topics and the leaders of their partitions.
public struct MetadataRequest: RequestBody {
  public typealias Response = MetadataResponse
  public static let key = APIKey.metadata
  public static let versions: ClosedRange<Int16> = 0...13
  public static let flexibleSince: Int16 = 9

  /// Null asks for all topics; in v0 an empty list does.
  public var topics: [Topic]? = []
  public var allowAutoTopicCreation = true
  public var includeClusterAuthorizedOperations = false
  public var includeTopicAuthorizedOperations = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableArray(&topics, since: 1)
    if c.version >= 4 { try c.bool(&allowAutoTopicCreation) }
    if (8...10).contains(c.version) { try c.bool(&includeClusterAuthorizedOperations) }
    if c.version >= 8 { try c.bool(&includeTopicAuthorizedOperations) }
  }
}

extension MetadataRequest {
  public struct Topic: WireStruct {
    /// KIP-516.
    public var topicID = UniqueID.zero
    /// Null from v10 on when the topic is asked for by id.
    public var name: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 10 { try c.uuid(&topicID) }
      try c.nullableString(&name, since: 10)
    }
  }
}

/// The cluster as one broker sees it. v13 may ask the client to bootstrap again (KIP-1102).
public struct MetadataResponse: ResponseBody {
  public typealias Request = MetadataRequest

  public var throttleTimeMs: Int32 = 0
  public var brokers: [Broker] = []
  public var clusterID: String?
  public var controllerID: Int32 = -1
  public var topics: [Topic] = []
  public var clusterAuthorizedOperations: Int32 = .min
  public var errorCode = ErrorCode.none

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 { try c.int32(&throttleTimeMs) }
    try c.array(&brokers)
    if c.version >= 2 { try c.nullableString(&clusterID) }
    if c.version >= 1 { try c.int32(&controllerID) }
    try c.array(&topics)
    if (8...10).contains(c.version) { try c.int32(&clusterAuthorizedOperations) }
    if c.version >= 13 { try c.errorCode(&errorCode) }
  }
}

extension MetadataResponse {
  public struct Broker: WireStruct {
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    public var rack: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&nodeID)
      try c.string(&host)
      try c.int32(&port)
      if c.version >= 1 { try c.nullableString(&rack) }
    }
  }

  public struct Topic: WireStruct {
    public var errorCode = ErrorCode.none
    public var name: String? = ""
    public var topicID = UniqueID.zero
    public var isInternal = false
    public var partitions: [Partition] = []
    public var topicAuthorizedOperations: Int32 = .min

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&name, since: 12)
      if c.version >= 10 { try c.uuid(&topicID) }
      if c.version >= 1 { try c.bool(&isInternal) }
      try c.array(&partitions)
      if c.version >= 8 { try c.int32(&topicAuthorizedOperations) }
    }
  }

  public struct Partition: WireStruct {
    public var errorCode = ErrorCode.none
    public var partitionIndex: Int32 = 0
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = -1
    public var replicaNodes: [Int32] = []
    public var isrNodes: [Int32] = []
    /// Replicas on brokers or disks that are down.
    public var offlineReplicas: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.int32(&partitionIndex)
      try c.int32(&leaderID)
      if c.version >= 7 { try c.int32(&leaderEpoch) }
      try c.array(&replicaNodes)
      try c.array(&isrNodes)
      if c.version >= 5 { try c.array(&offlineReplicas) }
    }
  }
}
