import KubernetesResources
import Vocabulary

extension ClusterDesign {
  /// The setting that says how many replicas an internal topic is made with, by the topic's name.
  private static let internalTopics = [
    "__consumer_offsets": "offsets.topic.replication.factor",
    "__transaction_state": "transaction.state.log.replication.factor",
  ]

  /// Brokers make internal topics with as many replicas as there could be at that time, and no KafkaTopic speaks of
  /// them: a cluster that grew out of one Region would lose its groups and transactions with that Region. So they
  /// follow the durability as it is now, in how many replicas they have and in where these are, a few partitions at a
  /// time. Returns whether something is moved, and nodes are emptied later.
  func spreadInternalTopics(into plan: inout Plan) -> Bool {
    guard let facts = situation.brokers.content, facts.leader != nil else { return false }
    let moving = facts.topics.reduce(0) { sum, topic in sum + topic.partitions.count { $0.isMoving } }
    var room = ReconciliationLimits.partitionsMovingMax - moving
    var load = ReplicaLoad(facts)
    var moves: [Reassignment] = []
    for topic in facts.topics.sorted(by: { $0.name < $1.name }) {
      guard let key = Self.internalTopics[topic.name] else { continue }
      let count = cluster.spec.config[key].flatMap { Int($0) } ?? durability.replicationFactor
      for (index, partition) in topic.partitions.enumerated() where room > 0 && !partition.isMoving {
        guard let replicas = spread(partition, over: count, facts, &load) else { continue }
        let move = Reassignment(topic: topic.name, partition: index, replicas: replicas)
        moves.append(move)
        if situation.refused.isOpen(move) { room -= 1 }
      }
    }
    guard !moves.isEmpty else { return false }
    plan.steps.append(.ask(.reassign(moves)))
    return moves.contains(where: situation.refused.isOpen)
  }

  /// The replicas that a partition shall have; nil where it has as many and they are spread as well as they can be, or
  /// where brokers are missing.
  private func spread(
    _ partition: PartitionFacts, over count: Int, _ facts: BrokerFacts, _ load: inout ReplicaLoad
  ) -> [NodeID]? {
    let fits = partition.replicas.count == count
    guard !fits || durability.regionsLost > 0 else { return nil }
    let stays = Set(wanted.filter(\.isBroker).map(\.id))
    let alive = facts.brokers.filter { stays.contains($0.id) && !$0.isFenced }
    guard alive.count >= count else { return nil }
    let known = partition.replicas.filter { id in alive.contains { $0.id == id } }
    // Whoever is in sync and stays is worth most, one in each Region first.
    var replicas: [NodeID] = []
    func crowd(_ region: String?) -> Int { replicas.count { facts.region(of: $0) == region } }
    for id in known where replicas.count < count && crowd(facts.region(of: id)) == 0 { replicas.append(id) }
    while replicas.count < count {
      let others = alive.filter { !replicas.contains($0.id) }
      func rank(_ broker: BrokerFacts.Broker) -> (Int, Int, Int, NodeID) {
        (crowd(broker.region), known.contains(broker.id) ? 0 : 1, load[broker.id], broker.id)
      }
      guard let best = others.min(by: { rank($0) < rank($1) }) else { return nil }
      replicas.append(best.id)
    }
    // As many replicas as there shall be are too few where one Region has more of them than it has to.
    guard !fits || largestShare(partition.replicas, facts) > largestShare(replicas, facts) else { return nil }
    for id in replicas where !known.contains(id) { load.add(id) }
    return replicas
  }

  /// How many of these one Region's loss could take.
  private func largestShare(_ replicas: [NodeID], _ facts: BrokerFacts) -> Int {
    let places = RegionsOfNodes(self, facts)
    return Dictionary(grouping: replicas) { places[$0] }.values.map(\.count).max() ?? 0
  }
}
