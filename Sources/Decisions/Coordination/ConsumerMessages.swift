public import Vocabulary

// What members of consumer groups (KIP-848) ask, and what they are told.

/// A regular expression over topic names, in RE2 syntax; its meaning is the caller's business.
public struct SubscriptionPattern: Hashable, Comparable, Sendable {
  public let text: String
  public init(_ text: String) { self.text = text }
  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }
}

/// ConsumerGroupHeartbeat: joins, leaves, changes a subscription, and reports what a member owns.
/// nil means "as before", as null does on the wire.
public struct ConsumerHeartbeatRequest: Hashable, Sendable {
  /// What a member says about its regular expression.
  public enum PatternChange: Hashable, Sendable {
    case unchanged
    /// The empty text: no longer subscribed by a pattern.
    case none
    case pattern(SubscriptionPattern)
    /// One that the caller could not read: the heartbeat gets INVALID_REGULAR_EXPRESSION.
    case unreadable
  }
  public var group: GroupID
  /// From v1 the client makes it up; before, it is `.unknown` in the first heartbeat.
  public var member: MemberID
  public var epoch: MemberEpoch
  public var instance: InstanceID?
  public var rack: String?
  public var rebalanceTimeout: TimeSpan?
  /// Names as the client wrote them.
  public var subscribedTopics: [String]?
  public var subscribedPattern: PatternChange
  public var assignor: String?
  public var owned: Assignment?
  public var client: ClientIdentity
  /// Random, fresh for this request: the id of a member that brings none.
  public var nonce: UniqueID

  public init(
    group: GroupID, member: MemberID, epoch: MemberEpoch, instance: InstanceID? = nil, rack: String? = nil,
    rebalanceTimeout: TimeSpan? = nil, subscribedTopics: [String]? = nil,
    subscribedPattern: PatternChange = .unchanged, assignor: String? = nil, owned: Assignment? = nil,
    client: ClientIdentity, nonce: UniqueID
  ) {
    self.group = group
    self.member = member
    self.epoch = epoch
    self.instance = instance
    self.rack = rack
    self.rebalanceTimeout = rebalanceTimeout
    self.subscribedTopics = subscribedTopics
    self.subscribedPattern = subscribedPattern
    self.assignor = assignor
    self.owned = owned
    self.client = client
    self.nonce = nonce
  }
}

/// The answer to a ConsumerGroupHeartbeat.
public struct ConsumerHeartbeatAnswer: Hashable, Sendable {
  public var error: ErrorCode
  public var message: String?
  public var member: MemberID?
  public var epoch = MemberEpoch(0)
  public var heartbeatInterval = TimeSpan.zero
  /// nil: as before.
  public var assignment: Assignment?
  public init(error: ErrorCode, message: String? = nil) {
    self.error = error
    self.message = message
  }
}
