public import Vocabulary
public import Wire

/// Removes the registration of a broker that is gone for good.
public struct UnregisterBrokerRequest: RequestBody {
  public typealias Response = UnregisterBrokerResponse
  public static let key = APIKey.unregisterBroker
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
  }
}

/// Whether the registration was removed.
public struct UnregisterBrokerResponse: ResponseBody {
  public typealias Request = UnregisterBrokerRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
  }
}
