import KubernetesResources
import Vocabulary

/// Where a topic's replicas shall be and what its settings shall be.
struct TopicTarget {
  /// How many replicas in which Region; empty where only their number is asked for.
  let replicas: [String: Int]
  let observers: [String: Int]
  let leaders: [String]
  /// The only Regions that may have one; nil for all.
  let allowed: [String]?
  let replicationFactor: Int
  let minRegions: Int
  /// All settings of the topic: what is not here goes back to its default.
  let config: [String: String]

  init(_ topic: KafkaTopic, _ planning: TopicPlanning) {
    let placement = topic.spec.placement
    let allowed = Self.allowed(placement, planning.situation)
    self.allowed = allowed
    replicas = placement.replicas
    observers = placement.observers
    leaders = placement.leaders
    let places = planning.situation.cluster.spec.regions.filter { share in
      share.brokers > 0 && (allowed?.contains(share.name) ?? true)
    }
    let brokers = places.reduce(0) { $0 + $1.brokers }
    replicationFactor =
      replicas.isEmpty
      ? max(1, min(planning.durability.replicationFactor, brokers)) : replicas.values.reduce(0, +)
    let span = replicas.isEmpty ? places.count : replicas.count
    minRegions = placement.minInSyncRegions ?? max(1, min(planning.durability.minInSyncRegions, span))
    var config = topic.spec.config
    if minRegions > 1 { config["min.insync.regions"] = "\(minRegions)" }
    if !replicas.isEmpty { config["placement.replicas.per.region"] = Self.text(replicas) }
    if !observers.isEmpty { config["placement.observers.per.region"] = Self.text(observers) }
    if !leaders.isEmpty { config["placement.leader.regions"] = leaders.joined(separator: ",") }
    if let allowed { config["placement.allowed.regions"] = allowed.joined(separator: ",") }
    self.config = config
  }

  static func text(_ counts: [String: Int]) -> String {
    counts.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: ",")
  }

  /// Regions whose sovereignty has every tag that is required, sorted; nil where none is.
  static func allowed(_ placement: Placement, _ situation: TopicSituation) -> [String]? {
    guard !placement.requires.isEmpty else { return nil }
    let names = situation.cluster.spec.regions.map(\.name)
    return situation.regions.filter { region in
      names.contains(region.metadata.name) && placement.requires.allSatisfy(region.spec.sovereignty.contains)
    }.map(\.metadata.name).sorted()
  }

  /// A sentence about brokers that would be needed; nil where there are enough.
  func missingBrokers(_ alive: [String: Int]) -> String? {
    for region in Set(replicas.keys).union(observers.keys).sorted() {
      let needed = (replicas[region] ?? 0) + (observers[region] ?? 0)
      let has = alive[region] ?? 0
      if has < needed {
        return "The placement asks for \(needed) replicas in \(region), where \(has) brokers are alive."
      }
    }
    let all = alive.reduce(0) { sum, item in sum + ((allowed?.contains(item.key) ?? true) ? item.value : 0) }
    guard replicas.isEmpty, all < replicationFactor else { return nil }
    return "\(replicationFactor) replicas are asked for, and \(all) brokers that may have one are alive."
  }
}
