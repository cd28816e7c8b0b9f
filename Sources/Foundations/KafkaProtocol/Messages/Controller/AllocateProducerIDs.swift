public import Vocabulary
public import Wire

/// A broker reserves a block of producer ids (KIP-730).
public struct AllocateProducerIDsRequest: RequestBody {
  public typealias Response = AllocateProducerIDsResponse
  public static let key = APIKey.allocateProducerIds
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
  }
}

/// The block that was reserved.
public struct AllocateProducerIDsResponse: ResponseBody {
  public typealias Request = AllocateProducerIDsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var producerIDStart: Int64 = 0
  public var producerIDLen: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.int64(&producerIDStart)
    try c.int32(&producerIDLen)
  }
}
