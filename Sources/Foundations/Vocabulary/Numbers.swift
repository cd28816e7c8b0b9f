// Every number that crosses a module has a type of its own, with only the arithmetic that means something.

/// The id of a broker or controller (`node.id`): 0 or more in a cluster.
@frozen public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  /// What the wire says for "no node".
  public static let none = NodeID(-1)
  public var description: String { "\(value)" }
}

/// The number of a partition within its topic: 0 or more.
@frozen public struct PartitionIndex: Hashable, Comparable, Sendable {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// The place of a record in its partition: 0 or more; `.none` (-1) on the wire says that there is none.
@frozen public struct Offset: Hashable, Comparable, Sendable {
  public let value: Int64
  @inlinable public init(_ value: Int64) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  @inlinable public static func + (a: Self, count: Int64) -> Offset { Offset(a.value + count) }
  /// How many offsets lie from `b` up to `a`.
  @inlinable public static func - (a: Self, b: Self) -> Int64 { a.value - b.value }
  public static let zero = Offset(0)
  public static let none = Offset(-1)
}

/// Rises by one with every change of a partition's leader (KIP-101, KIP-320).
@frozen public struct LeaderEpoch: Hashable, Comparable, Sendable {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  public static let none = LeaderEpoch(-1)
}

/// Names one idempotent producer (KIP-98).
@frozen public struct ProducerID: Hashable, Comparable, Sendable {
  public let value: Int64
  @inlinable public init(_ value: Int64) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  public static let none = ProducerID(-1)
}

/// Rises when a producer is fenced by its successor (KIP-98, KIP-360).
@frozen public struct ProducerEpoch: Hashable, Comparable, Sendable {
  public let value: Int16
  @inlinable public init(_ value: Int16) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  public static let none = ProducerEpoch(-1)
}

/// A number of bytes.
@frozen public struct ByteCount: Hashable, Comparable, Sendable {
  public let value: Int
  @inlinable public init(_ value: Int) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  @inlinable public static func + (a: Self, b: Self) -> ByteCount { ByteCount(a.value + b.value) }
  @inlinable public static func kibibytes(_ n: Int) -> ByteCount { ByteCount(n << 10) }
  @inlinable public static func mebibytes(_ n: Int) -> ByteCount { ByteCount(n << 20) }
  public static let zero = ByteCount(0)
}
