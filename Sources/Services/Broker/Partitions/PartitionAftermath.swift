import LogStorage
import Replication
import Vocabulary

/// What is done when the lock of a partition has been let go, in the order in which it was decided.
struct PartitionAftermath: Sendable {
  enum Fetching: Sendable {
    case asBefore
    case order(FetchOrder)
    case stops(FetchTurn)
  }
  /// The write that is being told of, until it is known whether it waits.
  var current: (id: WriteID, appended: Appended)?
  /// What became of it.
  var own: AppendOutcome?
  var answers: [(done: @Sendable (AppendOutcome) -> Void, outcome: AppendOutcome)] = []
  var woken: [FetchWait] = []
  var fetchAnswer: FetchAnswer?
  var proposals: [Proposal] = []
  var fetch = Fetching.asBefore
  var failure: StorageError?
  var mustSync = false
  var inSyncChange: InSyncChange?
  /// What this copy wants may have been held back, and must not be any more.
  var isThrottleLifted = false

  mutating func wake(_ waits: inout [ObjectIdentifier: FetchWait]) {
    guard !waits.isEmpty else { return }
    // In the order in which they came, so that nothing hangs on where they lie in memory.
    woken += waits.count == 1 ? Array(waits.values) : waits.values.sorted { $0.number < $1.number }
  }

  mutating func wakeConsumers(in state: inout Partition.State) {
    wake(&state.consumers)
    wake(&state.committedConsumers)
  }

  mutating func wakeAll(in state: inout Partition.State) {
    wakeConsumers(in: &state)
    wake(&state.followers)
  }

  mutating func noteInSync(
    from old: (epoch: LeaderEpoch, nodes: NodeSet)?, to new: (epoch: LeaderEpoch, nodes: NodeSet)?
  ) {
    guard let old, let new, old.epoch == new.epoch, old.nodes != new.nodes else { return }
    inSyncChange = new.nodes.count < old.nodes.count ? .shrunk : .expanded
  }
}

extension Partition {
  func finish(_ after: PartitionAftermath) {
    for (done, outcome) in after.answers { done(outcome) }
    for wait in after.woken { wait.finish() }
    for proposal in after.proposals { world.propose(proposal, self) }
    switch after.fetch {
    case .asBefore: break
    case .order(let order): world.fetch(order)
    case .stops(let turn): world.stopFetching(self, turn)
    }
    if after.isThrottleLifted { world.throttleLifted() }
    if let change = after.inSyncChange { world.inSyncChanged(change) }
    if after.mustSync { requestSync() }
    if let failure = after.failure { world.storageFailed(failure, self) }
  }
}
