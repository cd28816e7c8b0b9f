/// A topic's name, valid by construction: 1 to 249 of `[a-zA-Z0-9._-]`, and neither `.` nor `..`.
/// Those are also the names that are safe as part of a folder's name.
public struct TopicName: Hashable, Comparable, Sendable, CustomStringConvertible {
  public static let lengthMax = 249
  public let text: String

  /// Fails where Kafka answers INVALID_TOPIC_EXCEPTION.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard !bytes.isEmpty, bytes.count <= Self.lengthMax, text != ".", text != ".." else { return nil }
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        continue
      default: return nil
      }
    }
    self.text = text
  }

  public var description: String { text }
  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }

  private init(known text: String) { self.text = text }
  public static let consumerOffsets = TopicName(known: "__consumer_offsets")
  public static let transactionState = TopicName(known: "__transaction_state")
  public static let clusterMetadata = TopicName(known: "__cluster_metadata")
  /// Internal topics are made and written by brokers alone.
  public var isInternal: Bool { self == .consumerOffsets || self == .transactionState || self == .clusterMetadata }
}

/// 128 bits that name a topic, a log directory or a process for ever (Kafka's `Uuid`).
/// Written as 22 characters of URL-safe Base64 without padding, as Kafka's tools do.
@frozen public struct UniqueID: Hashable, Comparable, Sendable {
  public let high: UInt64
  public let low: UInt64
  @inlinable public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
  @inlinable public static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
  /// The wire's "none".
  public static let zero = UniqueID(high: 0, low: 0)
  /// The topic id that Kafka reserves for `__cluster_metadata`.
  public static let clusterMetadataTopic = UniqueID(high: 0, low: 1)
  /// The log directory of a replica whose broker has not said yet in which of its own it lies (KIP-858). `.zero` is that
  /// of one whose broker does not say such things.
  public static let unassignedDirectory = UniqueID(high: 0, low: 1)
}

/// One partition of one topic, by name.
public struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let topic: TopicName
  public let partition: PartitionIndex
  public init(_ topic: TopicName, _ partition: PartitionIndex) {
    self.topic = topic
    self.partition = partition
  }
  public static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
  /// Also the name of its folder in a log directory.
  public var description: String { "\(topic)-\(partition.value)" }
}
