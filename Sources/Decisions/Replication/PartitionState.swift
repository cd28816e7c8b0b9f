public import Vocabulary

/// A broker that is to hold a copy of the partition.
public struct Member: Hashable, Sendable {
  /// What the copy is for.
  public enum Kind: Hashable, Sendable {
    /// Joins the in-sync set when it has caught up, and may lead.
    case sync
    /// Copies and serves readers near it. It stands in the in-sync set only while it is promoted because the set
    /// would be too small without it.
    case observer
  }
  public let node: NodeID
  public let region: Region
  public let kind: Kind
  public init(_ node: NodeID, in region: Region, _ kind: Kind = .sync) {
    self.node = node
    self.region = region
    self.kind = kind
  }
}

/// What the controller has decided about a partition, as of one partition epoch.
public struct PartitionState: Hashable, Sendable {
  public enum Leader: Hashable, Sendable {
    /// Nobody can lead without losing what was acknowledged.
    case none
    /// This life of this broker: a later life may have lost the end of its log and must be elected anew.
    case elected(NodeID, BrokerEpoch)
  }
  public var leader: Leader
  public var leaderEpoch: LeaderEpoch
  public var partitionEpoch: PartitionEpoch
  public var inSync: NodeSet
  public var members: [Member]
  public init(
    leader: Leader, leaderEpoch: LeaderEpoch, partitionEpoch: PartitionEpoch, inSync: NodeSet, members: [Member]
  ) {
    self.leader = leader
    self.leaderEpoch = leaderEpoch
    self.partitionEpoch = partitionEpoch
    self.inSync = inSync
    self.members = members
  }
  public func member(_ node: NodeID) -> Member? { members.first { $0.node == node } }
}

/// What the cluster's metadata says about a broker.
public struct BrokerStatus: Hashable, Sendable {
  public enum Availability: Hashable, Sendable { case active, fenced, stopping }
  public let node: NodeID
  public let epoch: BrokerEpoch
  public let availability: Availability
  public init(_ node: NodeID, epoch: BrokerEpoch, _ availability: Availability) {
    self.node = node
    self.epoch = epoch
    self.availability = availability
  }
}

/// How many copies, in how many Regions, an acks=all write needs.
public struct Minimum: Hashable, Sendable {
  /// `min.insync.replicas`, at least 1.
  public var replicas: Int
  /// `min.insync.regions`, at least 1: of how many Regions in-sync replicas must have the write.
  public var regions: Int
  public init(replicas: Int, regions: Int) {
    self.replicas = max(1, replicas)
    self.regions = max(1, regions)
  }
  public func isMet(by inSync: NodeSet, of members: [Member]) -> Bool {
    guard inSync.count >= replicas else { return false }
    // The usual minimum is asked for with every append: it makes no set.
    if regions <= 1 { return members.contains { inSync.contains($0.node) } }
    return Minimum.regions(of: inSync, members).count >= regions
  }
  static func regions(of nodes: NodeSet, _ members: [Member]) -> Set<Region> {
    Set(members.lazy.filter { nodes.contains($0.node) }.map(\.region))
  }
}

/// What the configuration of the topic and of the broker says.
public struct ReplicationSettings: Hashable, Sendable {
  public var minimum: Minimum
  /// `replica.lag.time.max.ms`: who was not at the leader's end for that long leaves the in-sync set.
  public var lagMax = TimeSpan.seconds(30)
  /// A fetch that was not answered for so long is sent anew (`replica.socket.timeout.ms`).
  public var fetchTimeout = TimeSpan.seconds(30)
  /// The longest pause after fetches that were refused (`replica.fetch.backoff.ms`); the first is a sixteenth of it.
  public var fetchPause = TimeSpan.seconds(1)
  /// A proposal that was not answered for so long is sent anew.
  public var proposalTimeout = TimeSpan.seconds(1)
  /// After so long without a fetch an in-sync follower is one that is not heard of.
  public var silenceMax = TimeSpan.seconds(2)
  package var planted: PlantedBug?
  public init(minimum: Minimum) { self.minimum = minimum }
}

/// A rule that is left out, so that a simulation can show that it would notice. Only tests can reach it.
package enum PlantedBug: String, CaseIterable, Sendable {
  case acknowledgesBeforeReplication
  case skipsTruncation
  case ignoresProposedInSyncSet
  case startsNoEpoch
  case checksNoEpoch
  case countsObservers
  case ignoresRegions
  case readsAboveHighWatermark
  case shrinksWithoutController
}
