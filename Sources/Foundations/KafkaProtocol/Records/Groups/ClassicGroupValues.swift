public import Wire

/// How far a group has read one partition.
///
/// Version 3 is written: 4 would be unreadable after a downgrade (KIP-915).
public struct OffsetCommitValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 4
  public static let written: Int16 = 3

  public var offset: Int64 = 0
  public var leaderEpoch: Int32 = -1
  public var metadata = ""
  public var commitTimestamp: Int64 = 0
  /// v1 only.
  public var expireTimestamp: Int64 = -1

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int64(&offset)
    if c.version >= 3 { try c.int32(&leaderEpoch) }
    try c.string(&metadata)
    try c.int64(&commitTimestamp)
    if c.version == 1 { try c.int64(&expireTimestamp) }
  }
}

/// A classic group after its last rebalance.
///
/// Version 3 is written: 4 would be unreadable after a downgrade (KIP-915).
public struct GroupMetadataValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...4
  public static let flexibleSince: Int16 = 4
  public static let written: Int16 = 3

  public var protocolType = ""
  public var generation: Int32 = 0
  /// Null before the group has chosen one.
  public var `protocol`: String? = ""
  public var leader: String? = ""
  public var currentStateTimestamp: Int64 = -1
  public var members: [Member] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&protocolType)
    try c.int32(&generation)
    try c.nullableString(&`protocol`)
    try c.nullableString(&leader)
    if c.version >= 2 { try c.int64(&currentStateTimestamp) }
    try c.array(&members)
  }
}

extension GroupMetadataValue {
  public struct Member: WireStruct {
    public var memberID = ""
    public var groupInstanceID: String?
    public var clientID = ""
    public var clientHost = ""
    public var rebalanceTimeout: Int32 = -1
    public var sessionTimeout: Int32 = 0
    public var subscription: [UInt8] = []
    public var assignment: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&memberID)
      if c.version >= 3 { try c.nullableString(&groupInstanceID) }
      try c.string(&clientID)
      try c.string(&clientHost)
      if c.version >= 1 { try c.int32(&rebalanceTimeout) }
      try c.int32(&sessionTimeout)
      try c.bytes(&subscription)
      try c.bytes(&assignment)
    }
  }
}
