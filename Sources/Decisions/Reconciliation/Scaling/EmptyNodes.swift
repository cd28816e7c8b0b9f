import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// Partitions move away from nodes that leave, one node after the other, a few partitions at a time. A replica goes
  /// only after the new one is in sync; that is the brokers' promise.
  func emptyNodes(into plan: inout Plan) {
    guard !leaving.isEmpty else { return }
    guard let facts = situation.brokers.content, facts.leader != nil else {
      plan.waits.append("\(listed(leaving.map(\.name))) can go once the brokers answer and have a leader.")
      return
    }
    // The youngest goes first, as when a StatefulSet shrinks.
    guard let node = leaving.last(where: { holdsReplicas($0, facts) }) else { return }
    let moving = facts.topics.reduce(0) { sum, topic in sum + topic.partitions.count { $0.isMoving } }
    var room = ReconciliationLimits.partitionsMovingMax - moving
    var load = ReplicaLoad(facts)
    var moves: [Reassignment] = []
    for topic in facts.topics.sorted(by: { $0.name < $1.name }) {
      for (index, partition) in topic.partitions.enumerated() {
        guard room > 0 else { break }
        guard !partition.isMoving, partition.replicas.contains(node.id) else { continue }
        guard let target = replacement(for: node, topic, partition, facts, &load) else {
          plan.waits.append(
            "\(node.name) cannot go: no other broker may take over partition \(index) of \(topic.name); change its placement or add a broker."
          )
          room = 0
          break
        }
        let replicas = partition.replicas.map { $0 == node.id ? target : $0 }
        let move = Reassignment(topic: topic.name, partition: index, replicas: replicas)
        moves.append(move)
        if situation.refused.isOpen(move) { room -= 1 }
      }
    }
    if moves.isEmpty {
      if moving > 0 { plan.waits.append("Partitions are moving away from \(node.name).") }
      return
    }
    plan.steps.append(.ask(.reassign(moves)))
  }

  func holdsReplicas(_ node: Node, _ facts: BrokerFacts) -> Bool {
    facts.topics.contains { $0.partitions.contains { $0.replicas.contains(node.id) } }
  }

  private func replacement(
    for node: Node, _ topic: TopicFacts, _ partition: PartitionFacts, _ facts: BrokerFacts, _ load: inout ReplicaLoad
  ) -> NodeID? {
    let allowed = topic.config["placement.allowed.regions"].map { $0.split(separator: ",").map(String.init) }
    let isCounted = topic.config["placement.replicas.per.region"] != nil
    let stays = Set(wanted.filter(\.isBroker).map(\.id))
    let taken = Set(partition.replicas.filter { $0 != node.id }.compactMap { id in facts.region(of: id) })
    let candidates = facts.brokers.filter { broker in
      stays.contains(broker.id) && !broker.isFenced && !partition.replicas.contains(broker.id)
        && (allowed?.contains(broker.region) ?? true) && (!isCounted || broker.region == node.region)
    }
    // First the same Region, then one that has no replica yet, then whoever has least to do.
    func rank(_ broker: BrokerFacts.Broker) -> (Int, Int, NodeID) {
      (broker.region == node.region ? 0 : taken.contains(broker.region) ? 2 : 1, load[broker.id], broker.id)
    }
    guard let best = candidates.min(by: { rank($0) < rank($1) }) else { return nil }
    load.add(best.id)
    return best.id
  }
}

extension BrokerFacts {
  func region(of id: NodeID) -> String? { brokers.first { $0.id == id }?.region }
}

/// How many replicas each broker has, moves that are planned included.
struct ReplicaLoad {
  private var counts: [NodeID: Int] = [:]
  init(_ facts: BrokerFacts) {
    for topic in facts.topics {
      for partition in topic.partitions { for replica in partition.replicas { counts[replica, default: 0] += 1 } }
    }
  }
  subscript(id: NodeID) -> Int { counts[id] ?? 0 }
  mutating func add(_ id: NodeID) { counts[id, default: 0] += 1 }
}
