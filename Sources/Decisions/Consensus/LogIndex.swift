public import Vocabulary

/// The end of what a snapshot holds, and the epoch of its last record (KIP-630).
public struct SnapshotID: Hashable, Sendable {
  public let end: Offset
  public let epoch: LeaderEpoch
  public init(end: Offset, epoch: LeaderEpoch) {
    self.end = end
    self.epoch = epoch
  }
}

/// A snapshot that is whole and durable.
public struct Snapshot: Hashable, Sendable {
  public let id: SnapshotID
  public let size: ByteCount
  public init(_ id: SnapshotID, size: ByteCount) {
    self.id = id
    self.size = size
  }
}

/// Records that are written and replicated together. Their bytes are the caller's.
public struct LogBatch: Hashable, Sendable {
  public enum Content: Hashable, Sendable {
    /// The first record of an epoch (KIP-595): with it everything before it is committed.
    case leaderChange(NodeID, voters: [NodeID], grantedBy: [NodeID])
    case voters(VoterSet)
    /// The caller's own name for a batch of its records.
    case data(UInt64)
  }
  public let base: Offset
  public let epoch: LeaderEpoch
  /// How many offsets it takes: 1 or more.
  public let count: Int32
  public let content: Content
  public init(base: Offset, epoch: LeaderEpoch, count: Int32, content: Content) {
    self.base = base
    self.epoch = epoch
    self.count = count
    self.content = content
  }
  public var end: Offset { base + Int64(count) }
}

/// The last offset of an epoch, plus one.
public struct EpochEnd: Hashable, Sendable {
  public let epoch: LeaderEpoch
  public let end: Offset
  public init(epoch: LeaderEpoch, end: Offset) {
    self.epoch = epoch
    self.end = end
  }
}

/// A voter set and the offset of the record that holds it.
public struct VotersEntry: Hashable, Sendable {
  public let offset: Offset
  public let voters: VoterSet
  public init(offset: Offset, voters: VoterSet) {
    self.offset = offset
    self.voters = voters
  }
}

/// The first offset of an epoch.
public struct EpochStart: Hashable, Sendable {
  public let epoch: LeaderEpoch
  public let start: Offset
  public init(epoch: LeaderEpoch, start: Offset) {
    self.epoch = epoch
    self.start = start
  }
}

/// What decisions need to know of a log: where epochs begin, where it ends, and who votes as of which offset.
public struct LogIndex: Hashable, Sendable {
  /// The first offset that is still there.
  public private(set) var start: Offset
  /// The epoch of the record before `start`, 0 where there was none.
  public private(set) var startEpoch: LeaderEpoch
  public private(set) var epochs: [EpochStart]
  public private(set) var end: Offset
  /// What is durable: 0 to `end`.
  public private(set) var persistedEnd: Offset
  public private(set) var snapshot: Snapshot?
  /// Who voted before the first entry of `entries`.
  private(set) var baseVoters: VoterSet
  /// The base was configured, and no log or snapshot has it yet.
  private(set) var baseIsConfigured: Bool
  private(set) var entries: [VotersEntry]

  /// The index of a log that was read back, all of which is durable.
  /// - Parameters:
  ///   - snapshot: the newest one; `start` lies on the end of one.
  ///   - voters: as of `start`: of the snapshot, else as configured or formatted.
  ///   - entries: the voter sets between `start` and `end`.
  public init(
    start: Offset = .zero, startEpoch: LeaderEpoch = LeaderEpoch(0), epochs: [EpochStart] = [], end: Offset = .zero,
    snapshot: Snapshot? = nil, voters: VoterSet, entries: [VotersEntry] = []
  ) {
    self.start = start
    self.startEpoch = startEpoch
    self.epochs = epochs
    self.end = end
    persistedEnd = end
    self.snapshot = snapshot
    baseVoters = voters
    baseIsConfigured = start == .zero
    self.entries = entries
  }

  /// Whose votes count now: a set is in force from the moment it is in the log (KIP-853).
  public var voters: VoterSet { entries.last?.voters ?? baseVoters }
  /// Where the set in force stands in the log; nil when it came from a snapshot or from outside.
  public var votersOffset: Offset? { entries.last?.offset }
  var votersAreInTheLog: Bool { !entries.isEmpty || !baseIsConfigured }
  public var lastEpoch: LeaderEpoch { epochs.last?.epoch ?? startEpoch }

