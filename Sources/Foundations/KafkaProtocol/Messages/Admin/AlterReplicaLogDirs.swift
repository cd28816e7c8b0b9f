public import Vocabulary
public import Wire

/// Moves replicas between the log directories of a broker (KIP-113).
public struct AlterReplicaLogDirsRequest: RequestBody {
  public typealias Response = AlterReplicaLogDirsResponse
  public static let key = APIKey.alterReplicaLogDirs
  public static let versions: ClosedRange<Int16> = 1...2
  public static let flexibleSince: Int16 = 2

  public var dirs: [LogDir] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&dirs)
  }
}

extension AlterReplicaLogDirsRequest {
  public struct LogDir: WireStruct {
    public var path = ""
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&path)
      try c.array(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var name = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitions)
    }
  }
}

/// Whether each move began.
public struct AlterReplicaLogDirsResponse: ResponseBody {
  public typealias Request = AlterReplicaLogDirsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension AlterReplicaLogDirsResponse {
  public struct Topic: WireStruct {
    public var topicName = ""
    public var partitions: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topicName)
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
