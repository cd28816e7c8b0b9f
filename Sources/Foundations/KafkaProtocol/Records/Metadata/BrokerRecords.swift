public import Vocabulary
public import Wire

/// A broker has registered. It is fenced until it has caught up.
public struct RegisterBrokerRecord: MetadataRecordBody {
  public static let type: UInt32 = 0
  public static let versions: ClosedRange<Int16> = 0...3

  public var brokerID: Int32 = 0
  public var isMigratingZkBroker = false
  public var incarnationID = UniqueID.zero
  public var brokerEpoch: Int64 = 0
  public var endPoints: [Endpoint] = []
  public var features: [Feature] = []
  public var rack: String? = ""
  public var fenced = true
  public var inControlledShutdown = false
  public var logDirs: [UniqueID] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    if c.version >= 2 { try c.bool(&isMigratingZkBroker) }
    try c.uuid(&incarnationID)
    try c.int64(&brokerEpoch)
    try c.array(&endPoints)
    try c.array(&features)
    try c.nullableString(&rack)
    try c.bool(&fenced)
    if c.version >= 1 { try c.bool(&inControlledShutdown) }
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 3 { try c.tagged(0, &logDirs, absent: []) }
  }
}

extension RegisterBrokerRecord {
  public struct Endpoint: WireStruct {
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

/// A broker's registration was removed.
public struct UnregisterBrokerRecord: MetadataRecordBody {
  public static let type: UInt32 = 1
  public static let versions: ClosedRange<Int16> = 0...0

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
  }
}

/// A broker was fenced, unfenced, began its shutdown, or changed its log directories.
public struct BrokerRegistrationChangeRecord: MetadataRecordBody {
  public static let type: UInt32 = 17
  public static let versions: ClosedRange<Int16> = 0...2

  public var brokerID: Int32 = 0
  public var brokerEpoch: Int64 = 0
  /// -1: unfenced, 0: unchanged, 1: fenced.
  public var fenced: Int8 = 0
  /// 0: unchanged, 1: in controlled shutdown.
  public var inControlledShutdown: Int8 = 0
  public var logDirs: [UniqueID] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&brokerID)
    try c.int64(&brokerEpoch)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &fenced, absent: 0)
    if c.version >= 1 { try c.tagged(1, &inControlledShutdown, absent: 0) }
    if c.version >= 2 { try c.tagged(2, &logDirs, absent: []) }
  }
}
