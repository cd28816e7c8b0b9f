public import Vocabulary

/// Where a leader epoch begins in the log.
public struct EpochStart: Hashable, Sendable {
  public let epoch: LeaderEpoch
  public let offset: Offset
  public init(_ epoch: LeaderEpoch, at offset: Offset) {
    self.epoch = epoch
    self.offset = offset
  }
}

/// Up to where a leader epoch reaches in a log (exclusive).
public struct EpochEnd: Hashable, Sendable {
  public let epoch: LeaderEpoch
  public let offset: Offset
  public init(_ epoch: LeaderEpoch, upTo offset: Offset) {
    self.epoch = epoch
    self.offset = offset
  }
}

/// Which leader epoch wrote which part of a log (KIP-101, KIP-279): epochs rise strictly, and so do their starts.
public struct EpochHistory: Hashable, Sendable {
  public private(set) var starts: [EpochStart] = []

  public init() {}
  /// What does not rise is left out: it can come from a file that was damaged.
  public init(_ starts: [EpochStart]) { for start in starts { begin(start.epoch, at: start.offset) } }

  /// The newest epoch, whether it has records or not.
  public var latest: LeaderEpoch { starts.last?.epoch ?? .none }

  /// An epoch that has begun already is not moved. An older epoch that got no records gives way.
  mutating func begin(_ epoch: LeaderEpoch, at offset: Offset) {
    guard epoch > latest else { return }
    while let last = starts.last, last.offset >= offset { starts.removeLast() }
    starts.append(EpochStart(epoch, at: offset))
  }

  mutating func truncate(to end: Offset) {
    while let last = starts.last, last.offset >= end { starts.removeLast() }
  }

  /// The epoch at the new start stays, and begins there.
  mutating func removeBefore(_ start: Offset) {
    guard let holder = starts.lastIndex(where: { $0.offset <= start }) else { return }
    starts.removeFirst(holder)
    starts[0] = EpochStart(starts[0].epoch, at: start)
  }

  mutating func clear() { starts = [] }

  /// The epoch of the last record before `end`; `.none` in an empty log.
  func epoch(before end: Offset) -> LeaderEpoch { starts.last { $0.offset < end }?.epoch ?? .none }

  /// The largest epoch that is not above the one asked for, and where it ends. An epoch older than everything that is
  /// kept ends where the log's first known epoch begins. Nil when nothing is known.
  func end(of epoch: LeaderEpoch, logEnd: Offset) -> EpochEnd? {
    guard let first = starts.first else { return nil }
    guard let at = starts.lastIndex(where: { $0.epoch <= epoch }) else { return EpochEnd(epoch, upTo: first.offset) }
    return EpochEnd(starts[at].epoch, upTo: at + 1 < starts.count ? starts[at + 1].offset : logEnd)
  }
}

/// What the decisions need to know of the log; the records themselves are elsewhere.
public struct LogSummary: Hashable, Sendable {
  /// The first offset that is kept.
  public internal(set) var start: Offset
  /// The offset that the next record gets.
  public internal(set) var end: Offset
  /// Below it everything is on every in-sync replica; it lies between `start` and `end` and only rises.
  public internal(set) var highWatermark: Offset
  public internal(set) var epochs: EpochHistory

  /// As recovery found it. After a crash nothing above the recovered end is believed: neither epochs nor the
  /// checkpointed high watermark. The caller writes the checkpoint anew, as it is here, before anything is appended:
  /// the old one would vouch for records that are not committed.
  public init(start: Offset, end: Offset, highWatermark: Offset, epochs: EpochHistory) {
    self.start = start
    self.end = max(start, end)
    self.highWatermark = min(max(start, highWatermark), self.end)
    self.epochs = epochs
    self.epochs.truncate(to: self.end)
  }

  mutating func truncate(to offset: Offset) {
    end = min(end, max(start, offset))
    highWatermark = min(highWatermark, end)
    epochs.truncate(to: end)
  }

  mutating func restart(at offset: Offset) {
    start = offset
    end = offset
    highWatermark = offset
    epochs.clear()
  }
}
