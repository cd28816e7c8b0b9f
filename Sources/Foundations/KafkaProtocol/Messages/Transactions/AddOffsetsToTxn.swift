public import Vocabulary
public import Wire

/// Adds a group's offsets to a transaction.
public struct AddOffsetsToTxnRequest: RequestBody {
  public typealias Response = AddOffsetsToTxnResponse
  public static let key = APIKey.addOffsetsToTxn
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 3

  public var transactionalID = ""
  public var producerID: Int64 = 0
  public var producerEpoch: Int16 = 0
  public var groupID = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&transactionalID)
    try c.int64(&producerID)
    try c.int16(&producerEpoch)
    try c.string(&groupID)
  }
}

/// Whether the group's offsets were added.
public struct AddOffsetsToTxnResponse: ResponseBody {
  public typealias Request = AddOffsetsToTxnRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
  }
}
