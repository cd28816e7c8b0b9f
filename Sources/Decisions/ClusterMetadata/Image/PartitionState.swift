public import Vocabulary

/// Whether the leader may have less than what was acknowledged (KIP-704).
public enum LeaderRecovery: Int8, Sendable {
  case recovered = 0
  /// It was elected although it had not been in sync, and has not yet made its peace with what it has.
  case recovering = 1
}

/// What the cluster agrees on about one partition.
public struct PartitionState: Sendable, Equatable {
  /// Every copy, the observers included; the order is that in which they are asked to lead.
  public var replicas: [NodeID]
  /// Replicas that a reassignment adds and that have not all caught up yet (KIP-455).
  public var adding: [NodeID] = []
  /// Replicas that go once those have.
  public var removing: [NodeID] = []
  /// Replicas that only copy. They are in sync only while those that vote are too few for acks=all and their leader has
  /// promoted them, and lead only where nobody else can.
  public var observers: [NodeID] = []
  /// Never empty: the last one stays when it goes, and the partition has no leader then.
  public var inSync: [NodeID]
  /// Not in sync but with every committed record, since nothing was committed after they left (KIP-966).
  public var eligible: [NodeID] = []
  /// `.none` while no replica can lead.
  public var leader: NodeID
  public var recovery = LeaderRecovery.recovered
  /// Rises by one with every change of leader and never goes back: clients drop metadata with a lower one.
  public var leaderEpoch: LeaderEpoch
  /// Rises by one with every change of anything here.
  public var partitionEpoch: Int32
  /// The log directory of each replica, in the order of `replicas`; zero while it is not known.
  public var directories: [UniqueID]

  public init(
    replicas: [NodeID], inSync: [NodeID], leader: NodeID, leaderEpoch: LeaderEpoch, partitionEpoch: Int32,
    directories: [UniqueID]
  ) {
    self.replicas = replicas
    self.inSync = inSync
    self.leader = leader
    self.leaderEpoch = leaderEpoch
    self.partitionEpoch = partitionEpoch
    self.directories = directories
  }

  /// The replicas that can be in sync and lead at any time.
  public var voters: [NodeID] { observers.isEmpty ? replicas : replicas.filter { !observers.contains($0) } }

  public var isBeingReassigned: Bool { !adding.isEmpty || !removing.isEmpty }

  func directory(of replica: NodeID) -> UniqueID? {
    guard let at = replicas.firstIndex(of: replica), directories.indices.contains(at) else { return nil }
    return directories[at]
  }
}

/// What changes about a partition; what is nil stays as it was.
public struct PartitionChange: Sendable, Equatable {
  /// Whoever is named here, also the same one again, leads with an epoch that is one higher.
  public var leader: NodeID?
  public var inSync: [NodeID]?
  public var eligible: [NodeID]?
  public var recovery: LeaderRecovery?
  public var replicas: [NodeID]?
  public var adding: [NodeID]?
  public var removing: [NodeID]?
  public var observers: [NodeID]?
  public var directories: [UniqueID]?

  public init(leader: NodeID? = nil, inSync: [NodeID]? = nil) {
    self.leader = leader
    self.inSync = inSync
  }

  /// True when it changes nothing: such a change is not recorded.
  public var isEmpty: Bool { self == PartitionChange() }
}

extension PartitionState {
  mutating func apply(_ change: PartitionChange) {
    if let value = change.replicas { replicas = value }
    if let value = change.adding { adding = value }
    if let value = change.removing { removing = value }
    if let value = change.observers { observers = value }
    if let value = change.directories { directories = value }
    if let value = change.inSync { inSync = value }
    if let value = change.eligible { eligible = value }
    if let value = change.recovery { recovery = value }
    if let value = change.leader {
      leader = value
      leaderEpoch = LeaderEpoch(leaderEpoch.value + 1)
    }
    partitionEpoch += 1
  }

  /// What makes `self` into `after`, apart from the epochs; the leader is named when it differs or when asked for.
  func change(to after: PartitionState, namingLeader: Bool) -> PartitionChange? {
    var change = PartitionChange()
    if after.leader != leader || namingLeader { change.leader = after.leader }
    if after.inSync != inSync { change.inSync = after.inSync }
    if after.eligible != eligible { change.eligible = after.eligible }
    if after.recovery != recovery { change.recovery = after.recovery }
    if after.replicas != replicas { change.replicas = after.replicas }
    if after.adding != adding { change.adding = after.adding }
    if after.removing != removing { change.removing = after.removing }
    if after.observers != observers { change.observers = after.observers }
    if after.directories != directories { change.directories = after.directories }
    return change.isEmpty ? nil : change
  }
}
