public import Vocabulary
public import Wire

/// Asks which partitions are being moved (KIP-455).
public struct ListPartitionReassignmentsRequest: RequestBody {
  public typealias Response = ListPartitionReassignmentsResponse
  public static let key = APIKey.listPartitionReassignments
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var timeoutMs: Int32 = 60000
  public var topics: [Topic]?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&timeoutMs)
    try c.nullableArray(&topics)
  }
}

extension ListPartitionReassignmentsRequest {
  public struct Topic: WireStruct {
    public var name = ""
    public var partitionIndexes: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&partitionIndexes)
    }
  }
}

/// The partitions that are being moved.
public struct ListPartitionReassignmentsResponse: ResponseBody {
  public typealias Request = ListPartitionReassignmentsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.array(&topics)
  }
}

extension ListPartitionReassignmentsResponse {
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
    public var replicas: [Int32] = []
    public var addingReplicas: [Int32] = []
    public var removingReplicas: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.array(&replicas)
      try c.array(&addingReplicas)
      try c.array(&removingReplicas)
    }
  }
}
