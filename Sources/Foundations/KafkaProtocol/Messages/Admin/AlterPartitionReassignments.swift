public import Vocabulary
public import Wire

/// Moves partitions to other replicas, or stops such a move (KIP-455).
public struct AlterPartitionReassignmentsRequest: RequestBody {
  public typealias Response = AlterPartitionReassignmentsResponse
  public static let key = APIKey.alterPartitionReassignments
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var timeoutMs: Int32 = 60000
  /// KIP-860.
  public var allowReplicationFactorChange = true
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&timeoutMs)
    if c.version >= 1 { try c.bool(&allowReplicationFactorChange) }
    try c.array(&topics)
  }
}

extension AlterPartitionReassignmentsRequest {
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
    public var replicas: [Int32]?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.nullableArray(&replicas)
    }
  }
}

/// Whether each move began. v1 tells whether a changed number of replicas was allowed (KIP-860).
public struct AlterPartitionReassignmentsResponse: ResponseBody {
  public typealias Request = AlterPartitionReassignmentsRequest

  public var throttleTimeMs: Int32 = 0
  public var allowReplicationFactorChange = true
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var responses: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    if c.version >= 1 { try c.bool(&allowReplicationFactorChange) }
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.array(&responses)
  }
}

extension AlterPartitionReassignmentsResponse {
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
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
