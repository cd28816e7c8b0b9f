public import Vocabulary
public import Wire

/// Asks where a leader epoch ended, to find out from where on two logs differ (KIP-101, KIP-279).
public struct OffsetForLeaderEpochRequest: RequestBody {
  public typealias Response = OffsetForLeaderEpochResponse
  public static let key = APIKey.offsetForLeaderEpoch
  public static let versions: ClosedRange<Int16> = 2...4
  public static let flexibleSince: Int16 = 4

  public var replicaID: Int32 = -2
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 { try c.int32(&replicaID) }
    try c.array(&topics)
  }
}

extension OffsetForLeaderEpochRequest {
  public struct Topic: WireStruct {
    public var topic = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partition: Int32 = 0
    public var currentLeaderEpoch: Int32 = -1
    public var leaderEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partition)
      try c.int32(&currentLeaderEpoch)
      try c.int32(&leaderEpoch)
    }
  }
}

/// The end of each epoch.
public struct OffsetForLeaderEpochResponse: ResponseBody {
  public typealias Request = OffsetForLeaderEpochRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension OffsetForLeaderEpochResponse {
  public struct Topic: WireStruct {
    public var topic = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var errorCode = ErrorCode.none
    public var partition: Int32 = 0
    public var leaderEpoch: Int32 = -1
    public var endOffset: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.int32(&partition)
      try c.int32(&leaderEpoch)
      try c.int64(&endOffset)
    }
  }
}
