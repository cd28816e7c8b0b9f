public import Vocabulary

/// By its number on the wire (KIP-183, KIP-460).
public enum ElectionType: Int8, Sendable {
  case preferred = 0
  case unclean = 1
}

extension MetadataImage {
  /// ElectLeaders for one partition. An unclean election loses what only the others had, and is held only because it
  /// was asked for here.
  public func elect(
    _ type: ElectionType, topic: String, partition index: PartitionIndex,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Void, Refusal>> {
    do throws(Refusal) {
      let topic = try self.topic(.name(topic)).get()
      let partition = try self.partition(index, of: topic)
      let rules = rules(of: topic, inherited: inherited)
      var transition = PartitionTransition(partition, rules, self)
      let change: PartitionChange?
      switch type {
      case .preferred:
        let wanted = candidates(partition, rules).first ?? .none
        guard partition.leader != wanted else { throw .electionNotNeeded }
        change = transition.settle(.preferred)
        guard transition.after.leader == wanted else {
          throw Refusal(
            .preferredLeaderNotAvailable,
            "Broker \(wanted.value), the first choice to lead \(topic.name)-\(index.value), is not in sync or not alive."
          )
        }
      case .unclean:
        guard partition.leader == .none else { throw .electionNotNeeded }
        change = transition.settle(.unclean)
        guard transition.after.leader != .none else {
          throw Refusal(
            .eligibleLeadersNotAvailable,
            "No replica of \(topic.name)-\(index.value) is alive; its replicas are on \(text(partition.replicas)).")
        }
      }
      let records = change.map { [MetadataRecord.partitionChanged(topic: topic.id, index, $0)] } ?? []
      return Decision(records: records, answer: .success(()))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  /// Leaders go back to the first choice where it is in sync (auto.leader.rebalance.enable), at most so many at once:
  /// each move interrupts its partition for a moment.
  public func balanceLeaders(
    atMost limit: Int, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> [MetadataRecord] {
    var records: [MetadataRecord] = []
    for topic in topicsByName {
      let rules = rules(of: topic, inherited: inherited)
      for (index, partition) in topic.partitions.enumerated() {
        guard records.count < limit else { return records }
        guard let wanted = candidates(partition, rules).first, wanted != partition.leader,
          partition.inSync.contains(wanted), canLead(wanted, partition)
        else { continue }
        var transition = PartitionTransition(partition, rules, self)
        if let change = transition.settle(.preferred) {
          records.append(.partitionChanged(topic: topic.id, PartitionIndex(Int32(index)), change))
        }
      }
    }
    return records
  }

  /// Elects for partitions without a leader where that is possible by now, such as after
  /// unclean.leader.election.enable was set on their topic.
  public func electMissingLeaders(inherited: ConfigResolution = ConfigResolution(fixed: [:])) -> [MetadataRecord] {
    settle(inherited, where: { $0.leader == .none })
  }
}

extension Refusal {
  static let electionNotNeeded = Refusal(.electionNotNeeded, "The partition has the leader that the election is for.")
}
