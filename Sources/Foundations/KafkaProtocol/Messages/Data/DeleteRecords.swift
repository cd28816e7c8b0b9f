public import Vocabulary
public import Wire

/// Moves the beginning of partitions forward (KIP-107).
public struct DeleteRecordsRequest: RequestBody {
  public typealias Response = DeleteRecordsResponse
  public static let key = APIKey.deleteRecords
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 2

  public var topics: [Topic] = []
  public var timeoutMs: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.int32(&timeoutMs)
  }
}

extension DeleteRecordsRequest {
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
    public var offset: Int64 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&offset)
    }
  }
}

/// Where each partition begins now.
public struct DeleteRecordsResponse: ResponseBody {
  public typealias Request = DeleteRecordsRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension DeleteRecordsResponse {
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
    public var lowWatermark: Int64 = 0
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&lowWatermark)
      try c.errorCode(&errorCode)
    }
  }
}
