public import Vocabulary
public import Wire

/// Commits or aborts a transaction. v5 raises the producer's epoch with each transaction (KIP-890).
public struct EndTxnRequest: RequestBody {
  public typealias Response = EndTxnResponse
  public static let key = APIKey.endTxn
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 3

  public var transactionalID = ""
  public var producerID: Int64 = 0
  public var producerEpoch: Int16 = 0
  public var committed = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&transactionalID)
    try c.int64(&producerID)
    try c.int16(&producerEpoch)
    try c.bool(&committed)
  }
}

/// Whether the end of the transaction was decided.
public struct EndTxnResponse: ResponseBody {
  public typealias Request = EndTxnRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var producerID: Int64 = -1
  public var producerEpoch: Int16 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    if c.version >= 5 {
      try c.int64(&producerID)
      try c.int16(&producerEpoch)
    }
  }
}
