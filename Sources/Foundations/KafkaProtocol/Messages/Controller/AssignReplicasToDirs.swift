public import Vocabulary
public import Wire

/// A broker tells the controller in which log directories its replicas lie (KIP-858).
public struct AssignReplicasToDirsRequest: RequestBody {
  public typealias Response = AssignReplicasToDirsResponse
  public static let key = APIKey.assignReplicasToDirs
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = -1
  public var directories: [Directory] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
    try c.array(&directories)
  }
}

extension AssignReplicasToDirsRequest {
  public struct Directory: WireStruct {
    public var id = UniqueID.zero
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&id)
      try c.array(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.array(&partitions)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
    }
  }
}

/// Whether each assignment was recorded.
public struct AssignReplicasToDirsResponse: ResponseBody {
  public typealias Request = AssignReplicasToDirsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var directories: [Directory] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.array(&directories)
  }
}

extension AssignReplicasToDirsResponse {
  public struct Directory: WireStruct {
    public var id = UniqueID.zero
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&id)
      try c.array(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
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
