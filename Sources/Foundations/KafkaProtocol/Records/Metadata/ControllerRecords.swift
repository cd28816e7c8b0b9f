public import Vocabulary
public import Wire

/// A controller has registered its endpoints and features (KIP-919).
public struct RegisterControllerRecord: MetadataRecordBody {
  public static let type: UInt32 = 27
  public static let versions: ClosedRange<Int16> = 0...0

  public var controllerID: Int32 = 0
  public var incarnationID = UniqueID.zero
  public var zkMigrationReady = false
  public var endPoints: [Endpoint] = []
  public var features: [Feature] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&controllerID)
    try c.uuid(&incarnationID)
    try c.bool(&zkMigrationReady)
    try c.array(&endPoints)
    try c.array(&features)
  }
}

extension RegisterControllerRecord {
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
