public import Vocabulary
public import Wire

/// A partition was created, or is written anew in a snapshot.
public struct PartitionRecord: MetadataRecordBody {
  public static let type: UInt32 = 3
  public static let versions: ClosedRange<Int16> = 0...2

  public var partitionID: Int32 = -1
  public var topicID = UniqueID.zero
  public var replicas: [Int32] = []
  public var isr: [Int32] = []
  public var removingReplicas: [Int32] = []
  public var addingReplicas: [Int32] = []
  public var leader: Int32 = -1
  public var leaderRecoveryState: Int8 = 0
  public var leaderEpoch: Int32 = -1
  public var partitionEpoch: Int32 = -1
  public var directories: [UniqueID] = []
  /// Replicas that have every committed record although they left the in-sync set (KIP-966).
  public var eligibleLeaderReplicas: [Int32]?
  public var lastKnownElr: [Int32]?
  /// Replicas that only copy. Not a field of Kafka's, which passes over the tag.
  public var observers: [Int32]?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&partitionID)
    try c.uuid(&topicID)
    try c.array(&replicas)
    try c.array(&isr)
    try c.array(&removingReplicas)
    try c.array(&addingReplicas)
    try c.int32(&leader)
    try c.int32(&leaderEpoch)
    try c.int32(&partitionEpoch)
    if c.version >= 1 { try c.array(&directories) }
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &leaderRecoveryState, absent: 0)
    if c.version >= 2 {
      try c.tagged(1, &eligibleLeaderReplicas, absent: nil)
      try c.tagged(2, &lastKnownElr, absent: nil)
    }
    try c.tagged(10_000, &observers, absent: nil)
  }
}

/// What changed about a partition; what is not there stays as it was.
public struct PartitionChangeRecord: MetadataRecordBody {
  public static let type: UInt32 = 5
  public static let versions: ClosedRange<Int16> = 0...2

  public var partitionID: Int32 = -1
  public var topicID = UniqueID.zero
  /// Null: unchanged.
  public var isr: [Int32]?
  /// -2: unchanged, -1: there is none.
  public var leader: Int32 = -2
  /// Null: unchanged.
  public var replicas: [Int32]?
  public var removingReplicas: [Int32]?
  public var addingReplicas: [Int32]?
  /// -1: unchanged.
  public var leaderRecoveryState: Int8 = -1
  public var directories: [UniqueID]?
  /// KIP-966.
  public var eligibleLeaderReplicas: [Int32]?
  public var lastKnownElr: [Int32]?
  /// Replicas that only copy. Not a field of Kafka's, which passes over the tag.
  public var observers: [Int32]?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&partitionID)
    try c.uuid(&topicID)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &isr, absent: nil)
    try c.tagged(1, &leader, absent: -2)
    try c.tagged(2, &replicas, absent: nil)
    try c.tagged(3, &removingReplicas, absent: nil)
    try c.tagged(4, &addingReplicas, absent: nil)
    try c.tagged(5, &leaderRecoveryState, absent: -1)
    if c.version >= 2 {
      try c.tagged(6, &eligibleLeaderReplicas, absent: nil)
      try c.tagged(7, &lastKnownElr, absent: nil)
    }
    if c.version >= 1 { try c.tagged(8, &directories, absent: nil) }
    try c.tagged(10_000, &observers, absent: nil)
  }
}
