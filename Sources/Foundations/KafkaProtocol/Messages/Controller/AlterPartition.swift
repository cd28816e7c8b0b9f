public import Vocabulary
public import Wire

/// A partition's leader proposes another in-sync set to the controller (KIP-497, KIP-903).
public struct AlterPartitionRequest: RequestBody {
  public typealias Response = AlterPartitionResponse
  public static let key = APIKey.alterPartition
  public static let versions: ClosedRange<Int16> = 2...3
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = -1
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
    try c.array(&topics)
  }
}

extension AlterPartitionRequest {
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
    public var leaderEpoch: Int32 = 0
    public var newIsr: [Int32] = []
    /// The epochs fence brokers that restarted meanwhile (KIP-903).
    public var newIsrWithEpochs: [BrokerState] = []
    public var leaderRecoveryState: Int8 = 0
    public var partitionEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.int32(&leaderEpoch)
      if c.version == 2 { try c.array(&newIsr) }
      if c.version >= 3 { try c.array(&newIsrWithEpochs) }
      try c.int8(&leaderRecoveryState)
      try c.int32(&partitionEpoch)
    }
  }

  public struct BrokerState: WireStruct {
    public var brokerID: Int32 = 0
    public var brokerEpoch: Int64 = -1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&brokerID)
      try c.int64(&brokerEpoch)
    }
  }
}

/// The partition's state after the proposal.
public struct AlterPartitionResponse: ResponseBody {
  public typealias Request = AlterPartitionRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.array(&topics)
  }
}

extension AlterPartitionResponse {
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
    public var leaderID: Int32 = 0
    public var leaderEpoch: Int32 = 0
    public var isr: [Int32] = []
    public var leaderRecoveryState: Int8 = 0
    public var partitionEpoch: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&errorCode)
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      try c.array(&isr)
      try c.int8(&leaderRecoveryState)
      try c.int32(&partitionEpoch)
    }
  }
}
