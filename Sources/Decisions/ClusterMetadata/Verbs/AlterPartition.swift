public import Vocabulary

/// What a leader asks for about the in-sync set of one partition (KIP-497, KIP-903).
public struct InSyncProposal: Sendable {
  public struct Member: Sendable {
    public let broker: NodeID
    /// The epoch with which it fetched; nil when the leader does not know, and then it is not compared.
    public let epoch: Int64?
    public init(_ broker: NodeID, epoch: Int64?) {
      self.broker = broker
      self.epoch = epoch
    }
  }

  public let topic: UniqueID
  public let partition: PartitionIndex
  public let leaderEpoch: LeaderEpoch
  public let partitionEpoch: Int32
  public let members: [Member]
  public let recovery: LeaderRecovery

  public init(
    topic: UniqueID, partition: PartitionIndex, leaderEpoch: LeaderEpoch, partitionEpoch: Int32, members: [Member],
    recovery: LeaderRecovery = .recovered
  ) {
    self.topic = topic
    self.partition = partition
    self.leaderEpoch = leaderEpoch
    self.partitionEpoch = partitionEpoch
    self.members = members
    self.recovery = recovery
  }
}

extension MetadataImage {
  /// AlterPartition for one partition. The answer is the partition as it is then.
  ///
  /// A proposal that changes nothing uses up the partition epoch all the same: that is how a leader makes an older
  /// proposal of its own void, which may still be under way.
  ///
  /// Observers are taken in while those that vote are too few for acks=all. That they have caught up is the leader's
  /// word, as with every member.
  ///
  /// When the change moves the leadership, because it completes a reassignment that takes the leader away or because
  /// the leader is an observer and another is in sync now, there are records and the answer is NEW_LEADER_ELECTED.
  public func alterInSync(
    _ proposal: InSyncProposal, by leader: NodeID, epoch: Int64,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<PartitionState, Refusal>> {
    do throws(Refusal) {
      _ = try registration(of: leader, epoch: epoch)
      let topic = try topic(.id(proposal.topic)).get()
      let partition = try self.partition(proposal.partition, of: topic)
      let rules = rules(of: topic, inherited: inherited)
      try check(proposal, by: leader, partition, rules)
      var transition = PartitionTransition(partition, rules, self)
      transition.after.inSync = proposal.members.map(\.broker)
      transition.after.recovery = proposal.recovery
      let change = transition.settle(.ifNeeded) ?? PartitionChange(inSync: transition.after.inSync)
      var changed = partition
      changed.apply(change)
      let records = [MetadataRecord.partitionChanged(topic: topic.id, proposal.partition, change)]
      guard changed.leader == leader else {
        return Decision(
          records: records,
          answer: .failure(
            Refusal(
              .newLeaderElected,
              "With this in-sync set broker \(changed.leader.value) leads \(topic.name)-\(proposal.partition.value).")))
      }
      return Decision(records: records, answer: .success(changed))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  func partition(_ index: PartitionIndex, of topic: TopicState) throws(Refusal) -> PartitionState {
    guard topic.partitions.indices.contains(Int(index.value)) else {
      throw Refusal(
        .unknownTopicOrPartition,
        "The topic '\(topic.name)' has \(topic.partitions.count) partition(s), and none with the number \(index.value)."
      )
    }
    return topic.partitions[Int(index.value)]
  }

  /// The order of the checks is Kafka's: who has newer epochs than this node knows speaks to an old controller.
  private func check(
    _ proposal: InSyncProposal, by leader: NodeID, _ partition: PartitionState, _ rules: PartitionRules
  ) throws(Refusal) {
    guard proposal.leaderEpoch <= partition.leaderEpoch, proposal.partitionEpoch <= partition.partitionEpoch else {
      throw Refusal(
        .notController,
        "The leader knows the epochs \(proposal.leaderEpoch.value) and \(proposal.partitionEpoch), newer than "
          + "\(partition.leaderEpoch.value) and \(partition.partitionEpoch): another node is the controller.")
    }
    guard proposal.leaderEpoch == partition.leaderEpoch else {
      throw Refusal(
        .fencedLeaderEpoch,
        "The leader epoch is \(partition.leaderEpoch.value), no longer \(proposal.leaderEpoch.value).")
    }
    guard leader == partition.leader else {
      throw Refusal(
        .invalidRequest,
        "Broker \(leader.value) does not lead the partition; its leader is \(partition.leader.value).")
    }
    guard proposal.partitionEpoch == partition.partitionEpoch || planted == .ignoresThePartitionEpoch else {
      throw Refusal(
        .invalidUpdateVersion,
        "The partition epoch is \(partition.partitionEpoch), no longer \(proposal.partitionEpoch).")
    }
    try checkMembers(proposal, by: leader, partition, rules)
  }

  private func checkMembers(
    _ proposal: InSyncProposal, by leader: NodeID, _ partition: PartitionState, _ rules: PartitionRules
  ) throws(Refusal) {
    let inSync = proposal.members.map(\.broker)
    guard Set(inSync).count == inSync.count, inSync.contains(leader), inSync.allSatisfy(partition.replicas.contains)
    else {
      throw Refusal(
        .invalidRequest,
        "The in-sync set \(text(inSync)) must hold the leader \(leader.value) and only replicas, each once; the "
          + "replicas are \(text(partition.replicas)).")
    }
    guard proposal.recovery == .recovered || partition.recovery == .recovering && inSync.count == 1 else {
      throw Refusal(
        .invalidRequest,
        "A leader that is recovering is alone in sync, and one that has recovered stays so; \(text(inSync)) was asked "
          + "for.")
    }
    for member in proposal.members {
      if let reason = ineligibility(of: member, partition) {
        throw Refusal(.ineligibleReplica, "Broker \(member.broker.value) cannot be in sync: it \(reason).")
      }
    }
    // One that is promoted already may stay until the leader proposes that it goes: it has what is committed.
    let promoted = inSync.filter { partition.observers.contains($0) && !partition.inSync.contains($0) }
    guard let observer = promoted.first, planted != .promotesAtAnyTime else { return }
    let voters = inSync.filter { !partition.observers.contains($0) }
    if canAcknowledge(voters, rules) {
      throw Refusal(
        .ineligibleReplica,
        "Broker \(observer.value) only observes this partition, and \(text(voters)) are enough without it.")
    }
  }

  private func ineligibility(of member: InSyncProposal.Member, _ partition: PartitionState) -> String? {
    guard let broker = brokers[member.broker] else { return "is not registered" }
    if broker.isShuttingDown { return "is shutting down" }
    if broker.isFenced { return "is fenced" }
    if let epoch = member.epoch, epoch != broker.epoch, planted != .takesAnEarlierLife {
      return "fetched with the epoch \(epoch) and is now registered with \(broker.epoch)"
    }
    if !canLead(member.broker, partition) { return "has lost the log directory of this replica" }
    return nil
  }

  func text(_ brokers: [NodeID]) -> String { brokers.map { String($0.value) }.joined(separator: ",") }
}
