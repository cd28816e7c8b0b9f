public import Vocabulary
public import Wire

/// The leader of a classic group hands in the assignments; everybody else asks for theirs.
public struct SyncGroupRequest: RequestBody {
  public typealias Response = SyncGroupResponse
  public static let key = APIKey.syncGroup
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 4

  public var groupID = ""
  public var generationID: Int32 = 0
  public var memberID = ""
  public var groupInstanceID: String?
  /// Must be the one that JoinGroup answered (KIP-559).
  public var protocolType: String?
  public var protocolName: String?
  public var assignments: [Assignment] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&groupID)
    try c.int32(&generationID)
    try c.string(&memberID)
    if c.version >= 3 { try c.nullableString(&groupInstanceID) }
    if c.version >= 5 {
      try c.nullableString(&protocolType)
      try c.nullableString(&protocolName)
    }
    try c.array(&assignments)
  }
}

extension SyncGroupRequest {
  public struct Assignment: WireStruct {
    public var memberID = ""
    public var assignment: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      try c.bytes(&assignment)
    }
  }
}

/// One member's assignment.
public struct SyncGroupResponse: ResponseBody {
  public typealias Request = SyncGroupRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var protocolType: String?
  public var protocolName: String?
  public var assignment: [UInt8] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    try c.errorCode(&errorCode)
    if c.version >= 5 {
      try c.nullableString(&protocolType)
      try c.nullableString(&protocolName)
    }
    try c.bytes(&assignment)
  }
}
