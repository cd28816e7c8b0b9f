public import Vocabulary
public import Wire

/// Stores a group's offsets as a part of a transaction.
public struct TxnOffsetCommitRequest: RequestBody {
  public typealias Response = TxnOffsetCommitResponse
  public static let key = APIKey.txnOffsetCommit
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 3

  public var transactionalID = ""
  public var groupID = ""
  public var producerID: Int64 = 0
  public var producerEpoch: Int16 = 0
  public var generationID: Int32 = -1
  public var memberID = ""
  public var groupInstanceID: String?
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&transactionalID)
    try c.string(&groupID)
    try c.int64(&producerID)
    try c.int16(&producerEpoch)
    if c.version >= 3 {
      try c.int32(&generationID)
      try c.string(&memberID)
      try c.nullableString(&groupInstanceID)
    }
    try c.array(&topics)
  }
}

extension TxnOffsetCommitRequest {
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
    public var committedOffset: Int64 = 0
    public var committedLeaderEpoch: Int32 = -1
    public var committedMetadata: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&committedOffset)
      if c.version >= 2 { try c.int32(&committedLeaderEpoch) }
      try c.nullableString(&committedMetadata)
    }
  }
}

/// Whether each offset was stored.
public struct TxnOffsetCommitResponse: ResponseBody {
  public typealias Request = TxnOffsetCommitRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension TxnOffsetCommitResponse {
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
