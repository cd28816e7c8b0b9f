/// Which nodes there are, where they are, and what they are for.
package enum BrokerLayout: Sendable, Equatable {
  /// One node that is its own cluster.
  case alone
  /// Three nodes, all of them brokers and controllers.
  case three
  /// Four nodes in three Regions. One of them is a broker alone, and topics say where their copies are to be.
  case regions

  struct Place: Sendable {
    let id: Int32
    var region: String?
    var isController = true
  }

  var places: [Place] {
    switch self {
    case .alone: [Place(id: 1)]
    case .three: (1...3).map { Place(id: $0) }
    case .regions:
      [
        Place(id: 1, region: "north"), Place(id: 2, region: "north", isController: false),
        Place(id: 3, region: "south"), Place(id: 4, region: "west"),
      ]
    }
  }

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
    (min(2, places.count), Int(configs(of: topic)["min.insync.regions"] ?? "1") ?? 1)
  }

  func settings(of place: Place, syncs: Bool) -> [String: String] {
    let name = "node-\(place.id)"
    let count = min(3, places.count)
    var settings = [
      "node.id": "\(place.id)", "log.dirs": name, "cluster.id": "simulated", "num.network.threads": "2",
      "background.threads": "3", "offsets.topic.num.partitions": "2", "replica.lag.time.max.ms": "3000",
      "listeners": "PLAINTEXT://\(name):9092", "min.insync.replicas": "\(min(2, count))",
      "offsets.topic.replication.factor": "\(count)", "default.replication.factor": "\(count)",
      "auto.create.topics.enable": "false", "log.segment.bytes": "4096",
    ]
    if syncs { settings["log.flush.interval.messages"] = "1" }
    if let region = place.region { settings["broker.rack"] = "\(region)/\(place.id)" }
    guard count > 1 else { return settings }
    settings["process.roles"] = place.isController ? "broker,controller" : "broker"
    if place.isController { settings["listeners"]? += ",CONTROLLER://\(name):9093" }
    settings["controller.listener.names"] = "CONTROLLER"
    settings["controller.quorum.voters"] = places.filter(\.isController).map { "\($0.id)@node-\($0.id):9093" }
      .joined(separator: ",")
    return settings
  }
}
