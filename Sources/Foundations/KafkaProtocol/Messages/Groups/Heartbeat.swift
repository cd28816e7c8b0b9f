public import Vocabulary
public import Wire

/// A member of a classic group says that it is alive.
public struct HeartbeatRequest: RequestBody {
  public typealias Response = HeartbeatResponse
  public static let key = APIKey.heartbeat
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 4

  public var groupID = ""
  public var generationID: Int32 = 0
  public var memberID = ""
  public var groupInstanceID: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.int32(&generationID)
    try c.string(&memberID)
    if c.version >= 3 { try c.nullableString(&groupInstanceID) }
  }
}

/// Whether the member is still in its generation.
public struct HeartbeatResponse: ResponseBody {
  public typealias Request = HeartbeatRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    try c.errorCode(&errorCode)
  }
}
