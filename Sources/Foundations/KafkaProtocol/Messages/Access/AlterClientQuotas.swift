public import Vocabulary
public import Wire

/// Changes the quotas of clients (KIP-546).
public struct AlterClientQuotasRequest: RequestBody {
  public typealias Response = AlterClientQuotasResponse
  public static let key = APIKey.alterClientQuotas
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 1

  public var entries: [Entry] = []
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&entries)
    try c.bool(&validateOnly)
  }
}

extension AlterClientQuotasRequest {
  public struct Entry: WireStruct {
    public var entity: [Entity] = []
    public var ops: [Operation] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.array(&entity)
      try c.array(&ops)
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

  public struct Operation: WireStruct {
    public var key = ""
    public var value: Double = 0
    public var remove = false

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&key)
      try c.float64(&value)
      try c.bool(&remove)
    }
  }
}

/// Whether each entity's quotas were changed.
public struct AlterClientQuotasResponse: ResponseBody {
  public typealias Request = AlterClientQuotasRequest

  public var throttleTimeMs: Int32 = 0
  public var entries: [Entry] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.array(&entries)
  }
}

extension AlterClientQuotasResponse {
  public struct Entry: WireStruct {
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""
    public var entity: [Entity] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
      try c.array(&entity)
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
}
