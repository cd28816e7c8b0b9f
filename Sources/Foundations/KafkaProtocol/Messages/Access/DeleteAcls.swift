public import Vocabulary
public import Wire

/// Deletes the access control entries that match filters.
public struct DeleteAclsRequest: RequestBody {
  public typealias Response = DeleteAclsResponse
  public static let key = APIKey.deleteAcls
  public static let versions: ClosedRange<Int16> = 1...3
  public static let flexibleSince: Int16 = 2

  public var filters: [Filter] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&filters)
  }
}

extension DeleteAclsRequest {
  public struct Filter: WireStruct {
    public var resourceTypeFilter: Int8 = 0
    public var resourceNameFilter: String? = ""
    public var patternTypeFilter: Int8 = 3
    public var principalFilter: String? = ""
    public var hostFilter: String? = ""
    public var operation: Int8 = 0
    public var permissionType: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&resourceTypeFilter)
      try c.nullableString(&resourceNameFilter)
      try c.int8(&patternTypeFilter)
      try c.nullableString(&principalFilter)
      try c.nullableString(&hostFilter)
      try c.int8(&operation)
      try c.int8(&permissionType)
    }
  }
}

/// Which entries each filter deleted.
public struct DeleteAclsResponse: ResponseBody {
  public typealias Request = DeleteAclsRequest

  public var throttleTimeMs: Int32 = 0
  public var filterResults: [Filter] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&filterResults)
  }
}

extension DeleteAclsResponse {
  public struct Filter: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var matchingAcls: [MatchingAcl] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.array(&matchingAcls)
    }
  }

  public struct MatchingAcl: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var patternType: Int8 = 3
    public var principal = ""
    public var host = ""
    public var operation: Int8 = 0
    public var permissionType: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.int8(&patternType)
      try c.string(&principal)
      try c.string(&host)
      try c.int8(&operation)
      try c.int8(&permissionType)
    }
  }
}
