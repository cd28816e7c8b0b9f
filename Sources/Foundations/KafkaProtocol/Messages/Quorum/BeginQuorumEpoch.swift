public import Vocabulary
public import Wire

/// A new leader of the metadata log announces itself to the other voters (KIP-595).
public struct BeginQuorumEpochRequest: RequestBody {
  public typealias Response = BeginQuorumEpochResponse
  public static let key = APIKey.beginQuorumEpoch
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var clusterID: String?
  public var voterID: Int32 = -1
  public var topics: [Topic] = []
  public var leaderEndpoints: [LeaderEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    if c.version >= 1 { try c.int32(&voterID) }
    try c.array(&topics)
    if c.version >= 1 { try c.array(&leaderEndpoints) }
  }
}

extension BeginQuorumEpochRequest {
  public struct Topic: WireStruct {
    public var topicName = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.array(&partitions)
    }
  }

  public struct LeaderEndpoint: WireStruct {
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

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var voterDirectoryID = UniqueID.zero
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      if c.version >= 1 { try c.uuid(&voterDirectoryID) }
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
    }
  }
}

/// Whether the voter follows.
public struct BeginQuorumEpochResponse: ResponseBody {
  public typealias Request = BeginQuorumEpochRequest

  public var errorCode = ErrorCode.none
  public var topics: [Topic] = []
  public var nodeEndpoints: [NodeEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    try c.array(&topics)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.tagged(0, &nodeEndpoints, absent: []) }
  }
}

extension BeginQuorumEpochResponse {
  public struct Topic: WireStruct {
    public var topicName = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.array(&partitions)
    }
  }

  public struct NodeEndpoint: WireStruct {
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: UInt16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&nodeID)
      try c.string(&host)
      try c.uint16(&port)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var errorCode = ErrorCode.none
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
    }
  }
}
