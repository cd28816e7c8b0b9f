import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// When an appended record counts as kept (`flush.messages`).
enum Durability: Equatable, Sendable {
  /// In the page cache; synced by the kernel, by `flush.ms`, and in the background after this many records.
  case pageCache(syncAfter: Int64)
  /// On disk: one sync serves every producer that waits (`flush.messages=1`).
  case disk
}

/// What became of an append.
enum AppendOutcome: Sendable {
  case kept(Appended)
  case refused(AppendRefusal)
  case failed(StorageError)
}

/// A partition that this broker leads: its log, what of it consumers may see, and who waits for more.
///
/// Any thread may call it; the lock is held for moments and never over a read, a write or a sync.
final class Partition: Sendable {
  let name: TopicPartition
  let topicID: UniqueID
  let log: PartitionLog
  private let pool: BlockingPool
  private let state: Mutex<State>

  private struct State {
    var leaderEpoch: LeaderEpoch
    var minInSync: Int
    var flushInterval: TimeSpan
    var fileDeleteDelay: TimeSpan
    var durability: Durability
    /// Consumers see what lies below it.
    var highWatermark: Offset
    var fetches: [ObjectIdentifier: FetchWait] = [:]
    var producers: [ProduceWait] = []
    /// The partition has gone away: nothing will ever come.
    var isRetired = false
    var sync = SyncState.idle
    var unsyncedRecords: Int64 = 0
    /// When the oldest record came that may be in memory only; kept only where `flush.ms` asks for it.
    var unsyncedSince: Instant?
  }

  /// An append that is done and not yet kept.
  private struct ProduceWait {
    let appended: Appended
    let done: @Sendable (AppendOutcome) -> Void
  }

  private enum SyncState {
    case idle
    case running
    /// More was appended while a sync ran.
    case runningWithMore
  }

  init(
    name: TopicPartition, topicID: UniqueID, log: PartitionLog, leaderEpoch: LeaderEpoch,
    settings: TopicSettings, pool: BlockingPool
  ) {
    self.name = name
    self.topicID = topicID
    self.log = log
    self.pool = pool
    state = Mutex(
      State(
        leaderEpoch: leaderEpoch, minInSync: settings.minInSync,
        flushInterval: settings.flushInterval, fileDeleteDelay: settings.fileDeleteDelay,
        durability: settings.durability, highWatermark: log.endOffset))
  }

  var leaderEpoch: LeaderEpoch { state.withLock { $0.leaderEpoch } }
  var highWatermark: Offset { state.withLock { $0.highWatermark } }
  var minInSync: Int { state.withLock { $0.minInSync } }
  var fileDeleteDelay: TimeSpan { state.withLock { $0.fileDeleteDelay } }

  /// The largest epoch that is not above the one asked for, and where it ends; (-1, -1) when there is none.
  func endOffset(ofEpoch epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
    log.leaderEpochs.end(of: epoch, logEnd: log.endOffset) ?? (.none, .none)
  }

  func update(settings: TopicSettings) {
    log.update(settings.log)
    state.withLock {
      $0.minInSync = settings.minInSync
      $0.flushInterval = settings.flushInterval
      $0.fileDeleteDelay = settings.fileDeleteDelay
      $0.durability = settings.durability
    }
  }

  /// Checks the epoch that a client believes in (KIP-320); -1 is not checked.
  func refusal(forEpoch epoch: Int32) -> ErrorCode? {
    let current = leaderEpoch.value
    if epoch < 0 || epoch == current { return nil }
    return epoch < current ? .fencedLeaderEpoch : .unknownLeaderEpoch
  }

  // MARK: Appending

  /// Appends batches in place. `done` is called once, maybe before this returns: when the records count as kept, or
  /// when it is clear that they do not.
  func append(
    _ batches: UnsafeMutableRawBufferPointer, origin: AppendOrigin, now: Timestamp,
    done: @escaping @Sendable (AppendOutcome) -> Void
  ) {
    let (epoch, durability) = state.withLock { ($0.leaderEpoch, $0.durability) }
    do throws(StorageError) {
      switch try log.append(batches, origin: origin, leaderEpoch: epoch, now: now) {
      case .failure(let refusal): done(.refused(refusal))
      case .success(let appended): keep(appended, durability, done)
      }
    } catch {
      done(.failed(error))
    }
  }

