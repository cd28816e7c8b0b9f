public import Vocabulary
public import Wire

/// Elects preferred leaders (KIP-183), or unclean ones (KIP-460).
public struct ElectLeadersRequest: RequestBody {
  public typealias Response = ElectLeadersResponse
  public static let key = APIKey.electLeaders
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 2

  public var electionType: Int8 = 0
  public var topicPartitions: [TopicPartitions]? = []
  public var timeoutMs: Int32 = 60000

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int8(&electionType) }
    try c.nullableArray(&topicPartitions)
    try c.int32(&timeoutMs)
  }
}

extension ElectLeadersRequest {
  public struct TopicPartitions: WireStruct {
    public var topic = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }
}

/// Whether each partition got its leader.
public struct ElectLeadersResponse: ResponseBody {
  public typealias Request = ElectLeadersRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var replicaElectionResults: [ReplicaElection] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    if c.version >= 1 { try c.errorCode(&errorCode) }
    try c.array(&replicaElectionResults)
  }
}

extension ElectLeadersResponse {
  public struct ReplicaElection: WireStruct {
    public var topic = ""
    public var partitionResult: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitionResult)
    }
  }

  public struct Partition: WireStruct {
    public var partitionID: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionID)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
