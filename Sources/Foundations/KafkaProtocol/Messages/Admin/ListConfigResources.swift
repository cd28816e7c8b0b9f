public import Vocabulary
public import Wire

/// Asks which resources have configurations: in v0 those of client metrics (KIP-714), in v1 any (KIP-1142).
public struct ListConfigResourcesRequest: RequestBody {
  public typealias Response = ListConfigResourcesResponse
  public static let key = APIKey.listConfigResources
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var resourceTypes: [Int8] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.array(&resourceTypes) }
  }
}

/// The resources that have configurations.
public struct ListConfigResourcesResponse: ResponseBody {
  public typealias Request = ListConfigResourcesRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var configResources: [ConfigResource] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.array(&configResources)
  }
}

extension ListConfigResourcesResponse {
  public struct ConfigResource: WireStruct {
    public var resourceName = ""
    public var resourceType: Int8 = 16

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&resourceName)
      if c.version >= 1 { try c.int8(&resourceType) }
    }
  }
}
