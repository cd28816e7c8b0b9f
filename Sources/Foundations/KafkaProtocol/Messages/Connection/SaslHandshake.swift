public import Vocabulary
public import Wire

/// Chooses the SASL mechanism.
public struct SaslHandshakeRequest: RequestBody {
  public typealias Response = SaslHandshakeResponse
  public static let key = APIKey.saslHandshake
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince = Int16.max

  public var mechanism = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&mechanism)
  }
}

/// Whether the mechanism is enabled, and which are.
public struct SaslHandshakeResponse: ResponseBody {
  public typealias Request = SaslHandshakeRequest

  public var errorCode = ErrorCode.none
  public var mechanisms: [String] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    try c.array(&mechanisms)
  }
}
