public import Vocabulary
public import Wire

/// Asks which broker coordinates a group, a transactional id or a share partition. v4 asks for many at once (KIP-699).
public struct FindCoordinatorRequest: RequestBody {
  public typealias Response = FindCoordinatorResponse
  public static let key = APIKey.findCoordinator
  public static let versions: ClosedRange<Int16> = 0...6
  public static let flexibleSince: Int16 = 3

  public var key = ""
  /// 0: group, 1: transactional id, 2: share partition.
  public var keyType: Int8 = 0
  public var coordinatorKeys: [String] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version <= 3 { try c.string(&key) }
    if c.version >= 1 { try c.int8(&keyType) }
    if c.version >= 4 { try c.array(&coordinatorKeys) }
  }
}

/// The coordinator of each key.
public struct FindCoordinatorResponse: ResponseBody {
  public typealias Request = FindCoordinatorRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var errorMessage: String? = ""
  public var nodeID: Int32 = 0
  public var host = ""
  public var port: Int32 = 0
  public var coordinators: [Coordinator] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    if c.version >= 1 { try c.int32(&throttleTimeMs) }
    if c.version <= 3 { try c.errorCode(&errorCode) }
    if (1...3).contains(c.version) { try c.nullableString(&errorMessage) }
    if c.version <= 3 {
      try c.int32(&nodeID)
      try c.string(&host)
      try c.int32(&port)
    }
    if c.version >= 4 { try c.array(&coordinators) }
  }
}

extension FindCoordinatorResponse {
  public struct Coordinator: WireStruct {
    public var key = ""
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String? = ""

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&key)
      try c.int32(&nodeID)
      try c.string(&host)
      try c.int32(&port)
      try c.errorCode(&errorCode)
      try c.nullableString(&errorMessage)
    }
  }
}
