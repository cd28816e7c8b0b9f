public import Vocabulary
public import Wire

/// Creates access control entries.
public struct CreateAclsRequest: RequestBody {
  public typealias Response = CreateAclsResponse
  public static let key = APIKey.createAcls
  public static let versions: ClosedRange<Int16> = 1...3
  public static let flexibleSince: Int16 = 2

  public var creations: [AclCreation] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&creations)
  }
}

extension CreateAclsRequest {
  public struct AclCreation: WireStruct {
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var resourcePatternType: Int8 = 3
    public var principal = ""
    public var host = ""
    public var operation: Int8 = 0
    public var permissionType: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.int8(&resourcePatternType)
      try c.string(&principal)
      try c.string(&host)
      try c.int8(&operation)
      try c.int8(&permissionType)
    }
  }
}

/// Whether each entry was created.
public struct CreateAclsResponse: ResponseBody {
  public typealias Request = CreateAclsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [AclCreation] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension CreateAclsResponse {
  public struct AclCreation: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
