import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
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

/// This broker's copy of a partition: its log, the `Replica` that decides what the copy is and what of it is
/// committed, and who waits for either.
///
/// Inputs are handed to the replica, and what it decides is done to the log, under one lock and in one order; answers,
/// proposals and fetches leave when the lock has been let go (`PartitionAftermath`). Any thread may call it.
///
/// With `flush.messages=1` an append is told to the replica only after its sync, which runs without the lock. Meanwhile
/// the replica believes in a shorter log, which is one that it had: it shows and sends less. That would be wrong for
/// one that copies, which cuts and extends the log by what it believes. So whatever may end its term as the leader
/// first syncs, under the lock, and tells it of everything: see `settleBeforeChange`.
final class Partition: Sendable {
  let name: TopicPartition
  let topicID: UniqueID
  let log: PartitionLog
  let pool: BlockingPool
  let world: ReplicaWorld
  let state: Mutex<State>
  /// As `noteThrottle` has left it: fetchers ask about every copy, and need no lock.
  let isCatchingUpThrottled = Atomic(false)

  struct State {
    var replica: Replica
    /// Empty between inputs; kept for its storage.
    var effects: [Effect] = []
    var condition = Condition.serving
    var minInSync: Int
    var minRegions: Int
    var flushInterval: TimeSpan
    var fileDeleteDelay: TimeSpan
    var durability: Durability
    var throttled: ThrottleListing
    var gate: WriteGate
    /// The first epoch in which clients write what a mirror has copied; nil where none has.
    var opened: LeaderEpoch?
    /// In which epoch of ours what was copied and left open was last ended.
    var endedIn: LeaderEpoch?
    /// What the metadata said last, for a replica that begins anew.
    var assigned: (state: Replication.PartitionState, brokers: [BrokerStatus])?
    /// How many times the replica began anew.
    var generation: UInt64 = 0
    /// The log is not what the replica took it for: at the next tick it begins anew from what is there.
    var mustBeginAnew = false
    var lastWrite: UInt64 = 0
    /// Producers whose records are in the log and not yet committed.
    var writers: [WriteID: Writer] = [:]
    /// Appends that are done and not yet on disk, in the order of the log.
    var unsynced: [UnsyncedWrite] = []
    var consumers: [ObjectIdentifier: FetchWait] = [:]
    /// Consumers that see committed transactions only.
    var committedConsumers: [ObjectIdentifier: FetchWait] = [:]
    /// What the last of them could read when it began to wait, or when they were woken.
    var stableOffsetSeen = Offset.none
    var followers: [ObjectIdentifier: FetchWait] = [:]
    var sync = SyncState.idle
    var unsyncedRecords: Int64 = 0
    /// When the oldest record came that may be in memory only; kept only where `flush.ms` asks for it.
    var unsyncedSince: Instant?
    var lastTick: Instant
    var lastProposal: Instant?
  }

  enum Condition: Sendable {
    case serving
    /// The disk failed: nothing is written, acknowledged or copied any more. Consumers may read what was committed.
    case failed(StorageError)
    /// The partition has gone away: nothing will ever come.
    case retired
  }

  struct Writer: Sendable {
    let appended: Appended
    let done: @Sendable (AppendOutcome) -> Void
  }

  struct UnsyncedWrite: Sendable {
    let write: Write
    let writer: Writer
  }

  enum SyncState {
    case idle
    case running
    /// More was appended while a sync ran.
    case runningWithMore
  }

  /// - Parameter checkpointed: the high watermark as it was written down; what recovery lost is not believed.
  init(
    log: PartitionLog, checkpointed: Offset, settings: TopicSettings, world: ReplicaWorld, pool: BlockingPool
  ) {
    name = log.topicPartition
    topicID = log.topicID
    self.log = log
    self.pool = pool
    self.world = world
    state = Mutex(
      State(
        replica: Replica(
          id: world.node, brokerEpoch: world.brokerEpoch,
          recovered: LogSummary(of: log, highWatermark: checkpointed), settings: world.timing),
        minInSync: settings.minInSync, minRegions: settings.minRegions, flushInterval: settings.flushInterval,
        fileDeleteDelay: settings.fileDeleteDelay, durability: settings.durability,
        throttled: ThrottleListing(name, on: world.node, settings), gate: WriteGate(settings),
        opened: settings.opened(log.topicPartition.partition), lastTick: monotonicNow()))
    if world.planted == .callsEarlyBatchesOutOfOrder { log.callEarlyBatchesOutOfOrder() }
  }

  // MARK: Questions

  var leaderEpoch: LeaderEpoch { state.withLock { $0.replica.leaderEpoch } }
  var highWatermark: Offset { state.withLock { $0.replica.log.highWatermark } }
  /// Up to where readers of committed data may read: at most the high watermark (KIP-98).
  var lastStableOffset: Offset { state.withLock { stableOffset($0) } }

  func stableOffset(_ state: borrowing State) -> Offset {
    log.lastStableOffset(below: state.replica.log.highWatermark)
  }

  var fileDeleteDelay: TimeSpan { state.withLock { $0.fileDeleteDelay } }
  /// The epoch in which this broker leads the partition; nil when it does not.
  var leadership: LeaderEpoch? {
    state.withLock { state in
      guard case .serving = state.condition, case .leader(let lead) = state.replica.role else { return nil }
      return lead.epoch
    }
  }
  var leads: Bool { leadership != nil }

