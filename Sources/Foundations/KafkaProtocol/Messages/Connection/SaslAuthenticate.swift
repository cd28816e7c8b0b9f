public import Vocabulary
public import Wire

/// One message of the client in the SASL exchange (KIP-152).
public struct SaslAuthenticateRequest: RequestBody {
  public typealias Response = SaslAuthenticateResponse
  public static let key = APIKey.saslAuthenticate
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 2

  public var authBytes: [UInt8] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.bytes(&authBytes)
  }
}

/// One message of the broker. v1 limits the session's life (KIP-368).
public struct SaslAuthenticateResponse: ResponseBody {
  public typealias Request = SaslAuthenticateRequest

  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var authBytes: [UInt8] = []
  public var sessionLifetimeMs: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.bytes(&authBytes)
    if c.version >= 1 { try c.int64(&sessionLifetimeMs) }
  }
}
