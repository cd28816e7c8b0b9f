public import Vocabulary
public import Wire

/// Replaces whole configurations; IncrementalAlterConfigs changes single keys.
public struct AlterConfigsRequest: RequestBody {
  public typealias Response = AlterConfigsResponse
  public static let key = APIKey.alterConfigs
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 2

  public var resources: [Resource] = []
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&resources)
    try c.bool(&validateOnly)
  }
}

extension AlterConfigsRequest {
  public struct Resource: WireStruct {
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var configs: [Config] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.array(&configs)
    }
  }

  public struct Config: WireStruct {
    public var name = ""
    public var value: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.nullableString(&value)
    }
  }
}

/// Whether each configuration was replaced.
public struct AlterConfigsResponse: ResponseBody {
  public typealias Request = AlterConfigsRequest

  public var throttleTimeMs: Int32 = 0
  public var responses: [Resource] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&responses)
  }
}

extension AlterConfigsResponse {
  public struct Resource: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var resourceType: Int8 = 0
    public var resourceName = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.int8(&resourceType)
      try c.string(&resourceName)
    }
  }
}
