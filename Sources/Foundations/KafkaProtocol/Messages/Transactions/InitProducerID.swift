public import Vocabulary
public import Wire

/// Gets an id and an epoch for an idempotent or transactional producer, and fences its predecessors.
public struct InitProducerIDRequest: RequestBody {
  public typealias Response = InitProducerIDResponse
  public static let key = APIKey.initProducerId
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 2

  public var transactionalID: String? = ""
  public var transactionTimeoutMs: Int32 = 0
  /// An id to keep while its epoch rises (KIP-360).
  public var producerID: Int64 = -1
  public var producerEpoch: Int16 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&transactionalID)
    try c.int32(&transactionTimeoutMs)
    if c.version >= 3 {
      try c.int64(&producerID)
      try c.int16(&producerEpoch)
    }
  }
}

/// The producer's id and epoch.
public struct InitProducerIDResponse: ResponseBody {
  public typealias Request = InitProducerIDRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var producerID: Int64 = -1
  public var producerEpoch: Int16 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.int64(&producerID)
    try c.int16(&producerEpoch)
  }
}
