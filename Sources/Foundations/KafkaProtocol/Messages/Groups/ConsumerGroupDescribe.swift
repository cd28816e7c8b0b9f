public import Vocabulary
public import Wire

/// Asks for the state and the members of consumer groups (KIP-848).
public struct ConsumerGroupDescribeRequest: RequestBody {
  public typealias Response = ConsumerGroupDescribeResponse
  public static let key = APIKey.consumerGroupDescribe
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var groupIDs: [String] = []
  public var includeAuthorizedOperations = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&groupIDs)
    try c.bool(&includeAuthorizedOperations)
  }
}

/// Consumer groups and their members.
public struct ConsumerGroupDescribeResponse: ResponseBody {
  public typealias Request = ConsumerGroupDescribeRequest

  public var throttleTimeMs: Int32 = 0
  public var groups: [Group] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&groups)
  }
}

extension ConsumerGroupDescribeResponse {
  public struct Group: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var groupID = ""
    public var groupState = ""
    public var groupEpoch: Int32 = 0
    public var assignmentEpoch: Int32 = 0
    public var assignorName = ""
    public var members: [Member] = []
    public var authorizedOperations: Int32 = .min

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.string(&groupID)
      try c.string(&groupState)
      try c.int32(&groupEpoch)
      try c.int32(&assignmentEpoch)
      try c.string(&assignorName)
      try c.array(&members)
      try c.int32(&authorizedOperations)
    }
  }

  public struct Member: WireStruct {
    public var memberID = ""
    public var instanceID: String?
    public var rackID: String?
    public var memberEpoch: Int32 = 0
    public var clientID = ""
    public var clientHost = ""
    public var subscribedTopicNames: [String] = []
    public var subscribedTopicRegex: String?
    public var assignment = Assignment()
    public var targetAssignment = Assignment()
    public var memberType: Int8 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      try c.nullableString(&instanceID)
      try c.nullableString(&rackID)
      try c.int32(&memberEpoch)
      try c.string(&clientID)
      try c.string(&clientHost)
      try c.array(&subscribedTopicNames)
      try c.nullableString(&subscribedTopicRegex)
      try c.structure(&assignment)
      try c.structure(&targetAssignment)
      if c.version >= 1 { try c.int8(&memberType) }
    }
  }

  public struct Assignment: WireStruct {
    public var topicPartitions: [TopicPartitions] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.array(&topicPartitions)
    }
  }

  public struct TopicPartitions: WireStruct {
    public var topicID = UniqueID.zero
    public var topicName = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.string(&topicName)
      try c.array(&partitions)
    }
  }
}
