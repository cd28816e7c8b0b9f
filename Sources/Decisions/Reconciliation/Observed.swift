public import JSONValue
public import KubernetesResources
public import Vocabulary

/// What is known of something that may not answer. Unknown is never absent: nothing is deleted, moved or counted as
/// gone because of it.
public enum View<Content: Hashable & Sendable>: Hashable, Sendable {
  case seen(Content)
  /// Since when (RFC 3339), and why in a sentence.
  case unknown(since: String, why: String)

  public var content: Content? { if case .seen(let content) = self { content } else { nil } }
}

/// What one member, a Kubernetes cluster, has of one KafkaCluster.
public struct MemberObjects: Hashable, Sendable {
  /// Everything with the labels `app.kubernetes.io/managed-by: swiftwater` and `kafka.swiftwater.dev/cluster`.
  public var objects: [ObjectID: JSON] = [:]
  public var pods: [Pod] = []
  /// The machines by their names: for `network.type: NodePort`.
  public var machines: [String: Machine] = [:]
  /// Why machines cannot be listed; nil where they can.
  public var machinesRefused: String?
  /// Whether the API server has policy/v1; before 1.21 it is policy/v1beta1.
  public var hasPolicyV1 = true
  /// Whether the API server knows ServiceExports: it does where an implementation of the MCS API (KEP-1645) is.
  public var hasServiceExports = true
  public init() {}
}

/// A machine (Node) of a Kubernetes cluster, as clients outside reach it.
public struct Machine: Hashable, Sendable {
  public var address: String
  /// Whether it is said to work. It answers at its node ports then, whatever pods may be put on it.
  public var isReady: Bool
  /// Whether nobody has said that it is to be left alone: neither cordoned nor kept from load balancers
  /// (`node.kubernetes.io/exclude-from-external-load-balancers`).
  public var isOffered: Bool

  public init(_ address: String, isReady: Bool = true, isOffered: Bool = true) {
    self.address = address
    self.isReady = isReady
    self.isOffered = isOffered
  }

  /// Nil where it has no address.
  public init?(_ node: JSON) {
    let addresses = node["status"]["addresses"].elements
    let best = ["ExternalIP", "InternalIP"].lazy.compactMap { type in
      addresses.first { $0["type"].string == type }?["address"].string
    }.first
    guard let best else { return nil }
    let ready = node["status"]["conditions"].elements.first { $0["type"].string == "Ready" }
    let excluded = node["metadata"]["labels"]["node.kubernetes.io/exclude-from-external-load-balancers"]
    self.init(
      // Unknown is what a machine is that has not been heard of for a while.
      best, isReady: ready.map { $0["status"].string == "True" } ?? true,
      isOffered: node["spec"]["unschedulable"].bool != true && excluded.isNull)
  }
}

/// What the brokers say, as one of them that has read the newest metadata says it.
public struct BrokerFacts: Hashable, Sendable {
  public struct Voter: Hashable, Sendable {
    public let id: NodeID
    /// Of its log; zero where it is not known. With another one a node is another replica (KIP-853).
    public let directory: UniqueID
    /// Whether it was at the leader's end within `controller.quorum.fetch.timeout.ms`.
    public var isCaughtUp: Bool
    public init(_ id: NodeID, directory: UniqueID = .zero, isCaughtUp: Bool) {
      self.id = id
      self.directory = directory
      self.isCaughtUp = isCaughtUp
    }
    public var key: ReplicaKey { ReplicaKey(id: id, directory: directory) }
  }
  public struct Broker: Hashable, Sendable {
    public let id: NodeID
    /// The part of its rack before the first slash.
    public let region: String
    public let isFenced: Bool
    /// host:port that clients are told, of the first listener.
    public let address: String?
    public init(_ id: NodeID, region: String, isFenced: Bool = false, address: String? = nil) {
      self.id = id
      self.address = address
      self.region = region
      self.isFenced = isFenced
    }
  }
  /// The active controller; nil where the quorum has no leader.
  public var leader: NodeID?
  public var voters: [Voter] = []
  /// Controllers that follow without a vote.
  public var observers: [Voter] = []
  /// Registered brokers.
  public var brokers: [Broker] = []
  /// All topics, internal ones too, in any order.
  public var topics: [TopicFacts] = []
  /// `controlled.shutdown.enable` as it was set for all brokers while they run; true where it was not.
  public var handOver = true
  public init() {}
}

public struct TopicFacts: Hashable, Sendable {
  public var name: String
  /// Kafka's id of the topic.
  public var id: String
  /// The topic's own settings, without defaults.
  public var config: [String: String]
  /// By index, without holes.
  public var partitions: [PartitionFacts]
  public init(_ name: String, id: String, config: [String: String] = [:], partitions: [PartitionFacts]) {
    self.name = name
    self.id = id
    self.config = config
    self.partitions = partitions
  }
  /// The mirror that writes it; nil where clients do.
  public var mirror: String? { config["mirror.link"] }
}

public struct PartitionFacts: Hashable, Sendable {
  /// All of them in their order, observers last, those that are being added too.
  public var replicas: [NodeID]
  public var inSync: [NodeID]
  public var leader: NodeID?
  /// Not empty while the partition is being reassigned.
  public var adding: [NodeID] = []
  public var removing: [NodeID] = []
  public var observers: [NodeID] = []
  public init(replicas: [NodeID], inSync: [NodeID], leader: NodeID?) {
    self.replicas = replicas
    self.inSync = inSync
    self.leader = leader
  }
  public var isMoving: Bool { !adding.isEmpty || !removing.isEmpty }
  /// Those that can be in sync, as they will be after a reassignment.
  public var voters: [NodeID] { replicas.filter { !observers.contains($0) && !removing.contains($0) } }
}

/// The copy of a resource in one member.
public struct RecordedCopy<Status: Fields>: Hashable, Sendable {
  /// The generation of this copy: a status says for which generation of the object beside it it holds.
  public var generation: Int
  public var status: Status
  public init(generation: Int, status: Status) {
    self.generation = generation
    self.status = status
  }
}

/// Everything that is known about one KafkaCluster at one moment.
public struct ClusterSituation: Sendable {
  /// The original, or where it is unknown the newest copy.
  public var cluster: KafkaCluster
  /// What reading the spec brought up.
  public var mistakes: [Mistake] = []
  /// The cluster's object in each member; a member that was seen and has none yet is left out.
  public var copies: [String: View<RecordedCopy<KafkaClusterStatus>>] = [:]
  /// The Regions in the cluster's namespace.
  public var regions: [Region] = []
  /// Which member a Region is in. A Region whose access does not work yet is left out.
  public var homes: [String: String] = [:]
  public var members: [String: View<MemberObjects>] = [:]
  public var brokers: View<BrokerFacts> = .unknown(since: "", why: "No broker has been asked yet.")
  /// What was refused when it was last tried.
  public var refused = RefusedSteps()
  /// RFC 3339, to the second. Only written where something changes.
  public var now: String
  /// Ten minutes before `now`: what has not come up since then does not come up by waiting. The clocks of other API
  /// servers may be off by some of it.
  public var longAgo = ""
  /// Becomes the cluster's id if it has none.
  public var freshID: UniqueID
  public init(cluster: KafkaCluster, now: String, freshID: UniqueID) {
    self.cluster = cluster
    self.now = now
    self.freshID = freshID
  }

  /// Whether a process of the cluster may run where it can be seen.
  public var hasProcesses: Bool { members.values.contains { $0.content?.pods.contains { !$0.hasEnded } ?? false } }
}