  private func keep(
    _ appended: Appended, _ durability: Durability, _ done: @escaping @Sendable (AppendOutcome) -> Void
  ) {
    let end = appended.lastOffset + 1
    switch durability {
    case .pageCache(let syncAfter):
      raiseHighWatermark(to: end)
      done(.kept(appended))
      syncLater(end - appended.baseOffset, after: syncAfter)
    case .disk:
      if log.syncedOffset >= end {
        raiseHighWatermark(to: end)
        done(.kept(appended))
      } else {
        state.withLock { $0.producers.append(ProduceWait(appended: appended, done: done)) }
        requestSync()
      }
    }
  }

  private func raiseHighWatermark(to end: Offset) {
    let woken: [FetchWait] = state.withLock { state in
      guard end > state.highWatermark else { return [] }
      state.highWatermark = end
      return state.fetches.isEmpty ? [] : Array(state.fetches.values)
    }
    for fetch in woken { fetch.finish() }
  }

  // MARK: Syncing

  private func syncLater(_ records: Int64, after limit: Int64) {
    let isDue = state.withLock { state in
      if state.unsyncedSince == nil, state.flushInterval < TimeSpan.milliseconds(.max) {
        state.unsyncedSince = monotonicNow()
      }
      guard limit < .max else { return false }
      state.unsyncedRecords += records
      return state.unsyncedRecords >= limit
    }
    if isDue { requestSync() }
  }

  /// Whether a record has been in memory only for longer than `flush.ms`.
  func isSyncDue(at now: Instant) -> Bool {
    state.withLock { state in state.unsyncedSince.map { now - $0 >= state.flushInterval } ?? false }
  }

  /// At most one sync runs for a partition at a time: whoever comes meanwhile is served by the next one.
  func requestSync() {
    let mustStart = state.withLock { state in
      switch state.sync {
      case .idle:
        state.sync = .running
        return true
      case .running, .runningWithMore:
        state.sync = .runningWithMore
        return false
      }
    }
    if mustStart { pool.run { self.sync() } }
  }

  private func sync() {
    var again = true
    while again {
      do throws(StorageError) {
        synced(to: try log.flush())
      } catch {
        failWaiters(error)
      }
      again = state.withLock { state in
        let more = state.sync == .runningWithMore
        state.sync = more ? .running : .idle
        return more
      }
    }
  }

  private func synced(to offset: Offset) {
    let served: [ProduceWait] = state.withLock { state in
      state.unsyncedRecords = 0
      state.unsyncedSince = nil
      let served = state.producers.filter { $0.appended.lastOffset < offset }
      state.producers.removeAll { $0.appended.lastOffset < offset }
      return served
    }
    raiseHighWatermark(to: offset)
    for waiter in served { waiter.done(.kept(waiter.appended)) }
  }

  /// A log whose sync failed takes no more writes, and nobody is told that a record was kept.
  private func failWaiters(_ error: StorageError) {
    let failed: [ProduceWait] = state.withLock { state in
      let failed = state.producers
      state.producers = []
      return failed
    }
    for waiter in failed { waiter.done(.failed(error)) }
  }

  // MARK: Waiting for records

  /// False when the partition has gone away, so that nobody would tell the one who waits.
  func add(_ fetch: FetchWait) -> Bool {
    state.withLock { state in
      guard !state.isRetired else { return false }
      state.fetches[ObjectIdentifier(fetch)] = fetch
      return true
    }
  }
  func remove(_ fetch: FetchWait) { state.withLock { _ = $0.fetches.removeValue(forKey: ObjectIdentifier(fetch)) } }

  /// Called when the partition goes away: whoever waits for it is told.
  func retire() {
    let waiting: [FetchWait] = state.withLock { state in
      let waiting = Array(state.fetches.values)
      state.fetches = [:]
      state.isRetired = true
      return waiting
    }
    for fetch in waiting { fetch.finish() }
    failWaiters(StorageError(.append, "\(name)", .invalid("the partition was deleted")))
  }
}
