import ClusterMetadata
import Consensus
import EventLoop
import KafkaClient
import LogStorage
import Synchronization
import Vocabulary

/// Drives the quorum's decisions on a thread of its own, over the metadata log, and owns the committed image.
///
/// The order of effects is `Consensus`'s contract. One thread performs them, one after the other; what a callback of the
/// observer sets off waits until those before it are done. The lock around the state is never held while something is
/// performed: it is for those who ask from other threads.
///
/// Follow a change: `append` → `Quorum` → `perform` (QuorumEffects) → `flush` → `apply` (QuorumCommit) → observer.
final class MetadataQuorum: Sendable {
  struct Setup: Sendable {
    var clusterID: String
    /// The node, its directory's id, and the endpoints of its controller listeners; none of a node that is only a broker.
    var local: Voter
    /// Others are never voters: they only follow.
    var isController: Bool
    var settings = QuorumSettings()
    /// `controller.quorum.voters`.
    var configuredVoters: [(id: NodeID, address: BrokerAddress)] = []
    /// `controller.quorum.bootstrap.servers`.
    var bootstrapServers: [BrokerAddress] = []
    /// The first of `controller.listener.names`: which of a voter's endpoints the others use. Nil takes its first.
    var controllerListener: String?
    /// `__cluster_metadata-0`.
    var log: PartitionLog
    var disk: any Disk
    /// For timers and connections. It runs for longer than the quorum.
    var loop: EventLoop
    var pool: BlockingPool
    /// `metadata.log.max.record.bytes.between.snapshots`
    var snapshotInterval = ByteCount.mebibytes(20)
    /// Says what went wrong: a message and its detail.
    var report: @Sendable (String, String) -> Void
  }

  /// A batch that is larger would not fit into an answer to a follower.
  static let batchBytesMax = ByteCount.mebibytes(64)
  /// How long a leader that stops waits until the others know.
  static let goodbyeSpan = TimeSpan.milliseconds(500)

  let setup: Setup
  let snapshots: SnapshotFile
  let state: Mutex<QuorumState>
  let published: Mutex<Published>
  let observer = Mutex<(any MetadataQuorumObserver)?>(nil)
  private let thread: BlockingPool

  /// What any thread may know.
  struct Published: Sendable {
    var image: MetadataImage
    var applied: Offset
    var leader: (id: NodeID, epoch: LeaderEpoch)?
  }

  /// Reads what is on the disk and brings it in order. Nothing is sent yet, and no vote is given.
  /// Throws a sentence for whoever starts the node when what is there cannot be believed.
  init(_ setup: Setup) throws {
    var setup = setup
    setup.settings.bootstrap = setup.bootstrapServers.indices.map(Self.pseudoID)
    self.setup = setup
    snapshots = SnapshotFile(disk: setup.disk, folder: setup.log.directory)
    let loaded = try LoadedQuorum(setup, snapshots)
    var chance = Chance()
    let quorum = Quorum(
      local: setup.local, settings: setup.settings, election: loaded.election, log: loaded.index, at: monotonicNow(),
      chance: chance.next())
    state = Mutex(QuorumState(quorum: quorum))
    published = Mutex(Published(image: loaded.image, applied: loaded.applied))
    thread = try BlockingPool(threads: 1, name: "quorum")
  }

  // MARK: From any thread

  /// Committed and applied.
  var image: MetadataImage { published.withLock { $0.image } }
  /// Everything before it is in `image`.
  var appliedOffset: Offset { published.withLock { $0.applied } }
  var leader: (id: NodeID, epoch: LeaderEpoch)? { published.withLock { $0.leader } }
  /// Why the replica has stopped by itself; nil while it is well.
  var failure: String? {
    state.withLock { if case .failed(let reason) = $0.phase { reason } else { nil } }
  }

  /// Runs a job on the quorum's thread, after what is under way.
  func run(_ job: @escaping @Sendable () -> Void) { thread.run(job) }

  /// Begins to tick. What snapshots hold is handed on at once, the rest as it becomes known to be committed.
  func start(_ observer: any MetadataQuorumObserver) {
    self.observer.withLock { $0 = observer }
    run { [self] in
      let known = state.withLock { state in
        state.phase = .running
        return state.quorum.leader.map { ($0, state.quorum.epoch) }
      }
      let (image, applied) = published.withLock { ($0.image, $0.applied) }
      if applied > .zero { observer.replaced(by: image, upTo: applied) }
      // Whoever followed before a restart goes on following, without another word from the quorum.
      if let (leader, epoch) = known { leaderChanged(leader, epoch) }
      handle(.tick)
    }
  }

  /// Hands the leadership over, if this node leads and there is somebody to take it.
  func resign() { run { self.resignNow() } }

  private func resignNow() {
    let others = state.withLock { $0.quorum.log.voters.voters.contains { $0.key.id != setup.local.key.id } }
    if others { handle(.resign) }
  }

