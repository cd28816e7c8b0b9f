public import Vocabulary
public import Wire

/// Removes a voter from the quorum (KIP-853).
public struct RemoveRaftVoterRequest: RequestBody {
  public typealias Response = RemoveRaftVoterResponse
  public static let key = APIKey.removeRaftVoter
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var clusterID: String? = ""
  public var voterID: Int32 = 0
  public var voterDirectoryID = UniqueID.zero

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&clusterID)
    try c.int32(&voterID)
    try c.uuid(&voterDirectoryID)
  }
}

/// Whether the voter was removed.
public struct RemoveRaftVoterResponse: ResponseBody {
  public typealias Request = RemoveRaftVoterRequest

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
