public import Vocabulary
public import Wire

/// A broker forwards a client's request and the client's principal to the controller (KIP-590).
public struct EnvelopeRequest: RequestBody {
  public typealias Response = EnvelopeResponse
  public static let key = APIKey.envelope
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var requestData: [UInt8] = []
  public var requestPrincipal: [UInt8]? = []
  public var clientHostAddress: [UInt8] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.bytes(&requestData)
    try c.nullableBytes(&requestPrincipal)
    try c.bytes(&clientHostAddress)
  }
}

/// The controller's answer to the client's request.
public struct EnvelopeResponse: ResponseBody {
  public typealias Request = EnvelopeRequest

  public var responseData: [UInt8]?
  public var errorCode = ErrorCode.none

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableBytes(&responseData)
    try c.errorCode(&errorCode)
  }
}
