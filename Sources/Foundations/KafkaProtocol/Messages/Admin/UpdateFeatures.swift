public import Vocabulary
public import Wire

/// Sets the levels of finalized features (KIP-584).
public struct UpdateFeaturesRequest: RequestBody {
  public typealias Response = UpdateFeaturesResponse
  public static let key = APIKey.updateFeatures
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var timeoutMs: Int32 = 60000
  public var featureUpdates: [FeatureUpdate] = []
  public var validateOnly = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&timeoutMs)
    try c.array(&featureUpdates)
    if c.version >= 1 { try c.bool(&validateOnly) }
  }
}

extension UpdateFeaturesRequest {
  public struct FeatureUpdate: WireStruct {
    public var feature = ""
    public var maxVersionLevel: Int16 = 0
    public var allowDowngrade = false
    public var upgradeType: Int8 = 1

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&feature)
      try c.int16(&maxVersionLevel)
      if c.version == 0 { try c.bool(&allowDowngrade) }
      if c.version >= 1 { try c.int8(&upgradeType) }
    }
  }
}

/// Whether the levels were set.
public struct UpdateFeaturesResponse: ResponseBody {
  public typealias Request = UpdateFeaturesRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var results: [Feature] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
    if c.version <= 1 { try c.array(&results) }
  }
}

extension UpdateFeaturesResponse {
  public struct Feature: WireStruct {
    public var feature = ""
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&feature)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
