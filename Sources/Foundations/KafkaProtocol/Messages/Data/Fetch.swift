public import Vocabulary
public import Wire

/// Reads record batches: for consumers, for follower replicas, and for replicas of the metadata log.
///
/// v7 adds fetch sessions (KIP-227), v9 leader epochs (KIP-320), v11 the rack (KIP-392). v12 is flexible and carries the
/// last fetched epoch (KIP-595). v13 names topics by id (KIP-516), v15 moves the replica into a tagged field (KIP-903).
public struct FetchRequest: RequestBody {
  public typealias Response = FetchResponse
  public static let key = APIKey.fetch
  public static let versions: ClosedRange<Int16> = 4...18
  public static let flexibleSince: Int16 = 12

  /// Replicas of the metadata log name their cluster, to be refused by another (KIP-595).
  public var clusterID: String?
  /// -1 for consumers. From v15 on `replicaState` says it (KIP-903).
  public var replicaID: Int32 = -1
  /// The epoch fences a replica that its broker has restarted since (KIP-903).
  public var replicaState = ReplicaState()
  public var maxWaitMs: Int32 = 0
  public var minBytes: Int32 = 0
  public var maxBytes: Int32 = .max
  /// 0: read uncommitted, 1: read committed (KIP-98).
  public var isolationLevel: Int8 = 0
  /// 0 outside of a session (KIP-227).
  public var sessionID: Int32 = 0
  /// -1 asks for no session, 0 for a new one (KIP-227).
  public var sessionEpoch: Int32 = -1
  public var topics: [Topic] = []
  /// What leaves the session (KIP-227).
  public var forgottenTopicsData: [ForgottenTopic] = []
  /// The nearest replica is in the same rack (KIP-392).
  public var rackID = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version <= 14 { try c.int32(&replicaID) }
    try c.int32(&maxWaitMs)
    try c.int32(&minBytes)
    try c.int32(&maxBytes)
    try c.int8(&isolationLevel)
    if c.version >= 7 {
      try c.int32(&sessionID)
      try c.int32(&sessionEpoch)
    }
    try c.array(&topics)
    if c.version >= 7 { try c.array(&forgottenTopicsData) }
    if c.version >= 11 { try c.string(&rackID) }
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 12 { try c.tagged(0, &clusterID, absent: nil) }
    if c.version >= 15 { try c.tagged(1, &replicaState, absent: ReplicaState()) }
  }
}

extension FetchRequest {
  public struct ReplicaState: WireStruct {
    public var replicaID: Int32 = -1
    public var replicaEpoch: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&replicaID)
      try c.int64(&replicaEpoch)
    }
  }

  public struct Topic: WireStruct {
    public var topic = ""
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 12 { try c.string(&topic) }
      if c.version >= 13 { try c.uuid(&topicID) }
      try c.array(&partitions)
    }
  }

  public struct ForgottenTopic: WireStruct {
    public var topic = ""
    public var topicID = UniqueID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 12 { try c.string(&topic) }
      if c.version >= 13 { try c.uuid(&topicID) }
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partition: Int32 = 0
    /// Fences a reader of an older or newer epoch; -1 checks nothing (KIP-320).
    public var currentLeaderEpoch: Int32 = -1
    public var fetchOffset: Int64 = 0
    /// The epoch before the fetched offset, which shows whether the logs differ (KIP-595).
    public var lastFetchedEpoch: Int32 = -1
    public var logStartOffset: Int64 = -1
    public var partitionMaxBytes: Int32 = 0
    /// The log directory of a replica of the metadata log (KIP-853).
    public var replicaDirectoryID = UniqueID.zero
    /// What the replica knows; an answer is worth its while when it rises (KIP-1166).
    public var highWatermark: Int64 = .max

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partition)
      if c.version >= 9 { try c.int32(&currentLeaderEpoch) }
      try c.int64(&fetchOffset)
      if c.version >= 12 { try c.int32(&lastFetchedEpoch) }
      if c.version >= 5 { try c.int64(&logStartOffset) }
      try c.int32(&partitionMaxBytes)
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 17 { try c.tagged(0, &replicaDirectoryID, absent: .zero) }
      if c.version >= 18 { try c.tagged(1, &highWatermark, absent: .max) }
    }
  }
}

/// Record batches of each partition, as they lie in its log.
public struct FetchResponse: ResponseBody {
  public typealias Request = FetchRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var sessionID: Int32 = 0
  public var responses: [Topic] = []
  /// Where the leaders named in this answer are (KIP-951).
  public var nodeEndpoints: [NodeEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    if c.version >= 7 {
      try c.errorCode(&errorCode)
      try c.int32(&sessionID)
    }
    try c.array(&responses)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 16 { try c.tagged(0, &nodeEndpoints, absent: []) }
  }
}

extension FetchResponse {
  public struct Topic: WireStruct {
    public var topic = ""
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version <= 12 { try c.string(&topic) }
      if c.version >= 13 { try c.uuid(&topicID) }
      try c.array(&partitions)
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
    public var partitionIndex: Int32 = 0
    public var errorCode = ErrorCode.none
    public var highWatermark: Int64 = 0
    /// Below it every transaction is decided.
    public var lastStableOffset: Int64 = -1
    public var logStartOffset: Int64 = -1
    /// Where the reader must truncate to (KIP-595).
    public var divergingEpoch = EpochEndOffset()
    /// The leader to go to instead (KIP-595, KIP-951).
    public var currentLeader = LeaderIDAndEpoch()
    /// The snapshot to download, since the log no longer reaches back that far (KIP-630).
    public var snapshotID = SnapshotID()
    /// The transactions to leave out, in read-committed fetches alone.
    public var abortedTransactions: [AbortedTransaction]? = []
    /// A nearer replica to fetch from; then there are no records (KIP-392).
    public var preferredReadReplica: Int32 = -1
    public var records: RecordsField = .null

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.int64(&highWatermark)
      try c.int64(&lastStableOffset)
      if c.version >= 5 { try c.int64(&logStartOffset) }
      try c.nullableArray(&abortedTransactions)
      if c.version >= 11 { try c.int32(&preferredReadReplica) }
      try c.nullableRecords(&records)
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 12 {
        try c.tagged(0, &divergingEpoch, absent: EpochEndOffset())
        try c.tagged(1, &currentLeader, absent: LeaderIDAndEpoch())
        try c.tagged(2, &snapshotID, absent: SnapshotID())
      }
    }
  }

  public struct EpochEndOffset: WireStruct {
    public var epoch: Int32 = -1
    public var endOffset: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&epoch)
      try c.int64(&endOffset)
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

  public struct SnapshotID: WireStruct {
    public var endOffset: Int64 = -1
    public var epoch: Int32 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&endOffset)
      try c.int32(&epoch)
    }
  }

  public struct AbortedTransaction: WireStruct {
    public var producerID: Int64 = 0
    public var firstOffset: Int64 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&producerID)
      try c.int64(&firstOffset)
    }
  }
}
