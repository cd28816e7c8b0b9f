public import Vocabulary
public import Wire

/// Asks for the state of transactions (KIP-664).
public struct DescribeTransactionsRequest: RequestBody {
  public typealias Response = DescribeTransactionsResponse
  public static let key = APIKey.describeTransactions
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var transactionalIDs: [String] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&transactionalIDs)
  }
}

/// The state of each transaction.
public struct DescribeTransactionsResponse: ResponseBody {
  public typealias Request = DescribeTransactionsRequest

  public var throttleTimeMs: Int32 = 0
  public var transactionStates: [TransactionState] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&transactionStates)
  }
}

extension DescribeTransactionsResponse {
  public struct TransactionState: WireStruct {
    public var errorCode = ErrorCode.none
    public var transactionalID = ""
    public var transactionState = ""
    public var transactionTimeoutMs: Int32 = 0
    public var transactionStartTimeMs: Int64 = 0
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.string(&transactionalID)
      try c.string(&transactionState)
      try c.int32(&transactionTimeoutMs)
      try c.int64(&transactionStartTimeMs)
      try c.int64(&producerID)
      try c.int16(&producerEpoch)
      try c.array(&topics)
    }
  }

  public struct Topic: WireStruct {
    public var topic = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }
}
