import LogStorage
import Vocabulary

/// Who may write a partition: clients, or the mirror that copies it from another cluster. Under the partition's lock.
enum WriteGate: Hashable, Sendable {
  case clients
  case mirror(String)
  /// The mirror has let go: clients write from the next leader epoch on, which stands in the metadata beside it. In the
  /// present one the log has only what was copied.
  case opensAbove(LeaderEpoch)

  init(_ link: String?) { self = link.map { .mirror($0) } ?? .clients }

  mutating func turn(to link: String?, in epoch: LeaderEpoch) {
    switch (self, link) {
    case (_, let link?): self = .mirror(link)
    case (.mirror, nil): self = .opensAbove(epoch)
    case (.clients, nil), (.opensAbove, nil): break
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
    case .opensAbove(let last):
      return epoch > last
        ? nil : AppendRefusal(.notLeaderOrFollower, "The topic \(name.topic) is about to take writes.")
    }
  }
}
