public import Vocabulary
public import Wire

/// Looks up offsets by time, or by the special times -1 (latest), -2 (earliest), -3 (greatest timestamp, KIP-734) and below
/// (tiered storage, KIP-405).
public struct ListOffsetsRequest: RequestBody {
  public typealias Response = ListOffsetsResponse
  public static let key = APIKey.listOffsets
  public static let versions: ClosedRange<Int16> = 1...11
  public static let flexibleSince: Int16 = 6

  public var replicaID: Int32 = 0
  public var isolationLevel: Int8 = 0
  public var topics: [Topic] = []
  /// How long a lookup in remote storage may take (KIP-1075).
  public var timeoutMs: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&replicaID)
    if c.version >= 2 { try c.int8(&isolationLevel) }
    try c.array(&topics)
    if c.version >= 10 { try c.int32(&timeoutMs) }
  }
}

extension ListOffsetsRequest {
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
    public var currentLeaderEpoch: Int32 = -1
    /// Milliseconds since 1970, or a special time below 0.
    public var timestamp: Int64 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      if c.version >= 4 { try c.int32(&currentLeaderEpoch) }
      try c.int64(&timestamp)
    }
  }
}

/// The offset that each time stands for.
public struct ListOffsetsResponse: ResponseBody {
  public typealias Request = ListOffsetsRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 2 { try c.int32(&throttleTimeMs) }
    try c.array(&topics)
  }
}

extension ListOffsetsResponse {
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
    public var timestamp: Int64 = -1
    public var offset: Int64 = -1
    public var leaderEpoch: Int32 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.int64(&timestamp)
      try c.int64(&offset)
      if c.version >= 4 { try c.int32(&leaderEpoch) }
    }
  }
}
