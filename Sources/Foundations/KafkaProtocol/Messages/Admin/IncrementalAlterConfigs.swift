public import Vocabulary
public import Wire

/// Sets, deletes, appends to or subtracts from single keys of configurations (KIP-339).
public struct IncrementalAlterConfigsRequest: RequestBody {
  public typealias Response = IncrementalAlterConfigsResponse
  public static let key = APIKey.incrementalAlterConfigs
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var resources: [Resource] = []
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&resources)
    try c.bool(&validateOnly)
  }
}

extension IncrementalAlterConfigsRequest {
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
    public var configOperation: Int8 = 0
    public var value: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int8(&configOperation)
      try c.nullableString(&value)
    }
  }
}

/// Whether each resource was changed.
public struct IncrementalAlterConfigsResponse: ResponseBody {
  public typealias Request = IncrementalAlterConfigsRequest

  public var throttleTimeMs: Int32 = 0
  public var responses: [Resource] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&responses)
  }
}

extension IncrementalAlterConfigsResponse {
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
