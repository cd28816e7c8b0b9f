public import Vocabulary

// What members of classic groups ask, and what they are told.

/// One protocol (a partition assignor) that a member supports.
public struct MemberProtocol: Hashable, Sendable {
  public var name: String
  /// Opaque here: only the group's leader reads it.
  public var metadata: [UInt8]
  /// The topics inside `metadata`, where the caller could read them; they only guard offsets of subscribed topics.
  public var subscribedTopics: [TopicName]?
  public init(name: String, metadata: [UInt8], subscribedTopics: [TopicName]? = nil) {
    self.name = name
    self.metadata = metadata
    self.subscribedTopics = subscribedTopics
  }
}

/// What happens to a dynamic member that joins without a member id.
public enum UnknownMemberPolicy: Hashable, Sendable {
  /// It gets MEMBER_ID_REQUIRED with its new id and must join again (KIP-394, JoinGroup v4+).
  case mustRejoinWithItsID
  case joinsAtOnce
}

/// Whether the leader may be told to keep the assignment it had (KIP-814, JoinGroup v9+).
public enum AssignmentSkipping: Hashable, Sendable {
  case supported
  case unsupported
}

/// JoinGroup.
public struct JoinRequest: Hashable, Sendable {
  public var group: GroupID
  /// `.unknown` when the client has none yet.
  public var member: MemberID
  public var instance: InstanceID?
  public var client: ClientIdentity
  public var sessionTimeout: TimeSpan
  /// For v0 the caller passes the session timeout.
  public var rebalanceTimeout: TimeSpan
  public var protocolType: String
  public var protocols: [MemberProtocol]
  public var unknownMember: UnknownMemberPolicy
  public var skipping: AssignmentSkipping
  /// Random, fresh for this request: becomes part of a new member's id.
  public var nonce: UniqueID

  public init(
    group: GroupID, member: MemberID, instance: InstanceID? = nil, client: ClientIdentity, sessionTimeout: TimeSpan,
    rebalanceTimeout: TimeSpan, protocolType: String, protocols: [MemberProtocol],
    unknownMember: UnknownMemberPolicy, skipping: AssignmentSkipping, nonce: UniqueID
  ) {
    self.group = group
    self.member = member
    self.instance = instance
    self.client = client
    self.sessionTimeout = sessionTimeout
    self.rebalanceTimeout = rebalanceTimeout
    self.protocolType = protocolType
    self.protocols = protocols
    self.unknownMember = unknownMember
    self.skipping = skipping
    self.nonce = nonce
  }
}

/// What the leader learns about a member when the join phase is over.
public struct JoinedMember: Hashable, Sendable {
  public var member: MemberID
  public var instance: InstanceID?
  public var metadata: [UInt8]
}

/// Whether the leader assigns, or leaves everything as it was (KIP-814).
public enum LeaderDuty: Hashable, Sendable {
  case assign
  case skipAssignment
}

/// The answer to a JoinGroup.
public struct JoinAnswer: Hashable, Sendable {
  public var error: ErrorCode
  /// The id that the client must use from now on; with MEMBER_ID_REQUIRED, the one to join with.
  public var member: MemberID
  public var generation: Generation = .none
  public var protocolType: String?
  /// nil means "none": versions before 7 write it as an empty text.
  public var protocolName: String?
  public var leader: MemberID = .unknown
  public var duty: LeaderDuty = .assign
  /// Empty for everyone but the leader; ordered by member id.
  public var members: [JoinedMember] = []

  public init(error: ErrorCode, member: MemberID) {
    self.error = error
    self.member = member
  }
}

/// SyncGroup.
public struct SyncRequest: Hashable, Sendable {
  public var group: GroupID
  public var member: MemberID
  public var instance: InstanceID?
  public var generation: Generation
  /// Checked against the group's where given (v5+).
  public var protocolType: String?
  public var protocolName: String?
  /// From the leader: what each member gets. Members that are left out get empty bytes.
  public var assignments: [MemberID: [UInt8]]

  public init(
    group: GroupID, member: MemberID, instance: InstanceID? = nil, generation: Generation, protocolType: String? = nil,
    protocolName: String? = nil, assignments: [MemberID: [UInt8]] = [:]
  ) {
    self.group = group
    self.member = member
    self.instance = instance
    self.generation = generation
    self.protocolType = protocolType
    self.protocolName = protocolName
    self.assignments = assignments
  }
}

/// The answer to a SyncGroup.
public struct SyncAnswer: Hashable, Sendable {
  public var error: ErrorCode
  public var protocolType: String?
  public var protocolName: String?
  public var assignment: [UInt8] = []
  public init(error: ErrorCode) { self.error = error }
}

/// Heartbeat of a classic member.
public struct HeartbeatRequest: Hashable, Sendable {
  public var group: GroupID
  public var member: MemberID
  public var instance: InstanceID?
  public var generation: Generation
  public init(group: GroupID, member: MemberID, instance: InstanceID? = nil, generation: Generation) {
    self.group = group
    self.member = member
    self.instance = instance
    self.generation = generation
  }
}

/// LeaveGroup: several members may be named, static ones by instance alone (KIP-345).
public struct LeaveRequest: Hashable, Sendable {
  public struct Leaver: Hashable, Sendable {
    public var member: MemberID
    public var instance: InstanceID?
    public init(member: MemberID, instance: InstanceID? = nil) {
      self.member = member
      self.instance = instance
    }
  }
  public var group: GroupID
  public var members: [Leaver]
  public init(group: GroupID, members: [Leaver]) {
    self.group = group
    self.members = members
  }
}

/// The answer to a LeaveGroup. Versions before 3 carry the error of the only member as their own.
public struct LeaveAnswer: Hashable, Sendable {
  public struct Left: Hashable, Sendable {
    public var member: MemberID
    public var instance: InstanceID?
    public var error: ErrorCode
  }
  public var error: ErrorCode
  /// In the order of the request.
  public var members: [Left]
  public init(error: ErrorCode, members: [Left]) {
    self.error = error
    self.members = members
  }
}
