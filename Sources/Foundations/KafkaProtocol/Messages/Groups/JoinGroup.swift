public import Vocabulary
public import Wire

/// A member of a classic group joins, or rejoins after the group began to rebalance.
///
/// v4 makes the member come back with the id it was given (KIP-394), v5 adds static members (KIP-345).
public struct JoinGroupRequest: RequestBody {
  public typealias Response = JoinGroupResponse
  public static let key = APIKey.joinGroup
  public static let versions: ClosedRange<Int16> = 0...9
  public static let flexibleSince: Int16 = 6

  public var groupID = ""
  public var sessionTimeoutMs: Int32 = 0
  /// In v0 the session timeout stands for it.
  public var rebalanceTimeoutMs: Int32 = -1
  public var memberID = ""
  /// Static members (KIP-345).
  public var groupInstanceID: String?
  public var protocolType = ""
  public var protocols: [GroupProtocol] = []
  /// Why the member joins, for the log (KIP-800).
  public var reason: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.int32(&sessionTimeoutMs)
    if c.version >= 1 { try c.int32(&rebalanceTimeoutMs) }
    try c.string(&memberID)
    if c.version >= 5 { try c.nullableString(&groupInstanceID) }
    try c.string(&protocolType)
    try c.array(&protocols)
    if c.version >= 8 { try c.nullableString(&reason) }
  }
}

extension JoinGroupRequest {
  public struct GroupProtocol: WireStruct {
    public var name = ""
    public var metadata: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.bytes(&metadata)
    }
  }
}

/// What a member needs to take part in its generation; the leader also gets all members.
public struct JoinGroupResponse: ResponseBody {
  public typealias Request = JoinGroupRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var generationID: Int32 = -1
  public var protocolType: String?
  public var protocolName: String? = ""
  public var leader = ""
  /// The leader must not compute an assignment (KIP-814).
  public var skipAssignment = false
  public var memberID = ""
  public var members: [Member] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 2 { try c.int32(&throttleTimeMs) }
    try c.errorCode(&errorCode)
    try c.int32(&generationID)
    if c.version >= 7 { try c.nullableString(&protocolType) }
    try c.nullableString(&protocolName, since: 7)
    try c.string(&leader)
    if c.version >= 9 { try c.bool(&skipAssignment) }
    try c.string(&memberID)
    try c.array(&members)
  }
}

extension JoinGroupResponse {
  public struct Member: WireStruct {
    public var memberID = ""
    public var groupInstanceID: String?
    public var metadata: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      if c.version >= 5 { try c.nullableString(&groupInstanceID) }
      try c.bytes(&metadata)
    }
  }
}
