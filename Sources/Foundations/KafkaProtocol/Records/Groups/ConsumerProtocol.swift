public import Wire

/// What a consumer tells the leader of its classic group: the `metadata` of JoinGroup.
///
/// KIP-429 adds the owned partitions, KIP-792 the generation, KIP-881 the rack.
public struct ConsumerProtocolSubscription: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...3
  public static let flexibleSince = Int16.max
  public static let laterVersionsOnlyAdd = true

  public var topics: [String] = []
  public var userData: [UInt8]?
  public var ownedPartitions: [TopicPartitions] = []
  public var generationID: Int32 = -1
  public var rackID: String?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.nullableBytes(&userData)
    if c.version >= 1 { try c.array(&ownedPartitions) }
    if c.version >= 2 { try c.int32(&generationID) }
    if c.version >= 3 { try c.nullableString(&rackID) }
  }
}

extension ConsumerProtocolSubscription {
  public struct TopicPartitions: WireStruct {
    public var topic = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }
}

/// What the leader of a classic group tells a consumer: the `assignment` of SyncGroup.
public struct ConsumerProtocolAssignment: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...3
  public static let flexibleSince = Int16.max
  public static let laterVersionsOnlyAdd = true

  public var assignedPartitions: [TopicPartitions] = []
  public var userData: [UInt8]?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&assignedPartitions)
    try c.nullableBytes(&userData)
  }
}

extension ConsumerProtocolAssignment {
  public struct TopicPartitions: WireStruct {
    public var topic = ""
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&topic)
      try c.array(&partitions)
    }
  }
}
