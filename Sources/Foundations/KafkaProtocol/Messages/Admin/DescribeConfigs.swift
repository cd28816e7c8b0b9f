public import Vocabulary
public import Wire

/// Asks for the configuration of topics, brokers, groups and client metrics.
public struct DescribeConfigsRequest: RequestBody {
  public typealias Response = DescribeConfigsResponse
  public static let key = APIKey.describeConfigs
  public static let versions: ClosedRange<Int16> = 1...4
  public static let flexibleSince: Int16 = 4

  public var resources: [Resource] = []
  public var includeSynonyms = false
  public var includeDocumentation = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&resources)
    try c.bool(&includeSynonyms)
    if c.version >= 3 { try c.bool(&includeDocumentation) }
  }
}

extension DescribeConfigsRequest {
  public struct Resource: WireStruct {
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var configurationKeys: [String]? = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.nullableArray(&configurationKeys)
    }
  }
}

/// Configurations, and where each value comes from (KIP-226).
public struct DescribeConfigsResponse: ResponseBody {
  public typealias Request = DescribeConfigsRequest

  public var throttleTimeMs: Int32 = 0
  public var results: [Resource] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&results)
  }
}

extension DescribeConfigsResponse {
  public struct Resource: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var resourceType: Int8 = 0
    public var resourceName = ""
    public var configs: [Config] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.int8(&resourceType)
      try c.string(&resourceName)
      try c.array(&configs)
    }
  }

  public struct Config: WireStruct {
    public var name = ""
    public var value: String? = ""
    public var readOnly = false
    public var configSource: Int8 = -1
    public var isSensitive = false
    public var synonyms: [Synonym] = []
    public var configType: Int8 = 0
    public var documentation: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.nullableString(&value)
      try c.bool(&readOnly)
      try c.int8(&configSource)
      try c.bool(&isSensitive)
      try c.array(&synonyms)
      if c.version >= 3 {
        try c.int8(&configType)
        try c.nullableString(&documentation)
      }
    }
  }

  public struct Synonym: WireStruct {
    public var name = ""
    public var value: String? = ""
    public var source: Int8 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.nullableString(&value)
      try c.int8(&source)
    }
  }
}
