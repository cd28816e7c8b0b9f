import ClusterMetadata
import EventLoop
import LogStorage
import Vocabulary

/// What is done now and then, on the blocking pool: retention, syncs that are due, checkpoints, expiry.
struct Upkeep: Sendable {
  /// Whatever the configuration says: work without a pause would never let the disk rest.
  private static let intervalMin = TimeSpan.milliseconds(10)
  /// How late a producer that waits for other replicas may be told that its time is up.
  private static let tickInterval = TimeSpan.milliseconds(250)
  private let broker: Broker

  init(_ broker: Broker) { self.broker = broker }

  func start() {
    let reader = broker.settings.reader
    broker.pool.run { broker.storage.removeRetired() }
    every(reader.milliseconds("log.retention.check.interval.ms"), Self.applyRetention)
    every(reader.milliseconds("log.flush.offset.checkpoint.interval.ms")) { $0.storage.saveCheckpoints() }
    every(.seconds(1), Self.syncWhatIsDue)
    every(.seconds(10), Self.openWhatIsMissing)
    let calm = TimeSpan(nanoseconds: reader.milliseconds("replica.lag.time.max.ms").nanoseconds / 4)
    every(Self.tickInterval) { broker in
      let now = monotonicNow()
      for partition in broker.partitions.allPartitions { partition.tick(at: now, calm: calm) }
    }
    if reader.flag("log.cleaner.enable") {
      let compaction = Compaction(
        storage: broker.storage, bufferBytes: ByteCount(reader.int("log.cleaner.dedupe.buffer.size")),
        log: broker.log)
      every(reader.milliseconds("log.cleaner.backoff.ms")) { _ in compaction.run() }
    }
  }

  /// The next time is set when the work is done, so that slow work never piles up.
  private func every(_ interval: TimeSpan, _ work: @escaping @Sendable (Broker) -> Void) {
    let broker = broker
    broker.loops[0].schedule(after: max(interval, Self.intervalMin)) {
      broker.pool.run {
        work(broker)
        every(interval, work)
      }
    }
  }

  private static func applyRetention(_ broker: Broker) {
    let now = wallClockNow()
    for partition in broker.partitions.allPartitions {
      do throws(StorageError) {
        _ = try partition.log.rollIfDue(now: now)
        if try !partition.log.applyRetention(now: now, highWatermark: partition.highWatermark).isEmpty {
          partition.logStartMoved()
        }
        partition.log.expireProducers(now: now)
      } catch {
        broker.storageFailed(error)
      }
    }
  }

  private static func openWhatIsMissing(_ broker: Broker) {
    guard broker.storage.lacksPartitions else { return }
    broker.publisher.between { broker.follower.openMissing($0) }
  }

  private static func syncWhatIsDue(_ broker: Broker) {
    let now = monotonicNow()
    for partition in broker.partitions.allPartitions where partition.isSyncDue(at: now) { partition.requestSync() }
  }
}
