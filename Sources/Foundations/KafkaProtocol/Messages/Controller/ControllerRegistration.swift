public import Vocabulary
public import Wire

/// A controller registers its endpoints and features with the active controller (KIP-919).
public struct ControllerRegistrationRequest: RequestBody {
  public typealias Response = ControllerRegistrationResponse
  public static let key = APIKey.controllerRegistration
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var controllerID: Int32 = 0
  public var incarnationID = UniqueID.zero
  public var zkMigrationReady = false
  public var listeners: [Listener] = []
  public var features: [Feature] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&controllerID)
    try c.uuid(&incarnationID)
    try c.bool(&zkMigrationReady)
    try c.array(&listeners)
    try c.array(&features)
  }
}

extension ControllerRegistrationRequest {
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

/// Whether the registration was taken.
public struct ControllerRegistrationResponse: ResponseBody {
  public typealias Request = ControllerRegistrationRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
    try c.nullableString(&errorMessage)
  }
}
