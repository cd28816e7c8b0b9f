public import Vocabulary

// The words of group coordination: what names a group, its members and their generations.

/// A group's name: any text but the empty one, which Kafka answers with INVALID_GROUP_ID.
public struct GroupID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String
  public init(_ text: String) { self.text = text }
  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
  public var description: String { text }
}

/// Names one member of a group for as long as it is in it. The coordinator or the client makes it up.
public struct MemberID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String
  public init(_ text: String) { self.text = text }
  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
  public var description: String { text }
  /// What the wire says for "not a member yet".
  public static let unknown = MemberID("")
  public var isUnknown: Bool { text.isEmpty }
}

/// `group.instance.id`: names a static member across its restarts (KIP-345).
public struct InstanceID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String
  public init(_ text: String) { self.text = text }
  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
  public var description: String { text }
}

/// Counts the rebalances of a classic group. After the largest it begins again with 0.
@frozen public struct Generation: Hashable, Comparable, Sendable {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  /// What a consumer outside every group says.
  public static let none = Generation(-1)
  var next: Generation { Generation(value == .max ? 0 : value + 1) }
}

/// Counts the changes of a consumer group, or the last of them that a member has reached (KIP-848).
@frozen public struct MemberEpoch: Hashable, Comparable, Sendable {
  public let value: Int32
  @inlinable public init(_ value: Int32) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
  /// A heartbeat with it joins the group.
  public static let joining = MemberEpoch(0)
  /// A heartbeat with it leaves the group.
  public static let leaving = MemberEpoch(-1)
  /// A heartbeat with it says that a static member goes away and means to come back.
  public static let leavingForAWhile = MemberEpoch(-2)
  var next: MemberEpoch { MemberEpoch(value == .max ? 1 : value + 1) }
}

/// Names a request, so that its answer can find its way back. The caller chooses it, once per request.
@frozen public struct Token: Hashable, Comparable, Sendable {
  public let value: UInt64
  @inlinable public init(_ value: UInt64) { self.value = value }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// Now, on both clocks: deadlines go by the monotonic one, records carry the time of day.
@frozen public struct Moment: Hashable, Sendable {
  public let instant: Instant
  public let time: Timestamp
  @inlinable public init(instant: Instant, time: Timestamp) {
    self.instant = instant
    self.time = time
  }
}

/// Who sent a request: shown when a group is described.
public struct ClientIdentity: Hashable, Sendable {
  /// The `client.id` of its request header.
  public var id: String
  /// Its address, in Kafka's spelling `/10.0.0.1`.
  public var host: String
  public init(id: String, host: String) {
    self.id = id
    self.host = host
  }
}

/// The states of a group, in Kafka's spelling.
public enum GroupState: String, Hashable, Sendable, CaseIterable {
  case empty = "Empty"
  case preparingRebalance = "PreparingRebalance"
  case completingRebalance = "CompletingRebalance"
  case stable = "Stable"
  /// Also what a group that does not exist is described as.
  case dead = "Dead"
  /// KIP-848: the target assignment is older than the group.
  case assigning = "Assigning"
  /// KIP-848: some member has not reached its target yet.
  case reconciling = "Reconciling"
}

/// The two kinds of groups, in Kafka's spelling.
public enum GroupType: String, Hashable, Sendable, CaseIterable {
  case classic
  case consumer
}
