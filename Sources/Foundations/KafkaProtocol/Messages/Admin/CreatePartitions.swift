public import Vocabulary
public import Wire

/// Adds partitions to topics (KIP-195).
public struct CreatePartitionsRequest: RequestBody {
  public typealias Response = CreatePartitionsResponse
  public static let key = APIKey.createPartitions
  public static let versions: ClosedRange<Int16> = 0...3
  public static let flexibleSince: Int16 = 2

  public var topics: [Topic] = []
  public var timeoutMs: Int32 = 0
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.int32(&timeoutMs)
    try c.bool(&validateOnly)
  }
}

extension CreatePartitionsRequest {
  public struct Topic: WireStruct {
    public var name = ""
    public var count: Int32 = 0
    public var assignments: [Assignment]? = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int32(&count)
      try c.nullableArray(&assignments)
    }
  }

  public struct Assignment: WireStruct {
    public var brokerIDs: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.array(&brokerIDs)
    }
  }
}

/// Whether each topic got its partitions.
public struct CreatePartitionsResponse: ResponseBody {
  public typealias Request = CreatePartitionsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension CreatePartitionsResponse {
  public struct Topic: WireStruct {
    public var name = ""
    public var errorCode = ErrorCode.none
    public var errorMessage: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
