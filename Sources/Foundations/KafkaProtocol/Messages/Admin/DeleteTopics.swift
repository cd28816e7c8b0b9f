public import Vocabulary
public import Wire

/// Deletes topics, by name or (v6) by id (KIP-516).
public struct DeleteTopicsRequest: RequestBody {
  public typealias Response = DeleteTopicsResponse
  public static let key = APIKey.deleteTopics
  public static let versions: ClosedRange<Int16> = 1...6
  public static let flexibleSince: Int16 = 4

  public var topics: [TopicState] = []
  public var topicNames: [String] = []
  public var timeoutMs: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 6 { try c.array(&topics) }
    if c.version <= 5 { try c.array(&topicNames) }
    try c.int32(&timeoutMs)
  }
}

extension DeleteTopicsRequest {
  public struct TopicState: WireStruct {
    public var name: String?
    public var topicID = UniqueID.zero

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.nullableString(&name)
      try c.uuid(&topicID)
    }
  }
}

/// Whether each topic was deleted.
public struct DeleteTopicsResponse: ResponseBody {
  public typealias Request = DeleteTopicsRequest

  public var throttleTimeMs: Int32 = 0
  public var responses: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&responses)
  }
}

extension DeleteTopicsResponse {
  public struct Topic: WireStruct {
    public var name: String? = ""
    public var topicID = UniqueID.zero
    public var errorCode = ErrorCode.none
    public var errorMessage: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.nullableString(&name, since: 6)
      if c.version >= 6 { try c.uuid(&topicID) }
      try c.errorCode(&errorCode)
      if c.version >= 5 { try c.nullableString(&errorMessage) }
    }
  }
}
