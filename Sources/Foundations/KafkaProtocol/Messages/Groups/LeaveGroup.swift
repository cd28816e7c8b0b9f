public import Vocabulary
public import Wire

/// Members leave a classic group at once instead of by timeout. v3 takes many (KIP-345).
public struct LeaveGroupRequest: RequestBody {
  public typealias Response = LeaveGroupResponse
  public static let key = APIKey.leaveGroup
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 4

  public var groupID = ""
  public var memberID = ""
  public var members: [MemberIdentity] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    if c.version <= 2 { try c.string(&memberID) }
    if c.version >= 3 { try c.array(&members) }
  }
}

extension LeaveGroupRequest {
  public struct MemberIdentity: WireStruct {
    public var memberID = ""
    public var groupInstanceID: String?
    /// KIP-800.
    public var reason: String?

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      try c.nullableString(&groupInstanceID)
      if c.version >= 5 { try c.nullableString(&reason) }
    }
  }
}

/// Whether each member was removed.
public struct LeaveGroupResponse: ResponseBody {
  public typealias Request = LeaveGroupRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var members: [Member] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    try c.errorCode(&errorCode)
    if c.version >= 3 { try c.array(&members) }
  }
}

extension LeaveGroupResponse {
  public struct Member: WireStruct {
    public var memberID = ""
    public var groupInstanceID: String? = ""
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      try c.nullableString(&groupInstanceID)
      try c.errorCode(&errorCode)
    }
  }
}
