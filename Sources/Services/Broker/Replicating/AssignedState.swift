import ClusterMetadata
import Replication
import Vocabulary

// What the metadata says about a partition, in the words of the copies that it has.

extension Replication.PartitionState {
  /// The leader is the life of its broker that the metadata knows: a later one was elected by a later change.
  init(_ state: ClusterMetadata.PartitionState, in image: MetadataImage) {
    let leader: Leader
    if state.leader != .none, let broker = image.brokers[state.leader] {
      leader = .elected(state.leader, BrokerEpoch(broker.epoch))
    } else {
      leader = .none
    }
    self.init(
      leader: leader, leaderEpoch: state.leaderEpoch, partitionEpoch: PartitionEpoch(state.partitionEpoch),
      inSync: NodeSet(state.inSync),
      members: state.replicas.map { node in
        Member(
          node, in: Region(image.brokers[node]?.location.region ?? ""),
          state.observers.contains(node) ? .observer : .sync)
      })
  }
}

extension MetadataImage {
  /// The brokers that have copies of a partition; one that is not registered is left out.
  func statuses(of nodes: [NodeID]) -> [BrokerStatus] {
    nodes.compactMap { node in brokers[node].map { BrokerStatus($0) } }
  }
}

extension BrokerStatus {
  init(_ broker: BrokerRegistration) {
    let availability: Availability =
      broker.isFenced ? .fenced : broker.isShuttingDown ? .stopping : .active
    self.init(broker.id, epoch: BrokerEpoch(broker.epoch), availability)
  }
}