  /// Who votes according to everything before an offset: what a snapshot with that end has to hold.
  public func voters(before offset: Offset) -> VoterSet {
    entries.last { $0.offset < offset }?.voters ?? baseVoters
  }

  /// The epoch of the last record before an offset between `start` and `end`.
  public func epoch(before offset: Offset) -> LeaderEpoch {
    epochs.last { $0.start < offset }?.epoch ?? startEpoch
  }

  /// The newest epoch up to the given one, and where it ends.
  func end(of epoch: LeaderEpoch) -> EpochEnd {
    guard let at = epochs.lastIndex(where: { $0.epoch <= epoch }) else {
      return EpochEnd(epoch: startEpoch, end: start)
    }
    return EpochEnd(epoch: epochs[at].epoch, end: at + 1 < epochs.count ? epochs[at + 1].start : end)
  }

  enum Position: Hashable {
    case valid
    case diverging(EpochEnd)
    case snapshot(SnapshotID)
  }

  /// Whether a log that ends at `offset` with a record of `epoch` is a beginning of this one (KIP-595, KIP-630).
  func position(of offset: Offset, epoch: LeaderEpoch) -> Position {
    if let snapshot {
      // Whoever has nothing is quicker with the snapshot than with the log.
      if offset == .zero && snapshot.id.end > .zero { return .snapshot(snapshot.id) }
      if start > .zero && (offset < start || epoch < startEpoch || (offset == start && epoch != startEpoch)) {
        return .snapshot(snapshot.id)
      }
    }
    if offset == .zero && start == .zero { return .valid }
    let ours = end(of: epoch)
    return ours.epoch != epoch || ours.end < offset ? .diverging(ours) : .valid
  }

  /// Where a log has to be cut so that it diverges no longer from one in which `theirs` is how that epoch ends.
  func cut(for theirs: EpochEnd) -> Offset {
    let ours = end(of: theirs.epoch)
    return ours.epoch == theirs.epoch ? min(ours.end, theirs.end) : ours.end
  }

  mutating func append(_ batch: LogBatch) {
    if epochs.isEmpty || batch.epoch > lastEpoch {
      epochs.append(EpochStart(epoch: batch.epoch, start: batch.base))
    }
    if case .voters(let set) = batch.content { entries.append(VotersEntry(offset: batch.base, voters: set)) }
    end = batch.end
  }

  mutating func truncate(to offset: Offset) {
    epochs.removeAll { $0.start >= offset }
    entries.removeAll { $0.offset >= offset }
    end = offset
    persistedEnd = min(persistedEnd, offset)
  }

  /// A prefix of the log is durable whose last record has this epoch. A notice that is older than a truncation does not
  /// name a prefix of what is there now, and says nothing.
  mutating func persisted(upTo offset: Offset, epoch: LeaderEpoch) {
    guard offset > persistedEnd, offset <= end, self.epoch(before: offset) == epoch else { return }
    persistedEnd = offset
  }

  mutating func took(_ new: Snapshot) { if new.id.end > (snapshot?.id.end ?? .none) { snapshot = new } }

  /// The log begins where the newest snapshot ends.
  mutating func dropPrefix() {
    guard let id = snapshot?.id, id.end > start else { return }
    baseVoters = voters(before: id.end)
    baseIsConfigured = false
    entries.removeAll { $0.offset < id.end }
    let last = epochs.lastIndex { $0.start <= id.end }
    if let last { epochs.removeFirst(last) }
    if let first = epochs.first, first.start < id.end {
      epochs[0] = EpochStart(epoch: first.epoch, start: id.end)
    }
    if id.end == end { epochs = [] }
    start = id.end
    startEpoch = id.epoch
  }

  mutating func replaceAll(with new: Snapshot, voters: VoterSet) {
    self = LogIndex(
      start: new.id.end, startEpoch: new.id.epoch, end: new.id.end, snapshot: new, voters: voters)
  }
}

extension LogIndex {
  /// Where the last set before an offset stands; nil when it came from a snapshot or from outside.
  public func votersOffset(before offset: Offset) -> Offset? { entries.last { $0.offset < offset }?.offset }
}
