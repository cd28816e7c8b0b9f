public import Vocabulary
public import Wire

/// Appends record batches to partitions.
///
/// v9 is flexible. v12 lets a transaction's partitions be added by the write itself (KIP-890). v13 names topics by id (KIP-516).
/// v0–2 are advertised by brokers but were removed (KIP-896).
public struct ProduceRequest: RequestBody {
  public typealias Response = ProduceResponse
  public static let key = APIKey.produce
  public static let versions: ClosedRange<Int16> = 3...13
  public static let flexibleSince: Int16 = 9

  /// Null unless the batches belong to a transaction (KIP-98).
  public var transactionalID: String?
  /// 0: no answer, 1: when the leader has it, -1: when every in-sync replica has it.
  public var acks: Int16 = 0
  public var timeoutMs: Int32 = 0
  public var topicData: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&transactionalID)
    try c.int16(&acks)
    try c.int32(&timeoutMs)
    try c.array(&topicData)
  }
}

extension ProduceRequest {
  public struct Topic: WireStruct {
    /// Empty from v13 on, which has `topicID` instead.
    public var name = ""
    /// KIP-516.
    public var topicID = UniqueID.zero
    public var partitionData: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 12 { try c.string(&name) }
      if c.version >= 13 { try c.uuid(&topicID) }
      try c.array(&partitionData)
    }
  }

  public struct Partition: WireStruct {
    public var index: Int32 = 0
    public var records: RecordsField = .null

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&index)
      try c.nullableRecords(&records)
    }
  }
}

/// Where each batch was appended, or why it was not.
public struct ProduceResponse: ResponseBody {
  public typealias Request = ProduceRequest

  public var responses: [Topic] = []
  public var throttleTimeMs: Int32 = 0
  /// Where the leaders named in this answer are (KIP-951).
  public var nodeEndpoints: [NodeEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&responses)
    try c.int32(&throttleTimeMs)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 10 { try c.tagged(0, &nodeEndpoints, absent: []) }
  }
}

extension ProduceResponse {
  public struct Topic: WireStruct {
    /// Empty from v13 on, which has `topicID` instead.
    public var name = ""
    /// KIP-516.
    public var topicID = UniqueID.zero
    public var partitionResponses: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 12 { try c.string(&name) }
      if c.version >= 13 { try c.uuid(&topicID) }
      try c.array(&partitionResponses)
    }
  }

  public struct NodeEndpoint: WireStruct {
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    public var rack: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&nodeID)
      try c.string(&host)
      try c.int32(&port)
      try c.nullableString(&rack)
    }
  }

  public struct Partition: WireStruct {
    public var index: Int32 = 0
    public var errorCode = ErrorCode.none
    public var baseOffset: Int64 = 0
    /// -1 unless the topic stamps records with the time of the append.
    public var logAppendTimeMs: Int64 = -1
    public var logStartOffset: Int64 = -1
    /// Which records made the batch be refused (KIP-467).
    public var recordErrors: [BatchIndexAndErrorMessage] = []
    public var errorMessage: String?
    /// The leader to go to after NOT_LEADER_OR_FOLLOWER (KIP-951).
    public var currentLeader = LeaderIDAndEpoch()

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&index)
      try c.errorCode(&errorCode)
      try c.int64(&baseOffset)
      try c.int64(&logAppendTimeMs)
      if c.version >= 5 { try c.int64(&logStartOffset) }
      if c.version >= 8 {
        try c.array(&recordErrors)
        try c.nullableString(&errorMessage)
      }
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 10 { try c.tagged(0, &currentLeader, absent: LeaderIDAndEpoch()) }
    }
  }

  public struct BatchIndexAndErrorMessage: WireStruct {
    public var batchIndex: Int32 = 0
    public var batchIndexErrorMessage: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&batchIndex)
      try c.nullableString(&batchIndexErrorMessage)
    }
  }

  public struct LeaderIDAndEpoch: WireStruct {
    public var leaderID: Int32 = -1
    public var leaderEpoch: Int32 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
    }
  }
}
