import Vocabulary

/// Which nodes there are, where they are, and what they are for.
package enum BrokerLayout: Sendable, Equatable {
  /// One node that is its own cluster.
  case alone
  /// Three nodes, all of them brokers and controllers.
  case three
  /// Four nodes in three Regions. One of them is a broker alone, and topics say where their copies are to be.
  case regions
  /// Brokers and controllers, in one process and in processes of their own, and voters that come and go.
  case voters

  struct Place: Sendable {
    let id: Int32
    var region: String?
    var isBroker = true
    var isController = true
    /// `storage format` is run with these options before the first start; without it where there are none.
    var formatting: [String] = []
  }

  static let clusterID = "simulated"
  static let controllerListener = "CONTROLLER"
  static let controllerPort: UInt16 = 9093

  var places: [Place] {
    switch self {
    case .alone: [Place(id: 1)]
    case .three: (1...3).map { Place(id: $0) }
    case .regions:
      [
        Place(id: 1, region: "north"), Place(id: 2, region: "north", isController: false),
        Place(id: 3, region: "south"), Place(id: 4, region: "west"),
      ]
    case .voters:
      [
        Place(id: 1, formatting: Self.formatting), Place(id: 2, formatting: Self.formatting),
        Place(id: 3, isController: false), Place(id: 4, isBroker: false, formatting: Self.formatting),
        Place(id: 5, isBroker: false, formatting: ["-N"]),
      ]
    }
  }

  /// Those that the quorum of changing voters begins with.
  private static var formatting: [String] {
    let voters = [1, 2, 4].map { (id: UInt64) in
      "\(id)@node-\(id):\(controllerPort):\(UniqueID(high: 0x5157_4f57, low: id))"
    }
    return ["-I", voters.joined(separator: ",")]
  }

  private var brokers: Int { places.count { $0.isBroker } }

  /// What a topic of that name is created with.
  func configs(of topic: String) -> [String: String] {
    guard case .regions = self else { return [:] }
    switch topic {
    case "apples": return ["placement.replicas.per.region": "north:2,south:1", "min.insync.regions": "2"]
    case "pears": return ["placement.replicas.per.region": "north:2,south:1,west:1", "min.insync.regions": "2"]
    default: return [:]
    }
  }

  /// How many nodes, in how many Regions, have what is acknowledged in the topic.
  func copies(of topic: String) -> (nodes: Int, regions: Int) {
    (min(2, brokers), Int(configs(of: topic)["min.insync.regions"] ?? "1") ?? 1)
  }

  /// - Parameters:
  ///   - cluster: its id.
  ///   - prefix: what the names of its machines begin with.
  func settings(
    of place: Place, syncs: Bool, cluster: String = clusterID, prefix: String = "node"
  ) -> [String: String] {
    let name = "\(prefix)-\(place.id)"
    let count = min(3, brokers)
    var settings = [
      "node.id": "\(place.id)", "log.dirs": name, "cluster.id": cluster, "num.network.threads": "2",
      "background.threads": "3", "offsets.topic.num.partitions": "2", "replica.lag.time.max.ms": "3000",
      "listeners": "PLAINTEXT://\(name):9092", "min.insync.replicas": "\(min(2, count))",
      "offsets.topic.replication.factor": "\(count)", "default.replication.factor": "\(count)",
      "auto.create.topics.enable": "false", "log.segment.bytes": "4096",
    ]
    if syncs { settings["log.flush.interval.messages"] = "1" }
    if let region = place.region { settings["broker.rack"] = "\(region)/\(place.id)" }
    guard count > 1 else { return settings }
    var roles: [String] = []
    var listeners: [String] = []
    if place.isBroker {
      roles.append("broker")
      listeners.append("PLAINTEXT://\(name):9092")
    }
    if place.isController {
      roles.append("controller")
      listeners.append("\(Self.controllerListener)://\(name):\(Self.controllerPort)")
    }
    settings["process.roles"] = roles.joined(separator: ",")
    settings["listeners"] = listeners.joined(separator: ",")
    settings["controller.listener.names"] = Self.controllerListener
    let controllers = places.filter(\.isController)
    if case .voters = self {
      settings["controller.quorum.bootstrap.servers"] =
        controllers.map { "\(prefix)-\($0.id):\(Self.controllerPort)" }.joined(separator: ",")
    } else {
      settings["controller.quorum.voters"] =
        controllers.map { "\($0.id)@\(prefix)-\($0.id):\(Self.controllerPort)" }.joined(separator: ",")
    }
    return settings
  }
}
