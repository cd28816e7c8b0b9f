public import Vocabulary
public import Wire

/// The epoch of a consumer group (KIP-848).
public struct ConsumerGroupMetadataValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var epoch: Int32 = 0
  /// Of the subscribed topics' partitions and racks; takes the place of the partition metadata (KIP-1101).
  public var metadataHash: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&epoch)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &metadataHash, absent: 0)
  }
}

/// The partitions that a consumer group was last assigned over; Kafka 4.1 no longer writes it.
public struct ConsumerGroupPartitionMetadataValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var topics: [Topic] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
  }
}

extension ConsumerGroupPartitionMetadataValue {
  public struct Topic: WireStruct {
    public var topicID = UniqueID.zero
    public var topicName = ""
    public var numPartitions: Int32 = 0
    public var partitionMetadata: [Partition] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.string(&topicName)
      try c.int32(&numPartitions)
      try c.array(&partitionMetadata)
    }
  }

  public struct Partition: WireStruct {
    public var partition: Int32 = 0
    public var racks: [String] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&partition)
      try c.array(&racks)
    }
  }
}

/// A member of a consumer group, as it last described itself.
public struct ConsumerGroupMemberMetadataValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var instanceID: String? = ""
  public var rackID: String? = ""
  public var clientID = ""
  public var clientHost = ""
  public var subscribedTopicNames: [String] = []
  public var subscribedTopicRegex: String? = ""
  public var rebalanceTimeoutMs: Int32 = -1
  public var serverAssignor: String? = ""
  public var classicMemberMetadata: ClassicMember?

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.nullableString(&instanceID)
    try c.nullableString(&rackID)
    try c.string(&clientID)
    try c.string(&clientHost)
    try c.array(&subscribedTopicNames)
    try c.nullableString(&subscribedTopicRegex)
    try c.int32(&rebalanceTimeoutMs)
    try c.nullableString(&serverAssignor)
  }

  public mutating func codeTagged<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.tagged(0, &classicMemberMetadata, absent: nil)
  }
}

extension ConsumerGroupMemberMetadataValue {
  public struct ClassicMember: WireStruct {
    public var sessionTimeoutMs: Int32 = 0
    public var supportedProtocols: [ClassicProtocol] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.int32(&sessionTimeoutMs)
      try c.array(&supportedProtocols)
    }
  }

  public struct ClassicProtocol: WireStruct {
    public var name = ""
    public var metadata: [UInt8] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&name)
      try c.bytes(&metadata)
    }
  }
}

/// The topics that match a subscription by regular expression.
public struct ConsumerGroupRegularExpressionValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var topics: [String] = []
  /// The metadata offset that the names were resolved at.
  public var version: Int64 = 0
  public var timestamp: Int64 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topics)
    try c.int64(&version)
    try c.int64(&timestamp)
  }
}
