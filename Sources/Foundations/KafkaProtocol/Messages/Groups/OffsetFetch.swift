public import Vocabulary
public import Wire

/// Asks how far groups have read. v8 asks for many groups at once, v10 names topics by id.
public struct OffsetFetchRequest: RequestBody {
  public typealias Response = OffsetFetchResponse
  public static let key = APIKey.offsetFetch
  public static let versions: ClosedRange<Int16> = 1...10
  public static let flexibleSince: Int16 = 6

  public var groupID = ""
  /// Null asks for every topic of the group.
  public var topics: [SingleGroupTopic]? = []
  public var groups: [Group] = []
  /// Answer UNSTABLE_OFFSET_COMMIT while a transaction may still change an offset (KIP-447).
  public var requireStable = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version <= 7 {
      try c.string(&groupID)
      try c.nullableArray(&topics, since: 2)
    }
    if c.version >= 8 { try c.array(&groups) }
    if c.version >= 7 { try c.bool(&requireStable) }
  }
}

extension OffsetFetchRequest {
  public struct SingleGroupTopic: WireStruct {
    public var name = ""
    public var partitionIndexes: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitionIndexes)
    }
  }

  public struct Group: WireStruct {
    public var groupID = ""
    public var memberID: String?
    public var memberEpoch: Int32 = -1
    public var topics: [Topic]? = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&groupID)
      if c.version >= 9 {
        try c.nullableString(&memberID)
        try c.int32(&memberEpoch)
      }
      try c.nullableArray(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var name = ""
    public var topicID = UniqueID.zero
    public var partitionIndexes: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 9 { try c.string(&name) }
      if c.version >= 10 { try c.uuid(&topicID) }
      try c.array(&partitionIndexes)
    }
  }
}

/// The stored offsets; -1 where there is none.
public struct OffsetFetchResponse: ResponseBody {
  public typealias Request = OffsetFetchRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [SingleGroupTopic] = []
  public var errorCode = ErrorCode.none
  public var groups: [Group] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 { try c.int32(&throttleTimeMs) }
    if c.version <= 7 { try c.array(&topics) }
    if (2...7).contains(c.version) { try c.errorCode(&errorCode) }
    if c.version >= 8 { try c.array(&groups) }
  }
}

extension OffsetFetchResponse {
  public struct SingleGroupTopic: WireStruct {
    public var name = ""
    public var partitions: [SingleGroupPartition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }

  public struct Group: WireStruct {
    public var groupID = ""
    public var topics: [Topic] = []
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&groupID)
      try c.array(&topics)
      try c.errorCode(&errorCode)
    }
  }

  public struct SingleGroupPartition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var committedOffset: Int64 = 0
    public var committedLeaderEpoch: Int32 = -1
    public var metadata: String? = ""
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&committedOffset)
      if c.version >= 5 { try c.int32(&committedLeaderEpoch) }
      try c.nullableString(&metadata)
      try c.errorCode(&errorCode)
    }
  }

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
    public var metadata: String? = ""
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int64(&committedOffset)
      try c.int32(&committedLeaderEpoch)
      try c.nullableString(&metadata)
      try c.errorCode(&errorCode)
    }
  }
}
