public import Vocabulary
public import Wire

/// Stores how far a group has read. v8 is flexible, v9 serves the consumer protocol (KIP-848), v10 names topics by id.
public struct OffsetCommitRequest: RequestBody {
  public typealias Response = OffsetCommitResponse
  public static let key = APIKey.offsetCommit
  public static let versions: ClosedRange<Int16> = 2...10
  public static let flexibleSince: Int16 = 8

  public var groupID = ""
  /// The member epoch in groups of the consumer protocol (KIP-848).
  public var generationIDOrMemberEpoch: Int32 = -1
  public var memberID = ""
  /// Static members (KIP-345).
  public var groupInstanceID: String?
  /// How long to keep the offsets; -1 leaves that to the broker. Gone since v5 (KIP-211).
  public var retentionTimeMs: Int64 = -1
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.int32(&generationIDOrMemberEpoch)
    try c.string(&memberID)
    if c.version >= 7 { try c.nullableString(&groupInstanceID) }
    if c.version <= 4 { try c.int64(&retentionTimeMs) }
    try c.array(&topics)
  }
}

extension OffsetCommitRequest {
  public struct Topic: WireStruct {
    public var name = ""
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 9 { try c.string(&name) }
      if c.version >= 10 { try c.uuid(&topicID) }
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
      if c.version >= 6 { try c.int32(&committedLeaderEpoch) }
      try c.nullableString(&committedMetadata)
    }
  }
}

/// Whether each offset was stored.
public struct OffsetCommitResponse: ResponseBody {
  public typealias Request = OffsetCommitRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 { try c.int32(&throttleTimeMs) }
    try c.array(&topics)
  }
}

extension OffsetCommitResponse {
  public struct Topic: WireStruct {
    public var name = ""
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 9 { try c.string(&name) }
      if c.version >= 10 { try c.uuid(&topicID) }
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