  /// Ends after what is under way. A leader says goodbye first. The loop must still run; not to be called on the quorum's
  /// thread.
  func stop() {
    guard let told = try? Semaphore() else { return thread.stop() }
    run { [self] in
      resignNow()
      let isAlone = state.withLock { state in
        if state.goodbyes.isEmpty { return true }
        state.whenTold = { told.signal() }
        return false
      }
      if isAlone { told.signal() }
    }
    let limit = setup.loop.schedule(after: Self.goodbyeSpan) { told.signal() }
    told.wait()
    limit.cancel()
    run { self.end(.stopped) }
    thread.stop()
  }

  // MARK: On the thread

  /// Appends one batch, as the leader of that epoch. It is written when this returns, or, when an observer's callback
  /// appends, after that callback; it becomes durable with everything else that was appended since the last flush.
  /// - Returns: the offset after it: committed once `appliedOffset` is there in the same epoch.
  func append(
    _ records: [ClusterMetadata.MetadataRecord], in epoch: LeaderEpoch
  ) throws(Refusal) -> Offset {
    let place = state.withLock { state -> Offset? in
      guard case .running = state.phase, state.quorum.isLeader, state.quorum.epoch == epoch else { return nil }
      return state.quorum.log.end
    }
    guard let base = place else {
      throw Refusal(.notController, "This node does not lead the metadata quorum in epoch \(epoch.value).")
    }
    guard !records.isEmpty else { return base }
    let bytes = MetadataBatches.data(records, base: base, epoch: epoch, now: wallClockNow())
    guard bytes.count <= Self.batchBytesMax.value else {
      throw Refusal(
        .invalidRequest,
        "The change takes \(bytes.count) bytes in the metadata log; at most \(Self.batchBytesMax.value) fit. Make it in several parts."
      )
    }
    let own = OwnBatch(base: base, end: base + Int64(records.count), records: records, bytes: bytes)
    let name = state.withLock { state in
      state.lastName += 1
      state.proposals[state.lastName] = own
      return state.lastName
    }
    handle(.propose(epoch: epoch, [Proposal(name: name, count: Int32(records.count))]))
    if let failure { throw Refusal(.kafkaStorageError, failure) }
    return own.end
  }

  /// Tells the quorum what happened, and performs what follows from it.
  func handle(_ input: Input, with arrived: Arrived = .nothing) {
    let now = monotonicNow()
    let isOutermost = state.withLock { state in
      guard case .running = state.phase else { return false }
      var chance = Chance()
      state.quorum.handle(input, at: now, chance: chance.next(), into: &state.effects)
      if state.isPerforming { return false }
      state.isPerforming = true
      state.arrived = arrived
      return true
    }
    guard isOutermost else { return }
    while let effect = state.withLock({ $0.nextEffect() }) {
      do {
        try perform(effect)
      } catch {
        fail("\(error)")
      }
    }
    state.withLock { state in
      state.isPerforming = false
      state.arrived = .nothing
    }
    arm()
  }

  /// One alarm, for the earliest deadline. One that rings too early does no harm.
  private func arm() {
    let next = state.withLock { state -> Instant? in
      guard case .running = state.phase else { return nil }
      let deadline = state.quorum.nextDeadline
      guard deadline < state.armed else { return nil }
      state.armed = deadline
      state.alarm?.cancel()
      return deadline
    }
    guard let next else { return }
    let alarm = setup.loop.schedule(at: next) { [weak self] in
      self?.run { [weak self] in self?.ring(next) }
    }
    state.withLock { $0.alarm = alarm }
  }

  private func ring(_ deadline: Instant) {
    state.withLock { if $0.armed == deadline { $0.armed = .never } }
    handle(.tick)
  }

  // MARK: Ends

  /// What had to be done cannot be done, or a peer contradicts what is committed: nothing after it may happen.
  func fail(_ reason: String) {
    let isNew = state.withLock { if case .running = $0.phase { true } else { false } }
    guard isNew else { return }
    setup.report("this replica of the metadata quorum has stopped", reason)
    end(.failed(reason))
  }

  /// Of a process that has died: whoever waits is let go, and nobody hears of it.
  func abandon() {
    _ = observer.withLock { $0.take() }
    end(.stopped)
  }

  private func end(_ phase: QuorumState.Phase) {
    let left = state.withLock { state in state.end(phase) }
    let known = published.withLock { published in
      defer { published.leader = nil }
      return published.leader
    }
    for peer in left.peers { peer.close() }
    for answer in left.waiting { answer(nil) }
    let observer = observer.withLock { $0 }
    if let epoch = left.ledEpoch { observer?.lostLeadership(epoch) }
    if let known { observer?.leaderChanged(nil, known.epoch) }
  }
}
