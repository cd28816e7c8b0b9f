public import Vocabulary
public import Wire

/// Asks for the quotas of clients (KIP-546).
public struct DescribeClientQuotasRequest: RequestBody {
  public typealias Response = DescribeClientQuotasResponse
  public static let key = APIKey.describeClientQuotas
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var components: [Component] = []
  public var strict = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&components)
    try c.bool(&strict)
  }
}

extension DescribeClientQuotasRequest {
  public struct Component: WireStruct {
    public var entityType = ""
    public var matchType: Int8 = 0
    public var match: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&entityType)
      try c.int8(&matchType)
      try c.nullableString(&match)
    }
  }
}

/// The quotas that match.
public struct DescribeClientQuotasResponse: ResponseBody {
  public typealias Request = DescribeClientQuotasRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var entries: [Entry]? = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    try c.nullableArray(&entries)
  }
}

extension DescribeClientQuotasResponse {
  public struct Entry: WireStruct {
    public var entity: [Entity] = []
    public var values: [Value] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.array(&entity)
      try c.array(&values)
    }
  }

  public struct Entity: WireStruct {
    public var entityType = ""
    public var entityName: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&entityType)
      try c.nullableString(&entityName)
    }
  }

  public struct Value: WireStruct {
    public var key = ""
    public var value: Double = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&key)
      try c.float64(&value)
    }
  }
}
