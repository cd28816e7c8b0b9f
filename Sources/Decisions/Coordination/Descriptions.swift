public import Vocabulary

// What administrators are told about groups.

/// One group's part of the answer to a DescribeGroups.
public struct ClassicGroupDescription: Hashable, Sendable {
  public struct Member: Hashable, Sendable {
    public var member: MemberID
    public var instance: InstanceID?
    public var client: ClientIdentity
    /// Empty unless the group is stable.
    public var metadata: [UInt8]
    /// What the last leader gave it.
    public var assignment: [UInt8]
  }
  public var group: GroupID
  public var error: ErrorCode
  /// `.dead` with no error for a group that does not exist here: versions from 6 say GROUP_ID_NOT_FOUND instead.
  public var state: GroupState
  public var protocolType = ""
  /// The chosen protocol's name; empty unless the group is stable.
  public var protocolName = ""
  /// Ordered by member id.
  public var members: [Member] = []
  public init(group: GroupID, error: ErrorCode = .none, state: GroupState = .dead) {
    self.group = group
    self.error = error
    self.state = state
  }
}

/// One group's part of the answer to a ConsumerGroupDescribe (KIP-848).
public struct ConsumerGroupDescription: Hashable, Sendable {
  public struct Member: Hashable, Sendable {
    public var member: MemberID
    public var instance: InstanceID?
    public var rack: String?
    public var epoch: MemberEpoch
    public var client: ClientIdentity
    /// Ordered by name.
    public var subscribedTopics: [String]
    public var subscribedPattern: SubscriptionPattern?
    public var assignment: Assignment
    public var target: Assignment
  }
  public var group: GroupID
  /// GROUP_ID_NOT_FOUND where there is no consumer group of that name.
  public var error: ErrorCode
  public var state: GroupState = .dead
  public var groupEpoch = MemberEpoch(0)
  public var assignmentEpoch = MemberEpoch(0)
  public var assignor = ""
  /// Ordered by member id.
  public var members: [Member] = []
  public init(group: GroupID, error: ErrorCode = .none) {
    self.group = group
    self.error = error
  }
}

/// Which groups ListGroups shows: empty lists hide nothing, case does not matter, unknown words match nothing.
public struct ListFilter: Hashable, Sendable {
  public var states: [String]
  public var types: [String]
  public init(states: [String] = [], types: [String] = []) {
    self.states = states
    self.types = types
  }
}

/// One line of ListGroups.
public struct ListedGroup: Hashable, Sendable {
  public var group: GroupID
  public var protocolType: String
  public var state: GroupState
  public var type: GroupType
}
