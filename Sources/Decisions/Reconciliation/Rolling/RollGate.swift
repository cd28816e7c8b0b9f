import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Why a node may not restart now, as a sentence; nil where it may.
  func obstacle(toRestarting node: Node) -> String? {
    if let other = wanted.first(where: { $0.id != node.id && !serves($0) }) {
      return "\(other.podName) is not ready, and only one node may be down in all Regions."
    }
    guard let facts = situation.brokers.content else {
      return "the brokers cannot be asked whether it is safe."
    }
    if let moving = facts.topics.first(where: { $0.partitions.contains { $0.isMoving } }), !leaving.isEmpty {
      return "partitions are moving, such as those of \(moving.name)."
    }
    if node.isController, let obstacle = quorumObstacle(node, facts) { return obstacle }
    if node.isBroker { return partitionObstacle(node, facts) }
    return nil
  }

  /// The voters that are caught up, without this one, still have to be a majority of all.
  private func quorumObstacle(_ node: Node, _ facts: BrokerFacts) -> String? {
    guard facts.leader != nil else { return "the metadata quorum has no leader." }
    guard facts.voters.contains(where: { $0.id == node.id }) else { return nil }
    let left = facts.voters.count { $0.isCaughtUp && $0.id != node.id }
    let needed = facts.voters.count / 2 + 1
    guard left < needed, facts.voters.count > 1 else { return nil }
    return "without it \(left) voters of the metadata quorum would be caught up, and \(needed) are needed."
  }

  private func partitionObstacle(_ node: Node, _ facts: BrokerFacts) -> String? {
    let regions = RegionsOfNodes(self, facts)
    let brokers = Set(wanted.filter(\.isBroker).map(\.id))
    for topic in facts.topics.sorted(by: { $0.name < $1.name }) {
      let rules = SyncRules(topic, self)
      for (index, partition) in topic.partitions.enumerated() {
        let name = "\(topic.name)-\(index)"
        // After each restart: back in every in-sync set before the next.
        if let late = partition.voters.first(where: {
          $0 != node.id && brokers.contains($0) && !partition.inSync.contains($0) && !partition.adding.contains($0)
        }) {
          return "broker \(late) is not yet in sync for \(name)."
        }
        guard partition.replicas.contains(node.id), !partition.observers.contains(node.id) else { continue }
        if let obstacle = rules.obstacle(partition, without: node.id, keep: cluster.spec.rolling.keep, regions) {
          return "\(name) \(obstacle)"
        }
      }
    }
    return nil
  }
}

/// Which Region a node is in: by its registration, or by the block of its id.
struct RegionsOfNodes {
  private var known: [NodeID: String] = [:]
  let all: [String]
  init(_ design: ClusterDesign, _ facts: BrokerFacts) {
    for node in design.nodes { known[node.id] = node.region }
    for broker in facts.brokers { known[broker.id] = broker.region }
    all = Set(known.values).sorted()
  }
  subscript(id: NodeID) -> String { known[id] ?? "" }
  func count(_ ids: [NodeID]) -> Int {
    var seen: [String] = []
    for id in ids where !seen.contains(self[id]) { seen.append(self[id]) }
    return seen.count
  }
}

/// When acks=all is answered: how many replicas and how many Regions have to be in sync.
struct SyncRules {
  let replicas: Int
  let regions: Int

  init(_ topic: TopicFacts, _ design: ClusterDesign) {
    let general = design.cluster.spec.config["min.insync.replicas"].flatMap { Int($0) } ?? design.durability.minInSync
    replicas = topic.config["min.insync.replicas"].flatMap { Int($0) } ?? general
    regions = topic.config["min.insync.regions"].flatMap { Int($0) } ?? 1
  }

  func isMet(by inSync: [NodeID], of partition: PartitionFacts, _ places: RegionsOfNodes) -> Bool {
    // A minimum above the number of replicas counts as that number.
    inSync.count >= min(replicas, partition.voters.count) && places.count(inSync) >= regions
  }

  /// Why a replica may not restart, to follow the partition's name.
  func obstacle(
    _ partition: PartitionFacts, without node: NodeID, keep: Rolling.Margin, _ places: RegionsOfNodes
  ) -> String? {
    let voters = partition.voters
    // One that stops with any of its replicas cannot be helped by waiting.
    let rest = voters.filter { $0 != node }
    guard voters.count > replicas, places.count(rest) >= regions else { return nil }
    guard isMet(by: partition.inSync, of: partition, places) else { return "has too few replicas in sync already." }
    let left = partition.inSync.filter { $0 != node }
    guard isMet(by: left, of: partition, places) else { return "would have too few replicas in sync." }
    guard keep == .region else { return nil }
    for region in places.all where region != places[node] {
      // Where the placement cannot give this margin with every replica in sync, waiting does not bring it.
      guard isMet(by: rest.filter { places[$0] != region }, of: partition, places) else { continue }
      guard isMet(by: left.filter { places[$0] != region }, of: partition, places) else {
        return "could not lose the Region \(region) meanwhile."
      }
    }
    return nil
  }
}
