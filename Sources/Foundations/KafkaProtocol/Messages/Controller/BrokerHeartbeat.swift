public import Vocabulary
public import Wire

/// A broker says that it is alive, how far it has read the metadata log, and what it wants (KIP-631).
public struct BrokerHeartbeatRequest: RequestBody {
  public typealias Response = BrokerHeartbeatResponse
  public static let key = APIKey.brokerHeartbeat
  public static let versions: ClosedRange<Int16> = 0...2
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = -1
  public var currentMetadataOffset: Int64 = 0
  public var wantFence = false
  public var wantShutDown = false
  public var offlineLogDirs: [UniqueID] = []
  /// KIP-1066.
  public var cordonedLogDirs: [UniqueID] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
    try c.int64(&currentMetadataOffset)
    try c.bool(&wantFence)
    try c.bool(&wantShutDown)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.tagged(0, &offlineLogDirs, absent: []) }
    if c.version >= 2 { try c.tagged(1, &cordonedLogDirs, absent: []) }
  }
}

/// Whether the broker is fenced, caught up, or may shut down.
public struct BrokerHeartbeatResponse: ResponseBody {
  public typealias Request = BrokerHeartbeatRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var isCaughtUp = false
  public var isFenced = true
  public var shouldShutDown = false

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.bool(&isCaughtUp)
    try c.bool(&isFenced)
    try c.bool(&shouldShutDown)
  }
}
