public import Vocabulary
public import Wire

/// A member of a consumer group joins, stays, reports or leaves (KIP-848). v1 adds regular expressions.
public struct ConsumerGroupHeartbeatRequest: RequestBody {
  public typealias Response = ConsumerGroupHeartbeatResponse
  public static let key = APIKey.consumerGroupHeartbeat
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var groupID = ""
  public var memberID = ""
  /// 0 joins, -1 leaves, -2 leaves for a while as a static member.
  public var memberEpoch: Int32 = 0
  public var instanceID: String?
  public var rackID: String?
  public var rebalanceTimeoutMs: Int32 = -1
  public var subscribedTopicNames: [String]?
  public var subscribedTopicRegex: String?
  public var serverAssignor: String?
  public var topicPartitions: [TopicPartitions]?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.string(&memberID)
    try c.int32(&memberEpoch)
    try c.nullableString(&instanceID)
    try c.nullableString(&rackID)
    try c.int32(&rebalanceTimeoutMs)
    try c.nullableArray(&subscribedTopicNames)
    if c.version >= 1 { try c.nullableString(&subscribedTopicRegex) }
    try c.nullableString(&serverAssignor)
    try c.nullableArray(&topicPartitions)
  }
}

extension ConsumerGroupHeartbeatRequest {
  public struct TopicPartitions: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.array(&partitions)
    }
  }
}

/// The member's epoch and, when it has changed, its assignment.
public struct ConsumerGroupHeartbeatResponse: ResponseBody {
  public typealias Request = ConsumerGroupHeartbeatRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String?
  public var memberID: String?
  public var memberEpoch: Int32 = 0
  public var heartbeatIntervalMs: Int32 = 0
  /// Null while it has not changed.
  public var assignment: Assignment?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.nullableString(&memberID)
    try c.int32(&memberEpoch)
    try c.int32(&heartbeatIntervalMs)
    try c.nullableStruct(&assignment)
  }
}

extension ConsumerGroupHeartbeatResponse {
  public struct Assignment: WireStruct {
    public var topicPartitions: [TopicPartitions] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.array(&topicPartitions)
    }
  }

  public struct TopicPartitions: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.array(&partitions)
    }
  }
}
