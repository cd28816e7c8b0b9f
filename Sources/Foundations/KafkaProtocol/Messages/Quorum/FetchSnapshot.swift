public import Vocabulary
public import Wire

/// A replica of the metadata log downloads a snapshot piece by piece (KIP-630).
public struct FetchSnapshotRequest: RequestBody {
  public typealias Response = FetchSnapshotResponse
  public static let key = APIKey.fetchSnapshot
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var clusterID: String?
  public var replicaID: Int32 = -1
  public var maxBytes: Int32 = .max
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&replicaID)
    try c.int32(&maxBytes)
    try c.array(&topics)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &clusterID, absent: nil)
  }
}

extension FetchSnapshotRequest {
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
    public var partition: Int32 = 0
    public var currentLeaderEpoch: Int32 = 0
    public var snapshotID = SnapshotID()
    public var position: Int64 = 0
    public var replicaDirectoryID = UniqueID.zero

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partition)
      try c.int32(&currentLeaderEpoch)
      try c.structure(&snapshotID)
      try c.int64(&position)
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      if c.version >= 1 { try c.tagged(0, &replicaDirectoryID, absent: .zero) }
    }
  }

  public struct SnapshotID: WireStruct {
    public var endOffset: Int64 = 0
    public var epoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&endOffset)
      try c.int32(&epoch)
    }
  }
}

/// A piece of a snapshot.
public struct FetchSnapshotResponse: ResponseBody {
  public typealias Request = FetchSnapshotRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var topics: [Topic] = []
  public var nodeEndpoints: [NodeEndpoint] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.array(&topics)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.tagged(0, &nodeEndpoints, absent: []) }
  }
}

extension FetchSnapshotResponse {
  public struct Topic: WireStruct {
    public var name = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }

  public struct NodeEndpoint: WireStruct {
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: UInt16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&nodeID)
      try c.string(&host)
      try c.uint16(&port)
    }
  }

  public struct Partition: WireStruct {
    public var index: Int32 = 0
    public var errorCode = ErrorCode.none
    public var snapshotID = SnapshotID()
    public var currentLeader = LeaderIDAndEpoch()
    public var size: Int64 = 0
    public var position: Int64 = 0
    public var unalignedRecords: RecordsField = .bytes([])

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&index)
      try c.errorCode(&errorCode)
      try c.structure(&snapshotID)
      try c.int64(&size)
      try c.int64(&position)
      try c.records(&unalignedRecords)
    }

    public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.tagged(0, &currentLeader, absent: LeaderIDAndEpoch())
    }
  }

  public struct SnapshotID: WireStruct {
    public var endOffset: Int64 = 0
    public var epoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&endOffset)
      try c.int32(&epoch)
    }
  }

  public struct LeaderIDAndEpoch: WireStruct {
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
    }
  }
}
