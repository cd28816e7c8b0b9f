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
      let replicas: [[NodeID]]
      if let assigned {
        guard assigned.count == Int(total - present) else {
          throw Refusal(
            .invalidReplicaAssignment,
            "\(total - present) new partition(s) need as many assignments; there are \(assigned.count).")
        }
        let keyed = assigned.enumerated().map { (present + Int32($0.offset), $0.element) }
        replicas = try checked(Dictionary(uniqueKeysWithValues: keyed), from: present)
      } else {
        replicas = try place(
          partitions: Int(total - present), startingAt: Int(present),
          replicationFactor: Int16(clamping: state.partitions.first?.replicas.count ?? 1))
      }
      let records = replicas.enumerated().map { offset, replicas in
        MetadataRecord.partitionCreated(
          topic: state.id, PartitionIndex(present + Int32(offset)), newPartition(replicas))
      }
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }
}
