public import Vocabulary
public import Wire

/// Asks for the state and the members of classic groups.
public struct DescribeGroupsRequest: RequestBody {
  public typealias Response = DescribeGroupsResponse
  public static let key = APIKey.describeGroups
  public static let versions: ClosedRange<Int16> = 0...6
  public static let flexibleSince: Int16 = 5

  public var groups: [String] = []
  public var includeAuthorizedOperations = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&groups)
    if c.version >= 3 { try c.bool(&includeAuthorizedOperations) }
  }
}

/// Classic groups and their members. v6 says why a group is not there (KIP-1043).
public struct DescribeGroupsResponse: ResponseBody {
  public typealias Request = DescribeGroupsRequest

  public var throttleTimeMs: Int32 = 0
  public var groups: [Group] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    try c.array(&groups)
  }
}

extension DescribeGroupsResponse {
  public struct Group: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var groupID = ""
    public var groupState = ""
    public var protocolType = ""
    public var protocolData = ""
    public var members: [Member] = []
    public var authorizedOperations: Int32 = .min

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      if c.version >= 6 { try c.nullableString(&errorMessage) }
      try c.string(&groupID)
      try c.string(&groupState)
      try c.string(&protocolType)
      try c.string(&protocolData)
      try c.array(&members)
      if c.version >= 3 { try c.int32(&authorizedOperations) }
    }
  }

  public struct Member: WireStruct {
    public var memberID = ""
    public var groupInstanceID: String?
    public var clientID = ""
    public var clientHost = ""
    public var memberMetadata: [UInt8] = []
    public var memberAssignment: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      if c.version >= 4 { try c.nullableString(&groupInstanceID) }
      try c.string(&clientID)
      try c.string(&clientHost)
      try c.bytes(&memberMetadata)
      try c.bytes(&memberAssignment)
    }
  }
}
