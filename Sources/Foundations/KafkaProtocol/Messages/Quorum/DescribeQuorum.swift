public import Vocabulary
public import Wire

/// Asks for the leader, the voters and the lag of everybody who reads the metadata log.
public struct DescribeQuorumRequest: RequestBody {
  public typealias Response = DescribeQuorumResponse
  public static let key = APIKey.describeQuorum
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
  }
}

extension DescribeQuorumRequest {
  public struct Topic: WireStruct {
    public var topicName = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
    }
  }
}

/// The state of the quorum as its leader knows it.
public struct DescribeQuorumResponse: ResponseBody {
  public typealias Request = DescribeQuorumRequest

  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var topics: [Topic] = []
  public var nodes: [Node] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    if c.version >= 2 { try c.nullableString(&errorMessage) }
    try c.array(&topics)
    if c.version >= 2 { try c.array(&nodes) }
  }
}

extension DescribeQuorumResponse {
  public struct Topic: WireStruct {
    public var topicName = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.array(&partitions)
    }
  }

  public struct Node: WireStruct {
    public var nodeID: Int32 = 0
    public var listeners: [Listener] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&nodeID)
      try c.array(&listeners)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0
    public var highWatermark: Int64 = 0
    public var currentVoters: [ReplicaState] = []
    public var observers: [ReplicaState] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      if c.version >= 2 { try c.nullableString(&errorMessage) }
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      try c.int64(&highWatermark)
      try c.array(&currentVoters)
      try c.array(&observers)
    }
  }

  public struct Listener: WireStruct {
    public var name = ""
    public var host = ""
    public var port: UInt16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.string(&host)
      try c.uint16(&port)
    }
  }

  public struct ReplicaState: WireStruct {
    public var replicaID: Int32 = 0
    public var replicaDirectoryID = UniqueID.zero
    public var logEndOffset: Int64 = 0
    public var lastFetchTimestamp: Int64 = -1
    public var lastCaughtUpTimestamp: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&replicaID)
      if c.version >= 2 { try c.uuid(&replicaDirectoryID) }
      try c.int64(&logEndOffset)
      if c.version >= 1 {
        try c.int64(&lastFetchTimestamp)
        try c.int64(&lastCaughtUpTimestamp)
      }
    }
  }
}
