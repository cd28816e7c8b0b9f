public import Vocabulary
public import Wire

/// The first record of a leader's epoch. v1 names voters by directory (KIP-853).
public struct LeaderChangeMessage: QuorumRecordBody {
  public static let versions: ClosedRange<Int16> = 0...1

  /// Also the version of the fields that follow.
  public var version: Int16 = 0
  public var leaderID: Int32 = 0
  public var voters: [Voter] = []
  public var grantingVoters: [Voter] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int16(&version)
    try c.int32(&leaderID)
    try c.array(&voters)
    try c.array(&grantingVoters)
  }
}

extension LeaderChangeMessage {
  public struct Voter: WireStruct {
    public var voterID: Int32 = 0
    public var voterDirectoryID = UniqueID.zero

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&voterID)
      if c.version >= 1 { try c.uuid(&voterDirectoryID) }
    }
  }
}

/// The first record of a snapshot (KIP-630).
public struct SnapshotHeaderRecord: QuorumRecordBody {
  public static let versions: ClosedRange<Int16> = 0...0

  /// Also the version of the fields that follow.
  public var version: Int16 = 0
  public var lastContainedLogTimestamp: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int16(&version)
    try c.int64(&lastContainedLogTimestamp)
  }
}

/// The last record of a snapshot (KIP-630).
public struct SnapshotFooterRecord: QuorumRecordBody {
  public static let versions: ClosedRange<Int16> = 0...0

  /// Also the version of the fields that follow.
  public var version: Int16 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int16(&version)
  }
}

/// The finalized level of kraft.version (KIP-853).
public struct KRaftVersionRecord: QuorumRecordBody {
  public static let versions: ClosedRange<Int16> = 0...0

  /// Also the version of the fields that follow.
  public var version: Int16 = 0
  public var kRaftVersion: Int16 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int16(&version)
    try c.int16(&kRaftVersion)
  }
}

/// The voters of the metadata log from here on (KIP-853).
public struct VotersRecord: QuorumRecordBody {
  public static let versions: ClosedRange<Int16> = 0...0

  /// Also the version of the fields that follow.
  public var version: Int16 = 0
  public var voters: [Voter] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int16(&version)
    try c.array(&voters)
  }
}

extension VotersRecord {
  public struct Voter: WireStruct {
    public var voterID: Int32 = 0
    public var voterDirectoryID = UniqueID.zero
    public var endpoints: [Endpoint] = []
    public var kRaftVersionFeature = KRaftVersionFeature()

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&voterID)
      try c.uuid(&voterDirectoryID)
      try c.array(&endpoints)
      try c.structure(&kRaftVersionFeature)
    }
  }

  public struct Endpoint: WireStruct {
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
