import Vocabulary

extension MetadataImage {
  /// Replicas for new partitions, spread over the live brokers: leaders in turn, followers on the next brokers.
  func place(
    partitions: Int, startingAt first: Int, replicationFactor: Int16
  ) throws(Refusal) -> [[NodeID]] {
    let live = liveBrokers.map(\.id)
    guard replicationFactor > 0 else {
      throw Refusal(
        .invalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
    }
    guard Int(replicationFactor) <= live.count else {
      throw Refusal(
        .invalidReplicationFactor,
        "Unable to replicate the partition \(replicationFactor) time(s): only \(live.count) broker(s) are registered.")
    }
    return (first..<first + partitions).map { index in
      (0..<Int(replicationFactor)).map { live[(index + $0) % live.count] }
    }
  }

  /// A manual assignment as a list by partition index from `first` on: without holes, each replica a known broker, once.
  func checked(_ assignment: [Int32: [NodeID]], from first: Int32) throws(Refusal) -> [[NodeID]] {
    var result: [[NodeID]] = []
    for (position, index) in assignment.keys.sorted().enumerated() {
      guard index == first + Int32(position) else {
        throw Refusal(
          .invalidReplicaAssignment,
          "The manual assignment must name consecutive partitions from \(first) on; \(first + Int32(position)) is missing."
        )
      }
      let replicas = assignment[index] ?? []
      guard !replicas.isEmpty, Set(replicas).count == replicas.count else {
        throw Refusal(.invalidReplicaAssignment, "Partition \(index) must have one or more replicas, each broker once.")
      }
      guard replicas.count == result.first?.count ?? replicas.count else {
        throw Refusal(
          .invalidReplicaAssignment,
          "Partition \(index) has \(replicas.count) replicas, and partition \(first) has another number.")
      }
      if let stranger = replicas.first(where: { brokers[$0] == nil }) {
        throw Refusal(
          .invalidReplicaAssignment, "The manual assignment names broker \(stranger.value), which is not registered.")
      }
      result.append(replicas)
    }
    return result
  }
}
