public import Vocabulary
public import Wire

/// Creates topics.
public struct CreateTopicsRequest: RequestBody {
  public typealias Response = CreateTopicsResponse
  public static let key = APIKey.createTopics
  public static let versions: ClosedRange<Int16> = 2...7
  public static let flexibleSince: Int16 = 5

  public var topics: [Topic] = []
  public var timeoutMs: Int32 = 60000
  /// Checks without creating.
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.int32(&timeoutMs)
    try c.bool(&validateOnly)
  }
}

extension CreateTopicsRequest {
  public struct Topic: WireStruct {
    public var name = ""
    public var numPartitions: Int32 = 0
    public var replicationFactor: Int16 = 0
    /// Empty unless the client places the replicas itself.
    public var assignments: [ReplicaAssignment] = []
    public var configs: [Config] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int32(&numPartitions)
      try c.int16(&replicationFactor)
      try c.array(&assignments)
      try c.array(&configs)
    }
  }

  public struct ReplicaAssignment: WireStruct {
    public var partitionIndex: Int32 = 0
    public var brokerIDs: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.array(&brokerIDs)
    }
  }

  public struct Config: WireStruct {
    public var name = ""
    public var value: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.nullableString(&value)
    }
  }
}

/// Whether each topic was created, and with which configuration.
public struct CreateTopicsResponse: ResponseBody {
  public typealias Request = CreateTopicsRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension CreateTopicsResponse {
  public struct Topic: WireStruct {
    public var name = ""
    public var topicID = UniqueID.zero
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    /// Set when the client may not see the configuration (KIP-525).
    public var topicConfigErrorCode = ErrorCode.none
    public var numPartitions: Int32 = -1
    public var replicationFactor: Int16 = -1
    public var configs: [Config]? = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      if c.version >= 7 { try c.uuid(&topicID) }
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      if c.version >= 5 {
        try c.int32(&numPartitions)
        try c.int16(&replicationFactor)
        try c.nullableArray(&configs)
      }
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 5 { try c.tagged(0, &topicConfigErrorCode, absent: .none) }
    }
  }

  public struct Config: WireStruct {
    public var name = ""
    public var value: String? = ""
    public var readOnly = false
    public var configSource: Int8 = -1
    public var isSensitive = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.nullableString(&value)
      try c.bool(&readOnly)
      try c.int8(&configSource)
      try c.bool(&isSensitive)
    }
  }
}
