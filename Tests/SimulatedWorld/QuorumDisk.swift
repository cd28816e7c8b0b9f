import Consensus
import Vocabulary

/// What one simulated replica has on its disk. What was written but not synced may be lost from some batch on; the rest
/// survives every crash.
struct QuorumDisk {
  struct Stored {
    let batch: LogBatch
    /// Stands for the whole log up to and with this batch: two logs with the same chain are the same.
    let chain: UInt64
    let write: Int
  }
  /// Its state is the combination of all pieces: a snapshot without its tail is another state.
  struct Image {
    let snapshot: Snapshot
    let voters: VoterSet
    var pieces: [UInt64]
    var chain: UInt64 { pieces.reduce(0, ^) }
  }

  var election = ElectionRecord()
  var start = Offset.zero
  var startEpoch = LeaderEpoch(0)
  var startChain: UInt64 = 0
  /// Who voted as of `start`.
  var startVoters: VoterSet
  var log: [Stored] = []
  var syncedCount = 0
  var snapshot: Image?
  var download: [UInt64] = []
  private var writes = 0

  init(formattedVoters: VoterSet) { startVoters = formattedVoters }

  var end: Offset { log.last?.batch.end ?? start }
  var lastEpoch: LeaderEpoch { log.last?.batch.epoch ?? startEpoch }

  /// - Returns: a number for `sync`.
  mutating func append(_ batches: [LogBatch]) -> Int {
    writes += 1
    for batch in batches {
      let chain = Self.chain(log.last?.chain ?? startChain, batch)
      log.append(Stored(batch: batch, chain: chain, write: writes))
    }
    return writes
  }

  mutating func sync(upTo write: Int) {
    while syncedCount < log.count, log[syncedCount].write <= write { syncedCount += 1 }
  }

  mutating func truncate(to offset: Offset) {
    while let last = log.last, last.batch.base >= offset { log.removeLast() }
    syncedCount = min(syncedCount, log.count)
  }

  mutating func dropPrefix(before offset: Offset) {
    let kept = log.firstIndex { $0.batch.base >= offset } ?? log.count
    if kept > 0 {
      startChain = log[kept - 1].chain
      startEpoch = log[kept - 1].batch.epoch
    }
    log.removeFirst(kept)
    syncedCount = max(0, syncedCount - kept)
    start = offset
    if let snapshot { startVoters = snapshot.voters }
  }

  mutating func install(_ image: Image) {
    snapshot = image
    log = []
    syncedCount = 0
    start = image.snapshot.id.end
    startEpoch = image.snapshot.id.epoch
    startChain = image.chain
    startVoters = image.voters
    download = []
  }

  /// A power cut: of what was not synced only a beginning is left.
  mutating func crash(keeping unsynced: Int) {
    log.removeLast(max(0, log.count - syncedCount - unsynced))
    syncedCount = log.count
    download = []
    // As a broker does at its start: a log that does not reach the snapshot begins again at the snapshot.
    if let snapshot, snapshot.snapshot.id.end > end { install(snapshot) }
  }

  /// The chain of the log before an offset, where a batch ends there.
  func chain(before offset: Offset) -> UInt64? {
    if offset == start { return startChain }
    return index(endingAt: offset).map { log[$0].chain }
  }

  func index(endingAt offset: Offset) -> Int? {
    var low = 0
    var high = log.count
    while low < high {
      let middle = (low + high) / 2
      if log[middle].batch.end < offset { low = middle + 1 } else { high = middle }
    }
    return low < log.count && log[low].batch.end == offset ? low : nil
  }

  /// What a replica finds when it starts.
  func index() -> LogIndex {
    var epochs: [EpochStart] = []
    var entries: [VotersEntry] = []
    for stored in log {
      let batch = stored.batch
      if epochs.last?.epoch != batch.epoch { epochs.append(EpochStart(epoch: batch.epoch, start: batch.base)) }
      if case .voters(let set) = batch.content { entries.append(VotersEntry(offset: batch.base, voters: set)) }
    }
    return LogIndex(
      start: start, startEpoch: startEpoch, epochs: epochs, end: end, snapshot: snapshot?.snapshot,
      voters: startVoters, entries: entries)
  }

  static func chain(_ before: UInt64, _ batch: LogBatch) -> UInt64 {
    var sum = mix(before, UInt64(bitPattern: batch.base.value))
    sum = mix(sum, UInt64(UInt32(bitPattern: batch.epoch.value)) << 32 | UInt64(UInt32(bitPattern: batch.count)))
    switch batch.content {
    case .data(let name): sum = mix(sum, name)
    case .leaderChange(let leader, _, _): sum = mix(sum, 1 << 40 | UInt64(UInt32(bitPattern: leader.value)))
    case .voters(let set):
      for voter in set.voters {
        sum = mix(sum, 2 << 40 | UInt64(UInt32(bitPattern: voter.key.id.value)))
        sum = mix(sum, voter.key.directory.low)
      }
    }
    return sum
  }

  static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var z = a &* 0x9e37_79b9_7f4a_7c15 &+ b
    z = (z ^ (z >> 29)) &* 0xbf58_476d_1ce4_e5b9
    return z ^ (z >> 32)
  }
}
