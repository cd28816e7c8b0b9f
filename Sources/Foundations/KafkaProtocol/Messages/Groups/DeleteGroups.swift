public import Vocabulary
public import Wire

/// Deletes empty groups (KIP-229).
public struct DeleteGroupsRequest: RequestBody {
  public typealias Response = DeleteGroupsResponse
  public static let key = APIKey.deleteGroups
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 2

  public var groupsNames: [String] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&groupsNames)
  }
}

/// Whether each group was deleted.
public struct DeleteGroupsResponse: ResponseBody {
  public typealias Request = DeleteGroupsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [Group] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension DeleteGroupsResponse {
  public struct Group: WireStruct {
    public var groupID = ""
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&groupID)
      try c.errorCode(&errorCode)
    }
  }
}
