public import Vocabulary

/// A reassignment that is under way, as ListPartitionReassignments shows it.
public struct OngoingReassignment: Sendable, Equatable {
  public let topic: TopicName
  public let partition: PartitionIndex
  public let replicas: [NodeID]
  public let adding: [NodeID]
  public let removing: [NodeID]
}

extension MetadataImage {
  /// AlterPartitionReassignments for one partition (KIP-455): `target` are its replicas afterwards, the observers
  /// included; nil cancels what is under way.
  ///
  /// New replicas are added at once; old ones go when every replica that stays and can be in sync is in sync
  /// (observers are not waited for). What an earlier reassignment added and this one does not name goes at once.
  /// Differs from Kafka: a cancellation never needs an unclean election, it is refused then.
  public func reassign(
    topic: String, partition index: PartitionIndex, to target: [NodeID]?,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      let topic = try self.topic(.name(topic)).get()
      let partition = try self.partition(index, of: topic)
      var transition = PartitionTransition(partition, rules(of: topic, inherited: inherited), self)
      if let target {
        try move(&transition, to: target, topic, index)
      } else {
        try cancel(&transition, topic, index)
      }
      let change = transition.settle(.ifNeeded)
      let records = change.map { [MetadataRecord.partitionChanged(topic: topic.id, index, $0)] } ?? []
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// ListPartitionReassignments: of these partitions, or of all. What does not exist is left out.
  public func reassignments(of asked: [(topic: String, partition: PartitionIndex)]? = nil) -> [OngoingReassignment] {
    func ongoing(_ topic: TopicState, _ index: Int) -> OngoingReassignment? {
      guard topic.partitions.indices.contains(index), topic.partitions[index].isBeingReassigned else { return nil }
      let partition = topic.partitions[index]
      return OngoingReassignment(
        topic: topic.name, partition: PartitionIndex(Int32(index)), replicas: partition.replicas,
        adding: partition.adding, removing: partition.removing)
    }
    guard let asked else {
      return topicsByName.flatMap { topic in topic.partitions.indices.compactMap { ongoing(topic, $0) } }
    }
    return asked.compactMap { name, index in
      TopicName(name).flatMap(topic(named:)).flatMap { ongoing($0, Int(index.value)) }
    }
  }

  private func move(
    _ transition: inout PartitionTransition, to target: [NodeID], _ topic: TopicState, _ index: PartitionIndex
  ) throws(Refusal) {
    let partition = transition.before
    let rules = try PlacementRules(configs(of: .topic(topic.name.text)))
    try checkReplicas(target, of: index.value, rules)
    let layout = layout(of: target, rules, present: partition)
    guard layout.observers.count < layout.replicas.count else {
      throw Refusal(
        .invalidReplicaAssignment,
        "\(topic.name)-\(index.value) would have observers alone on \(text(target)); one or more must be able to lead.")
    }
    try checkSpan(of: layout, rules)
    let original = partition.replicas.filter { !partition.adding.contains($0) }
    let removing = original.filter { !target.contains($0) }
    transition.after.observers = layout.observers + partition.observers.filter { removing.contains($0) }
    try keepInSync(&transition, layout.replicas + removing, topic, index)
    transition.after.adding = layout.replicas.filter { !original.contains($0) }
    transition.after.removing = removing
  }

  private func cancel(
    _ transition: inout PartitionTransition, _ topic: TopicState, _ index: PartitionIndex
  ) throws(Refusal) {
    let partition = transition.before
    guard partition.isBeingReassigned else {
      throw Refusal(.noReassignmentInProgress, "\(topic.name)-\(index.value) is not being reassigned.")
    }
    try keepInSync(&transition, partition.replicas.filter { !partition.adding.contains($0) }, topic, index)
    transition.after.adding = []
    transition.after.removing = []
  }

  /// Some replica that is in sync must be among those that are kept.
  private func keepInSync(
    _ transition: inout PartitionTransition, _ kept: [NodeID], _ topic: TopicState, _ index: PartitionIndex
  ) throws(Refusal) {
    let inSync = transition.before.inSync.filter { kept.contains($0) }
    guard !inSync.isEmpty else {
      throw Refusal(
        .invalidReplicaAssignment,
        "\(topic.name)-\(index.value) would be left with replicas on \(text(kept)), of which none is in sync; in sync are "
          + "\(text(transition.before.inSync)).")
    }
    transition.keep(kept)
    transition.after.inSync = inSync
  }
}
