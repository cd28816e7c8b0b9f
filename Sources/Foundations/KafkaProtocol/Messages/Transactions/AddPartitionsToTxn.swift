public import Vocabulary
public import Wire

/// Adds partitions to a transaction before they are written to. v4 is for brokers: many transactions, or only a check (KIP-890).
public struct AddPartitionsToTxnRequest: RequestBody {
  public typealias Response = AddPartitionsToTxnResponse
  public static let key = APIKey.addPartitionsToTxn
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 3

  public var transactions: [Transaction] = []
  public var v3AndBelowTransactionalID = ""
  public var v3AndBelowProducerID: Int64 = 0
  public var v3AndBelowProducerEpoch: Int16 = 0
  public var v3AndBelowTopics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 4 { try c.array(&transactions) }
    if c.version <= 3 {
      try c.string(&v3AndBelowTransactionalID)
      try c.int64(&v3AndBelowProducerID)
      try c.int16(&v3AndBelowProducerEpoch)
      try c.array(&v3AndBelowTopics)
    }
  }
}

extension AddPartitionsToTxnRequest {
  public struct Transaction: WireStruct {
    public var transactionalID = ""
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    public var verifyOnly = false
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&transactionalID)
      try c.int64(&producerID)
      try c.int16(&producerEpoch)
      try c.bool(&verifyOnly)
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

/// Whether each partition was added.
public struct AddPartitionsToTxnResponse: ResponseBody {
  public typealias Request = AddPartitionsToTxnRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var resultsByTransaction: [Transaction] = []
  public var resultsByTopicV3AndBelow: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    if c.version >= 4 {
      try c.errorCode(&errorCode)
      try c.array(&resultsByTransaction)
    }
    if c.version <= 3 { try c.array(&resultsByTopicV3AndBelow) }
  }
}

extension AddPartitionsToTxnResponse {
  public struct Transaction: WireStruct {
    public var transactionalID = ""
    public var topicResults: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&transactionalID)
      try c.array(&topicResults)
    }
  }

  public struct Topic: WireStruct {
    public var name = ""
    public var resultsByPartition: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.array(&resultsByPartition)
    }
  }

  public struct Partition: WireStruct {
    public var partitionIndex: Int32 = 0
    public var partitionErrorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partitionIndex)
      try c.errorCode(&partitionErrorCode)
    }
  }
}
