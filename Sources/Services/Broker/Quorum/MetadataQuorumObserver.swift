import ClusterMetadata
import Vocabulary

/// Whoever lives by what the quorum commits. Everything is called on the quorum's thread, in order, and may append.
protocol MetadataQuorumObserver: AnyObject, Sendable {
  /// These records are committed for ever, and `image` holds everything before `upTo`. The quorum's own records are
  /// passed over, so that there may be none.
  func committed(_ records: [MetadataRecord], _ image: MetadataImage, upTo: Offset)
  /// A snapshot took the place of everything.
  func replaced(by image: MetadataImage, upTo: Offset)
  /// Everything before the epoch's start has been applied: the image is complete, and proposals are welcome.
  func becameLeader(_ epoch: LeaderEpoch)
  /// Only after `becameLeader` of the same epoch. What was appended and not committed may come to nothing.
  func lostLeadership(_ epoch: LeaderEpoch)
  func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch)
}