  /// Whether another broker may lead the partition by now: for a session neither the controller nor any in-sync follower
  /// was heard of. What is committed is still read here; whoever writes, or waits for more, is sent to look around.
  var isCutOff: Bool { state.withLock { isCutOff($0, at: monotonicNow()) } }

  func isCutOff(_ state: borrowing State, at now: Instant) -> Bool {
    world.controllerMayHaveGivenUp(now) && state.replica.hearsNoFollower(at: now)
  }

  /// What the metrics say about a partition that is led here; nil elsewhere.
  var standing: (inSync: Int, replicas: Int, minimum: Int)? {
    state.withLock { state in
      guard case .leader(let lead) = state.replica.role else { return nil }
      let voters = lead.members.count { $0.kind == .sync }
      return (lead.committed.count, voters, state.replica.settings.minimum.replicas)
    }
  }

  /// The largest epoch that is not above the one asked for, and where it ends; (-1, -1) when the epoch is above every
  /// known one. An epoch below every known one ends where the first known one begins.
  func endOffset(ofEpoch epoch: LeaderEpoch) -> (LeaderEpoch, Offset) { state.withLock { $0.end(of: epoch) } }

  /// Checks the epoch that a client believes in (KIP-320), -1 is not checked; then whether this broker leads.
  func refusalAsLeader(forEpoch epoch: Int32) -> ErrorCode? {
    state.withLock { state in
      if let code = state.replica.refusal(forEpoch: LeaderEpoch(max(-1, epoch))) { return code }
      if case .leader = state.replica.role { return nil }
      return .notLeaderOrFollower
    }
  }

  func update(settings: TopicSettings) {
    log.update(settings.log)
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        state.minInSync = settings.minInSync
        state.minRegions = settings.minRegions
        state.flushInterval = settings.flushInterval
        state.fileDeleteDelay = settings.fileDeleteDelay
        state.durability = settings.durability
        state.throttled = ThrottleListing(name, on: world.node, settings)
        // By the epoch that the metadata has told: a follower that is ahead may have spoken of the next one already.
        state.gate.turn(to: settings, in: state.assigned?.state.leaderEpoch ?? state.replica.leaderEpoch)
        state.opened = settings.opened(name.partition)
        // Whoever takes the topic over asks where its log ends, and a mirror goes on there: what was let in before counts.
        switch state.gate {
        case .fenced, .mirror: settleBeforeChange(now, &state, &after)
        case .clients, .opensAbove: break
        }
        noteThrottle(state, &after)
        takeMinimum(now, &state, &after)
        endCopiedWhereLeading(now, &state, &after)
        return after
      })
  }

  // MARK: Waiting for records

  /// Whom a wait is for: consumers see what is below the high watermark or the last stable offset, followers all.
  enum Audience: Sendable { case consumers, committedConsumers, followers }

  /// False when the partition has gone away, so that nobody would tell the one who waits.
  func add(_ fetch: FetchWait, as audience: Audience = .consumers) -> Bool {
    state.withLock { state in
      if case .retired = state.condition { return false }
      switch audience {
      case .consumers: state.consumers[ObjectIdentifier(fetch)] = fetch
      case .committedConsumers:
        state.committedConsumers[ObjectIdentifier(fetch)] = fetch
        // Who waits already was woken by all that came before.
        state.stableOffsetSeen = stableOffset(state)
      case .followers: state.followers[ObjectIdentifier(fetch)] = fetch
      }
      return true
    }
  }

  func remove(_ fetch: FetchWait) {
    state.withLock { state in
      if state.consumers.removeValue(forKey: ObjectIdentifier(fetch)) == nil,
        state.committedConsumers.removeValue(forKey: ObjectIdentifier(fetch)) == nil
      {
        state.followers.removeValue(forKey: ObjectIdentifier(fetch))
      }
    }
  }

  /// What a reader has seen when it begins to wait: more than that is worth another look.
  func hasMore(than seen: Offset, for audience: Audience) -> Bool {
    state.withLock { state in
      switch audience {
      case .consumers: state.replica.log.highWatermark > seen
      case .committedConsumers: stableOffset(state) > seen
      case .followers: state.replica.log.end > seen
      }
    }
  }

  /// Called when the partition goes away: whoever waits for it is told.
  func retire() {
    let error = StorageError(.append, "\(name)", .invalid("the partition was deleted"))
    let after = state.withLock { state in
      var after = PartitionAftermath()
      after.wakeAll(in: &state)
      failWriters(error, &state, &after)
      state.condition = .retired
      after.fetch = .stops(.next())
      return after
    }
    finish(after)
  }
}

extension Partition.State {
  /// The end of an epoch as Kafka answers it (KIP-320).
  func end(of epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
    guard epoch.value >= 0, epoch <= replica.log.epochs.latest, let first = replica.log.epochs.starts.first,
      let found = replica.end(of: epoch)
    else { return (.none, .none) }
    return (epoch < first.epoch ? epoch : found.epoch, found.offset)
  }
}

extension LogSummary {
  init(of log: PartitionLog, highWatermark: Offset) {
    self.init(
      start: log.startOffset, end: log.endOffset, highWatermark: highWatermark,
      epochs: EpochHistory(log.leaderEpochs.entries.map { EpochStart($0.epoch, at: $0.start) }))
  }
}
