public import Vocabulary
public import Wire

/// A voter tells the leader its endpoints and its kraft.version range (KIP-853).
public struct UpdateRaftVoterRequest: RequestBody {
  public typealias Response = UpdateRaftVoterResponse
  public static let key = APIKey.updateRaftVoter
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var clusterID: String? = ""
  public var currentLeaderEpoch: Int32 = 0
  public var voterID: Int32 = 0
  public var voterDirectoryID = UniqueID.zero
  public var listeners: [Listener] = []
  public var kRaftVersionFeature = KRaftVersionFeature()

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    try c.int32(&currentLeaderEpoch)
    try c.int32(&voterID)
    try c.uuid(&voterDirectoryID)
    try c.array(&listeners)
    try c.structure(&kRaftVersionFeature)
  }
}

extension UpdateRaftVoterRequest {
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

  public struct KRaftVersionFeature: WireStruct {
    public var minSupportedVersion: Int16 = 0
    public var maxSupportedVersion: Int16 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int16(&minSupportedVersion)
      try c.int16(&maxSupportedVersion)
    }
  }
}

/// Whether the update was taken, and who leads.
public struct UpdateRaftVoterResponse: ResponseBody {
  public typealias Request = UpdateRaftVoterRequest

  public var throttleTimeMs: Int32 = 0
  public var errorCode = ErrorCode.none
  public var currentLeader = CurrentLeader()

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&throttleTimeMs)
    try c.errorCode(&errorCode)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &currentLeader, absent: CurrentLeader())
  }
}

extension UpdateRaftVoterResponse {
  public struct CurrentLeader: WireStruct {
    public var leaderID: Int32 = -1
    public var leaderEpoch: Int32 = -1
    public var host = ""
    public var port: Int32 = 0

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&leaderID)
      try c.int32(&leaderEpoch)
      try c.string(&host)
      try c.int32(&port)
    }
  }
}
