public import Vocabulary
public import Wire

/// Asks for topics page by page, with their eligible leaders (KIP-966).
public struct DescribeTopicPartitionsRequest: RequestBody {
  public typealias Response = DescribeTopicPartitionsResponse
  public static let key = APIKey.describeTopicPartitions
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var topics: [Topic] = []
  public var responsePartitionLimit: Int32 = 2000
  public var cursor: Cursor?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.int32(&responsePartitionLimit)
    try c.nullableStruct(&cursor)
  }
}

extension DescribeTopicPartitionsRequest {
  public struct Topic: WireStruct {
    public var name = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
    }
  }

  public struct Cursor: WireStruct {
    public var topicName = ""
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.int32(&partitionIndex)
    }
  }
}

/// One page of topics, and where the next begins.
public struct DescribeTopicPartitionsResponse: ResponseBody {
  public typealias Request = DescribeTopicPartitionsRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []
  public var nextCursor: Cursor?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
    try c.nullableStruct(&nextCursor)
  }
}

extension DescribeTopicPartitionsResponse {
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
      try c.nullableString(&name)
      try c.uuid(&topicID)
      try c.bool(&isInternal)
      try c.array(&partitions)
      try c.int32(&topicAuthorizedOperations)
    }
  }

  public struct Cursor: WireStruct {
    public var topicName = ""
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
      try c.int32(&partitionIndex)
    }
  }

  public struct Partition: WireStruct {
    public var errorCode = ErrorCode.none
    public var partitionIndex: Int32 = 0
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = -1
    public var replicaNodes: [Int32] = []
    public var isrNodes: [Int32] = []
    public var eligibleLeaderReplicas: [Int32]?
    public var lastKnownElr: [Int32]?
    public var offlineReplicas: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.int32(&partitionIndex)
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      try c.array(&replicaNodes)
      try c.array(&isrNodes)
      try c.nullableArray(&eligibleLeaderReplicas)
      try c.nullableArray(&lastKnownElr)
      try c.array(&offlineReplicas)
    }
  }
}
