public import Vocabulary
public import Wire

/// Deletes the offsets of a group in topics that it no longer reads (KIP-496).
public struct OffsetDeleteRequest: RequestBody {
  public typealias Response = OffsetDeleteResponse
  public static let key = APIKey.offsetDelete
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince = Int16.max

  public var groupID = ""
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.array(&topics)
  }
}

extension OffsetDeleteRequest {
  public struct Topic: WireStruct {
    public var name = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
    }
  }
}

/// Whether each offset was deleted.
public struct OffsetDeleteResponse: ResponseBody {
  public typealias Request = OffsetDeleteRequest

  public var errorCode = ErrorCode.none
  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension OffsetDeleteResponse {
  public struct Topic: WireStruct {
    public var name = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
    }
  }
}
