public import Vocabulary
public import Wire

/// Asks which producers are active in partitions (KIP-664).
public struct DescribeProducersRequest: RequestBody {
  public typealias Response = DescribeProducersResponse
  public static let key = APIKey.describeProducers
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
  }
}

extension DescribeProducersRequest {
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

/// The state of each producer.
public struct DescribeProducersResponse: ResponseBody {
  public typealias Request = DescribeProducersRequest

  public var throttleTimeMs: Int32 = 0
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&topics)
  }
}

extension DescribeProducersResponse {
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
    public var errorMessage: String?
    public var activeProducers: [ProducerState] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.array(&activeProducers)
    }
  }

  public struct ProducerState: WireStruct {
    public var producerID: Int64 = 0
    public var producerEpoch: Int32 = 0
    public var lastSequence: Int32 = -1
    public var lastTimestamp: Int64 = -1
    public var coordinatorEpoch: Int32 = 0
    public var currentTxnStartOffset: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int64(&producerID)
      try c.int32(&producerEpoch)
      try c.int32(&lastSequence)
      try c.int64(&lastTimestamp)
      try c.int32(&coordinatorEpoch)
      try c.int64(&currentTxnStartOffset)
    }
  }
}
