public import Vocabulary
public import Wire

/// Asks for a broker's log directories and the sizes of the replicas in them (KIP-113).
public struct DescribeLogDirsRequest: RequestBody {
  public typealias Response = DescribeLogDirsResponse
  public static let key = APIKey.describeLogDirs
  public static let versions: ClosedRange<Int16> = 1...5
  public static let flexibleSince: Int16 = 2

  public var topics: [Topic]? = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableArray(&topics)
  }
}

extension DescribeLogDirsRequest {
  public struct Topic: WireStruct {
    public var topic = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }
}

/// Log directories. v4 adds their sizes (KIP-827), v5 whether they are cordoned (KIP-1066).
public struct DescribeLogDirsResponse: ResponseBody {
  public typealias Request = DescribeLogDirsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var results: [LogDir] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    if c.version >= 3 { try c.errorCode(&errorCode) }
    try c.array(&results)
  }
}

extension DescribeLogDirsResponse {
  public struct LogDir: WireStruct {
    public var errorCode = ErrorCode.none
    public var logDir = ""
    public var topics: [Topic] = []
    public var totalBytes: Int64 = -1
    public var usableBytes: Int64 = -1
    /// Gets no new replicas (KIP-1066).
    public var isCordoned = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.string(&logDir)
      try c.array(&topics)
      if c.version >= 4 {
        try c.int64(&totalBytes)
        try c.int64(&usableBytes)
      }
      if c.version >= 5 { try c.bool(&isCordoned) }
    }
  }

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
    public var partitionSize: Int64 = 0
    public var offsetLag: Int64 = 0
    public var isFutureKey = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&partitionSize)
      try c.int64(&offsetLag)
      try c.bool(&isFutureKey)
    }
  }
}
