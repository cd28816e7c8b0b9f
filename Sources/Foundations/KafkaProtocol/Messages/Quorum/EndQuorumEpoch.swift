public import Vocabulary
public import Wire

/// The leader of the metadata log resigns and says who should succeed it (KIP-595).
public struct EndQuorumEpochRequest: RequestBody {
  public typealias Response = EndQuorumEpochResponse
  public static let key = APIKey.endQuorumEpoch
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var clusterID: String?
  public var topics: [Topic] = []
  public var leaderEndpoints: [LeaderEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    try c.array(&topics)
    if c.version >= 1 { try c.array(&leaderEndpoints) }
  }
}

extension EndQuorumEpochRequest {
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
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0
    public var preferredSuccessors: [Int32] = []
    public var preferredCandidates: [ReplicaInfo] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      if c.version == 0 { try c.array(&preferredSuccessors) }
      if c.version >= 1 { try c.array(&preferredCandidates) }
    }
  }

  public struct ReplicaInfo: WireStruct {
    public var candidateID: Int32 = 0
    public var candidateDirectoryID = UniqueID.zero

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&candidateID)
      try c.uuid(&candidateDirectoryID)
    }
  }
}

/// Whether the voter took note.
public struct EndQuorumEpochResponse: ResponseBody {
  public typealias Request = EndQuorumEpochRequest

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

extension EndQuorumEpochResponse {
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
