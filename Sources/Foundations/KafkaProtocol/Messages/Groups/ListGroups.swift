public import Vocabulary
public import Wire

/// Asks for the groups that a broker coordinates.
public struct ListGroupsRequest: RequestBody {
  public typealias Response = ListGroupsResponse
  public static let key = APIKey.listGroups
  public static let versions: ClosedRange<Int16> = 0...5
  public static let flexibleSince: Int16 = 3

  /// KIP-518.
  public var statesFilter: [String] = []
  /// KIP-848.
  public var typesFilter: [String] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 4 { try c.array(&statesFilter) }
    if c.version >= 5 { try c.array(&typesFilter) }
  }
}

/// The groups that one broker coordinates.
public struct ListGroupsResponse: ResponseBody {
  public typealias Request = ListGroupsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var groups: [Group] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    try c.errorCode(&errorCode)
    try c.array(&groups)
  }
}

extension ListGroupsResponse {
  public struct Group: WireStruct {
    public var groupID = ""
    public var protocolType = ""
    public var groupState = ""
    public var groupType = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&groupID)
      try c.string(&protocolType)
      if c.version >= 4 { try c.string(&groupState) }
      if c.version >= 5 { try c.string(&groupType) }
    }
  }
}
