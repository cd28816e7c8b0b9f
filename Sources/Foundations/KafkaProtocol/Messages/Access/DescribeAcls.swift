public import Vocabulary
public import Wire

/// Asks for the access control entries that match a filter.
public struct DescribeAclsRequest: RequestBody {
  public typealias Response = DescribeAclsResponse
  public static let key = APIKey.describeAcls
  public static let versions: ClosedRange<Int16> = 1...3
  public static let flexibleSince: Int16 = 2

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

/// The entries that match.
public struct DescribeAclsResponse: ResponseBody {
  public typealias Request = DescribeAclsRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var resources: [Resource] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.array(&resources)
  }
}

extension DescribeAclsResponse {
  public struct Resource: WireStruct {
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var patternType: Int8 = 3
    public var acls: [AclDescription] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.int8(&patternType)
      try c.array(&acls)
    }
  }

  public struct AclDescription: WireStruct {
    public var principal = ""
    public var host = ""
    public var operation: Int8 = 0
    public var permissionType: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&principal)
      try c.string(&host)
      try c.int8(&operation)
      try c.int8(&permissionType)
    }
  }
}
