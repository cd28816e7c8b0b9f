public import Vocabulary

extension MetadataImage {
  /// CreatePartitions for one topic: `total` is the number that it shall have; partitions are never taken away.
  public func addPartitions(
    to topic: String, total: Int32, assigned: [[NodeID]]?
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      guard let name = TopicName(topic) else { throw .invalidName(topic) }
      guard let state = self.topic(named: name) else {
        throw Refusal(.unknownTopicOrPartition, "The topic '\(name)' does not exist.")
      }
      let present = Int32(state.partitions.count)
      guard total > present else {
        throw Refusal(
          .invalidPartitions,
          total == present
            ? "Topic already has \(present) partition(s)."
            : "The topic \(name) currently has \(present) partition(s); \(total) would not be an increase.")
      }
      try checkRoom(for: total - present)
      let rules = try PlacementRules(configs(of: .topic(name.text)))
      let layouts: [ReplicaLayout]
      if let assigned {
        guard assigned.count == Int(total - present) else {
          throw Refusal(
            .invalidReplicaAssignment,
            "\(total - present) new partition(s) need as many assignments; there are \(assigned.count).")
        }
        let keyed = assigned.enumerated().map { (present + Int32($0.offset), $0.element) }
        layouts = try checked(Dictionary(uniqueKeysWithValues: keyed), from: present, rules)
      } else {
        layouts = try place(
          partitions: Int(total - present), startingAt: Int(state.id.low % UInt64(Int32.max)),
          replicationFactor: rules.replicas.isEmpty ? replicationFactor(of: state) : nil, rules,
          present: state.partitions)
      }
      let records = layouts.enumerated().map { offset, layout in
        var partition = newPartition(layout)
        partition.leaderEpoch = firstEpoch(beside: state)
        return MetadataRecord.partitionCreated(topic: state.id, PartitionIndex(present + Int32(offset)), partition)
      }
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// A topic that has changed sides has epochs that no owner before has used. A partition that is added begins there as
  /// well: the old owner may have added one of its own, which nobody copied.
  private func firstEpoch(beside topic: TopicState) -> LeaderEpoch {
    let highest = topic.partitions.map(\.leaderEpoch.value).max() ?? 0
    return LeaderEpoch(max(0, highest) / Self.mirrorEpochHeadroom * Self.mirrorEpochHeadroom)
  }

  /// Of the first partition once its reassignment is done.
  private func replicationFactor(of topic: TopicState) -> Int16 {
    guard let first = topic.partitions.first else { return 1 }
    return Int16(clamping: first.voters.count { !first.removing.contains($0) })
  }
}
