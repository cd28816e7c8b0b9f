public import Vocabulary
public import Wire

/// The epoch of a consumer group's target assignment.
public struct ConsumerGroupTargetAssignmentMetadataValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var assignmentEpoch: Int32 = 0

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&assignmentEpoch)
  }
}

/// What one member is to be assigned.
public struct ConsumerGroupTargetAssignmentMemberValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var topicPartitions: [TopicPartitions] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.array(&topicPartitions)
  }
}

extension ConsumerGroupTargetAssignmentMemberValue {
  public struct TopicPartitions: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.array(&partitions)
    }
  }
}

/// What one member is assigned now, and what it must still give up.
public struct ConsumerGroupCurrentMemberAssignmentValue: VersionedRecord {
  public static let versions: ClosedRange<Int16> = 0...0
  public static let flexibleSince: Int16 = 0

  public var memberEpoch: Int32 = 0
  public var previousMemberEpoch: Int32 = 0
  public var state: Int8 = 0
  public var assignedPartitions: [TopicPartitions] = []
  public var partitionsPendingRevocation: [TopicPartitions] = []

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.int32(&memberEpoch)
    try c.int32(&previousMemberEpoch)
    try c.int8(&state)
    try c.array(&assignedPartitions)
    try c.array(&partitionsPendingRevocation)
  }
}

extension ConsumerGroupCurrentMemberAssignmentValue {
  public struct TopicPartitions: WireStruct {
    public var topicID = UniqueID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.uuid(&topicID)
      try c.array(&partitions)
    }
  }
}
