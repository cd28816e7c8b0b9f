public import Vocabulary

/// What would become of the partitions if one Region were gone.
public struct RegionLoss: Sendable, Equatable {
  public let region: String
  /// They could not answer acks=all: too few replicas, or too few Regions, would be in sync. Those below are not
  /// named again.
  public let unwritable: [TopicPartition]
  /// No replica that is known to have every committed record would be left to lead.
  public let leaderless: [TopicPartition]

  public var isSurvived: Bool { unwritable.isEmpty && leaderless.isEmpty }
}

/// Which replicas count when a loss is thought through.
public enum RegionLossView: Sendable {
  /// Those that are in sync and alive now: whether it could be borne at this moment.
  case asNow
  /// All that can be in sync: whether the placement can bear it at all.
  case everyoneInSync
}

extension MetadataImage {
  /// The Regions that brokers are in, by name.
  public var regions: [String] { Set(brokers.values.map(\.location.region)).sorted() }

  /// What if a Region is lost. Partitions that are unwritable or leaderless already are named too: the Region's loss
  /// would not be survived by them either.
  public func losing(
    _ region: String, _ view: RegionLossView, inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> RegionLoss {
    var unwritable: [TopicPartition] = []
    var leaderless: [TopicPartition] = []
    for topic in topicsByName {
      let rules = rules(of: topic, inherited: inherited)
      for (index, partition) in topic.partitions.enumerated() {
        func survives(_ replica: NodeID) -> Bool {
          guard let broker = brokers[replica], broker.location.region != region else { return false }
          switch view {
          case .asNow: return canLead(replica, partition)
          case .everyoneInSync: return true
          }
        }
        let name = TopicPartition(topic.name, PartitionIndex(Int32(index)))
        let inSync: [NodeID]
        switch view {
        case .asNow: inSync = partition.inSync
        case .everyoneInSync: inSync = partition.voters.filter { !partition.adding.contains($0) }
        }
        let left = inSync.filter(survives)
        if left.isEmpty && !partition.eligible.contains(where: survives) {
          leaderless.append(name)
        } else if !canAcknowledge(left, rules) {
          unwritable.append(name)
        }
      }
    }
    return RegionLoss(region: region, unwritable: unwritable, leaderless: leaderless)
  }
}
