import LogStorage
import Vocabulary

/// Who may write a partition: clients, or the mirror that copies it from another cluster. Under the partition's lock.
enum WriteGate: Hashable, Sendable {
  case clients
  case mirror(String)
  /// The mirror has let go: clients write from the next leader epoch on, which stands in the metadata beside it. In the
  /// present one the log has only what was copied.
  case opensAbove(LeaderEpoch)

  /// Another cluster takes the topic over: nobody writes here until it has done so, or has given it up.
  case fenced(by: String)

  init(_ settings: TopicSettings) {
    if let link = settings.mirrorLink {
      self = .mirror(link)
    } else {
      self = settings.mirrorFence.map { .fenced(by: $0) } ?? .clients
    }
  }

  mutating func turn(to settings: TopicSettings, in epoch: LeaderEpoch) {
    let next = WriteGate(settings)
    switch (self, next) {
    case (.mirror, .clients): self = .opensAbove(epoch)
    case (.opensAbove, .clients): break
    case (.clients, _), (.mirror, _), (.fenced, _), (.opensAbove, _): self = next
    }
  }

  /// What a client is told whose write may not be taken.
  func refusal(in epoch: LeaderEpoch, of name: TopicPartition) -> AppendRefusal? {
    switch self {
    case .clients: return nil
    case .mirror(let link):
      return AppendRefusal(
        .policyViolation,
        "The topic \(name.topic) is written by the mirror '\(link)' alone: write to the cluster that it comes from.")
    case .fenced(let cluster):
      // Producers try again for a while: the switchover may be given up.
      return AppendRefusal(
        .notEnoughReplicas, "The topic \(name.topic) is being moved to the cluster \(cluster): write there.")
    case .opensAbove(let last):
      return epoch > last
        ? nil : AppendRefusal(.notLeaderOrFollower, "The topic \(name.topic) is about to take writes.")
    }
  }
}
