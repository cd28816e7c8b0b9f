public import Vocabulary
public import Wire

/// Asks for the transactions that a broker coordinates (KIP-664), v1 by age (KIP-994), v2 by pattern (KIP-1152).
public struct ListTransactionsRequest: RequestBody {
  public typealias Response = ListTransactionsResponse
  public static let key = APIKey.listTransactions
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var stateFilters: [String] = []
  public var producerIDFilters: [Int64] = []
  /// Only transactions that have run for longer, in milliseconds (KIP-994).
  public var durationFilter: Int64 = -1
  /// KIP-1152.
  public var transactionalIDPattern: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&stateFilters)
    try c.array(&producerIDFilters)
    if c.version >= 1 { try c.int64(&durationFilter) }
    if c.version >= 2 { try c.nullableString(&transactionalIDPattern) }
  }
}

/// The transactions that match.
public struct ListTransactionsResponse: ResponseBody {
  public typealias Request = ListTransactionsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var unknownStateFilters: [String] = []
  public var transactionStates: [TransactionState] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.array(&unknownStateFilters)
    try c.array(&transactionStates)
  }
}

extension ListTransactionsResponse {
  public struct TransactionState: WireStruct {
    public var transactionalID = ""
    public var producerID: Int64 = 0
    public var transactionState = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&transactionalID)
      try c.int64(&producerID)
      try c.string(&transactionState)
    }
  }
}
