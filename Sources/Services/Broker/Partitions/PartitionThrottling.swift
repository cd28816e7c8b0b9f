import ClusterMetadata
import Replication
import Synchronization
import Vocabulary

// Which copies are made under a limit (KIP-73). Whoever is in sync never is: producers wait for it.

extension Partition {
  /// Whether the topic's lists name this copy.
  struct ThrottleListing: Equatable, Sendable {
    /// As the one that is copied from.
    let asLeader: Bool
    /// As the one that copies.
    let asFollower: Bool

    init(_ name: TopicPartition, on node: NodeID, _ settings: TopicSettings) {
      asLeader = settings.leaderThrottle.contains(name.partition, on: node)
      asFollower = settings.followerThrottle.contains(name.partition, on: node)
    }
  }

  /// Whether what a follower gets from here counts towards the leader's limit.
  func throttles(_ follower: NodeID) -> Bool {
    state.withLock { state in
      guard state.throttled.asLeader, case .leader(let lead) = state.replica.role else { return false }
      return !lead.maximal.contains(follower)
    }
  }

  /// Whether what this copy gets counts towards the follower's limit.
  var copiesThrottled: Bool { isCatchingUpThrottled.load(ordering: .acquiring) }

  /// After the lists or the in-sync set may have changed.
  func noteThrottle(_ state: State, _ after: inout PartitionAftermath) {
    let isInSync = state.assigned?.state.inSync.contains(world.node) ?? false
    let isThrottled = state.throttled.asFollower && !isInSync
    let was = isCatchingUpThrottled.exchange(isThrottled, ordering: .acquiringAndReleasing)
    if was, !isThrottled { after.isThrottleLifted = true }
  }
}
