public import Vocabulary
public import Wire

/// A topic was created.
public struct TopicRecord: MetadataRecordBody {
  public static let type: UInt32 = 2
  public static let versions: ClosedRange<Int16> = 0...0

  public var name = ""
  public var topicID = UniqueID.zero

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.string(&name)
    try c.uuid(&topicID)
  }
}

/// A topic was deleted, with its partitions.
public struct RemoveTopicRecord: MetadataRecordBody {
  public static let type: UInt32 = 9
  public static let versions: ClosedRange<Int16> = 0...0

  public var topicID = UniqueID.zero

  public init() {}

  public mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
    try c.uuid(&topicID)
  }
}
