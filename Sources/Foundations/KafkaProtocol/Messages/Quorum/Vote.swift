public import Vocabulary
public import Wire

/// A candidate asks for a vote (KIP-595). v1 names replicas by directory (KIP-853), v2 asks whether it would win (KIP-996).
public struct VoteRequest: RequestBody {
  public typealias Response = VoteResponse
  public static let key = APIKey.vote
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var clusterID: String?
  public var voterID: Int32 = -1
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    if c.version >= 1 { try c.int32(&voterID) }
    try c.array(&topics)
  }
}

extension VoteRequest {
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
    public var replicaEpoch: Int32 = 0
    public var replicaID: Int32 = 0
    public var replicaDirectoryID = UniqueID.zero
    public var voterDirectoryID = UniqueID.zero
    public var lastOffsetEpoch: Int32 = 0
    public var lastOffset: Int64 = 0
    /// Would you vote for me? The answer binds nobody (KIP-996).
    public var preVote = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int32(&replicaEpoch)
      try c.int32(&replicaID)
      if c.version >= 1 {
        try c.uuid(&replicaDirectoryID)
        try c.uuid(&voterDirectoryID)
      }
      try c.int32(&lastOffsetEpoch)
      try c.int64(&lastOffset)
      if c.version >= 2 { try c.bool(&preVote) }
    }
  }
}

/// Whether the vote was given.
public struct VoteResponse: ResponseBody {
  public typealias Request = VoteRequest

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

extension VoteResponse {
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
    public var voteGranted = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      try c.bool(&voteGranted)
    }
  }
}
