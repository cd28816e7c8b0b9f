public import Vocabulary
public import Wire

/// A broker that starts registers with the controller and gets its epoch (KIP-631).
public struct BrokerRegistrationRequest: RequestBody {
  public typealias Response = BrokerRegistrationResponse
  public static let key = APIKey.brokerRegistration
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 0

  public var brokerID: Int32 = 0
  public var clusterID = ""
  public var incarnationID = UniqueID.zero
  public var listeners: [Listener] = []
  public var features: [Feature] = []
  public var rack: String? = ""
  public var isMigratingZkBroker = false
  public var logDirs: [UniqueID] = []
  /// The epoch before the last clean shutdown (KIP-966).
  public var previousBrokerEpoch: Int64 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.string(&clusterID)
    try c.uuid(&incarnationID)
    try c.array(&listeners)
    try c.array(&features)
    try c.nullableString(&rack)
    if c.version >= 1 { try c.bool(&isMigratingZkBroker) }
    if c.version >= 2 { try c.array(&logDirs) }
    if c.version >= 3 { try c.int64(&previousBrokerEpoch) }
  }
}

extension BrokerRegistrationRequest {
  public struct Listener: WireStruct {
    public var name = ""
    public var host = ""
    public var port: UInt16 = 0
    public var securityProtocol: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.string(&host)
      try c.uint16(&port)
      try c.int16(&securityProtocol)
    }
  }

  public struct Feature: WireStruct {
    public var name = ""
    public var minSupportedVersion: Int16 = 0
    public var maxSupportedVersion: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.int16(&minSupportedVersion)
      try c.int16(&maxSupportedVersion)
    }
  }
}

/// The broker's epoch.
public struct BrokerRegistrationResponse: ResponseBody {
  public typealias Request = BrokerRegistrationRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var brokerEpoch: Int64 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.int64(&brokerEpoch)
  }
}
