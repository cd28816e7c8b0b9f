import ClusterMetadata
import EventLoop
import Replication
import Synchronization
import Telemetry
import Vocabulary

/// One side's limit for replicas that are catching up (KIP-73). Any thread may ask it.
final class ReplicationThrottle: Sendable {
  private let quota = Mutex(ReplicationQuota(rate: nil, at: monotonicNow()))
  /// Read first: without a limit a fetch pays for nothing else.
  private let limited = Atomic(false)
  private let bytes: Counter?

  /// - Parameter bytes: counts what is copied under a limit.
  init(counting bytes: Counter? = nil) { self.bytes = bytes }

  /// Bytes per second; nil is no limit.
  var rate: Int64? { isLimited ? quota.withLock { $0.rate } : nil }
  var isLimited: Bool { limited.load(ordering: .acquiring) }

  /// True when it was another one before.
  func set(rate: Int64?) -> Bool {
    let hasChanged = quota.withLock { quota in
      guard quota.rate != rate else { return false }
      quota.change(rate: rate, at: monotonicNow())
      return true
    }
    if hasChanged { limited.store(rate != nil, ordering: .releasing) }
    return hasChanged
  }

  func isUsedUp(after spent: Int = 0, at now: Instant) -> Bool {
    isLimited && quota.withLock { $0.isUsedUp(after: spent, at: now) }
  }

  func ready(at now: Instant) -> Instant { quota.withLock { $0.ready(at: now) } }

  func take(_ count: Int, at now: Instant) {
    quota.withLock { $0.take(count, at: now) }
    bytes?.add(count)
  }
}

/// Both sides of a broker: what it sends to followers that are catching up, and what it copies while it does so itself.
struct ReplicationThrottles: Sendable {
  let leader: ReplicationThrottle
  let follower: ReplicationThrottle

  init(_ metrics: BrokerMetrics? = nil) {
    leader = ReplicationThrottle(counting: metrics?.leaderThrottled)
    follower = ReplicationThrottle(counting: metrics?.followerThrottled)
  }

  /// Takes the rates that a broker has now. True when one of them has changed.
  func adopt(_ configs: ConfigResolution) -> Bool {
    let leads = leader.set(rate: Self.rate("leader.replication.throttled.rate", configs))
    let follows = follower.set(rate: Self.rate("follower.replication.throttled.rate", configs))
    return leads || follows
  }

  /// The largest number is no limit.
  private static func rate(_ key: String, _ configs: ConfigResolution) -> Int64? {
    configs.values(ofBrokerKey: key).first?.value.flatMap { Int64($0) }.flatMap { $0 == .max ? nil : $0 }
  }
}
