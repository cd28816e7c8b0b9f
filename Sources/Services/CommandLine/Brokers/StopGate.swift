import Vocabulary

/// Whether a broker may stop without taking acks=all from anybody, and without taking the quorum its majority.
///
/// A partition that this broker is not in sync for loses nothing by its stopping, and one whose replicas are no more than
/// its minimum cannot be helped by waiting. Where the whole cluster is taken down, nobody is left who could come instead.
struct StopGate: Sendable {
  struct Partition: Sendable {
    var name: String
    /// Those that vote: without observers.
    var voters: [NodeID]
    var inSync: [NodeID]
    /// `min.insync.replicas` and `min.insync.regions` of its topic.
    var replicasMin: Int
    var regionsMin: Int
  }
  struct Quorum: Sendable {
    /// Nil while nobody leads.
    var leader: NodeID?
    var voters: [NodeID]
    var caughtUp: [NodeID]
  }
  var node: NodeID
  var partitions: [Partition]
  /// Nil while it does not answer.
  var quorum: Quorum?
  /// Where each broker is.
  var regions: [NodeID: String]
  /// `controlled.shutdown.enable`, as it is set for all brokers while they run. It is false where all of them go for good.
  var handsOver = true

  /// Why it should not stop yet, in one sentence; nil where it may.
  var obstacle: String? { handsOver ? quorumObstacle ?? partitions.lazy.compactMap(obstacle).first : nil }

  private var quorumObstacle: String? {
    guard let quorum else { return "the metadata quorum does not answer" }
    guard quorum.voters.contains(node), quorum.voters.count > 1 else { return nil }
    guard quorum.leader != nil else { return "the metadata quorum has no leader" }
    let left = quorum.caughtUp.count { $0 != node }
    let needed = quorum.voters.count / 2 + 1
    return left < needed
      ? "without it \(left) voters of the metadata quorum would be caught up, and \(needed) are needed" : nil
  }

  private func obstacle(_ partition: Partition) -> String? {
    guard partition.inSync.contains(node) else { return nil }
    let others = partition.voters.filter { $0 != node }
    guard others.count >= partition.replicasMin, places(others) >= partition.regionsMin else { return nil }
    let left = partition.inSync.filter { $0 != node }
    if left.count < partition.replicasMin {
      return "\(partition.name) would have \(left.count) replicas in sync, and needs \(partition.replicasMin)"
    }
    if places(left) < partition.regionsMin {
      return "\(partition.name) would be in sync in \(places(left)) Regions, and needs \(partition.regionsMin)"
    }
    return nil
  }

  private func places(_ nodes: [NodeID]) -> Int { Set(nodes.map { regions[$0] ?? "" }).count }
}
