public import Vocabulary
public import Wire

/// Asks which requests the broker understands. Always the first request of a connection.
///
/// v3 is flexible and names the client's software (KIP-511).
public struct ApiVersionsRequest: RequestBody {
  public typealias Response = ApiVersionsResponse
  public static let key = APIKey.apiVersions
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 3

  public var clientSoftwareName = ""
  public var clientSoftwareVersion = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 {
      try c.string(&clientSoftwareName)
      try c.string(&clientSoftwareVersion)
    }
  }
}

/// The requests that a broker understands, and the cluster's features (KIP-584).
///
/// Its header is never flexible. To a request of a version that the broker does not know it answers in v0.
public struct ApiVersionsResponse: ResponseBody {
  public typealias Request = ApiVersionsRequest

  public var errorCode = ErrorCode.none
  public var apiKeys: [APIVersion] = []
  public var throttleTimeMs: Int32 = 0
  public var supportedFeatures: [SupportedFeatureKey] = []
  /// Rises with every change of finalized features; -1 when it is unknown.
  public var finalizedFeaturesEpoch: Int64 = -1
  public var finalizedFeatures: [FinalizedFeatureKey] = []
  /// Whether migration from ZooKeeper may begin: never again.
  public var zkMigrationReady = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.errorCode(&errorCode)
    try c.array(&apiKeys)
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 {
      try c.tagged(0, &supportedFeatures, absent: [])
      try c.tagged(1, &finalizedFeaturesEpoch, absent: -1)
      try c.tagged(2, &finalizedFeatures, absent: [])
      try c.tagged(3, &zkMigrationReady, absent: false)
    }
  }
}

extension ApiVersionsResponse {
  public struct APIVersion: WireStruct {
    public var apiKey: Int16 = 0
    public var minVersion: Int16 = 0
    public var maxVersion: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int16(&apiKey)
      try c.int16(&minVersion)
      try c.int16(&maxVersion)
    }
  }

  public struct SupportedFeatureKey: WireStruct {
    public var name = ""
    public var minVersion: Int16 = 0
    public var maxVersion: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int16(&minVersion)
      try c.int16(&maxVersion)
    }
  }

  public struct FinalizedFeatureKey: WireStruct {
    public var name = ""
    public var maxVersionLevel: Int16 = 0
    public var minVersionLevel: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int16(&maxVersionLevel)
      try c.int16(&minVersionLevel)
    }
  }
}
