public import Vocabulary
public import Wire

/// Adds a voter to the quorum (KIP-853). v1 chooses between an answer after the commit and before it (KIP-1186).
public struct AddRaftVoterRequest: RequestBody {
  public typealias Response = AddRaftVoterResponse
  public static let key = APIKey.addRaftVoter
  public static let versions: ClosedRange<Int16> = 0...1
  public static let flexibleSince: Int16 = 0

  public var clusterID: String? = ""
  public var timeoutMs: Int32 = 0
  public var voterID: Int32 = 0
  public var voterDirectoryID = UniqueID.zero
  public var listeners: [Listener] = []
  /// Answer when the new set of voters is committed, not when it is in the leader's log (KIP-1186).
  public var ackWhenCommitted = true

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    try c.int32(&timeoutMs)
    try c.int32(&voterID)
    try c.uuid(&voterDirectoryID)
    try c.array(&listeners)
    if c.version >= 1 { try c.bool(&ackWhenCommitted) }
  }
}

extension AddRaftVoterRequest {
  public struct Listener: WireStruct {
    public var name = ""
    public var host = ""
    public var port: UInt16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.string(&host)
      try c.uint16(&port)
    }
  }
}

/// Whether the voter was added.
public struct AddRaftVoterResponse: ResponseBody {
  public typealias Request = AddRaftVoterRequest

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
