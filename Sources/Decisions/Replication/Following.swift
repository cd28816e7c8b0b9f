public import Vocabulary

/// Copying from a leader.
public struct Following: Hashable, Sendable {
  public enum Fetching: Hashable, Sendable {
    case due
    case underway(FetchID, since: Instant)
    case paused(until: Instant)
  }
  public let leader: NodeID
  public let epoch: LeaderEpoch
  public internal(set) var fetching = Fetching.due
  /// Fetches in a row that came to nothing.
  private var refusals = 0
  /// Doublings from the first pause to the longest.
  private static let doublingsMax = 4

  init(leader: NodeID, epoch: LeaderEpoch) {
    self.leader = leader
    self.epoch = epoch
  }

  /// How long to leave the leader alone. The first refusal often means only that the leader has not yet read that it is
  /// one, and its writes wait for this copy: the pause is short then, and grows up to `longest`.
  mutating func pauseAfterRefusal(longest: TimeSpan) -> TimeSpan {
    defer { refusals = min(refusals + 1, Self.doublingsMax) }
    return TimeSpan(nanoseconds: longest.nanoseconds >> (Self.doublingsMax - refusals))
  }

  mutating func goesOn() { refusals = 0 }
}

extension Replica {
  mutating func tick(_ copy: inout Following, at now: Instant, into effects: inout [Effect]) {
    switch copy.fetching {
    case .due: fetch(&copy, at: now, into: &effects)
    case .underway(_, let since) where now - since >= settings.fetchTimeout: fetch(&copy, at: now, into: &effects)
    case .paused(let until) where now >= until: fetch(&copy, at: now, into: &effects)
    case .underway, .paused: return
    }
  }

  private mutating func fetch(_ copy: inout Following, at now: Instant, into effects: inout [Effect]) {
    let id = nextFetchID()
    let last = settings.planted == .skipsTruncation ? .none : log.epochs.epoch(before: log.end)
    copy.fetching = .underway(id, since: now)
    effects.append(
      .fetch(
        from: copy.leader,
        FetchRequest(
          id: id, from: self.id, brokerEpoch: brokerEpoch, leaderEpoch: copy.epoch, offset: log.end, lastEpoch: last,
          logStart: log.start)))
  }

  mutating func fetchAnswered(
    _ id: FetchID, _ outcome: FetchOutcome, at now: Instant, into effects: inout [Effect]
  ) {
    whileFollowing { copy, replica in
      guard case .underway(id, _) = copy.fetching else { return }
      copy.fetching = .due
      let goesOn: Bool
      switch outcome {
      case .records(let copied): goesOn = replica.take(copied, id, from: copy, into: &effects)
      case .diverging(let end): goesOn = replica.truncate(toCommonWith: end, into: &effects)
      case .outOfRange(let start, let end): goesOn = replica.restart(in: start, end, into: &effects)
      case .refused: goesOn = false
      }
      if goesOn {
        copy.goesOn()
      } else {
        copy.fetching = .paused(until: now + copy.pauseAfterRefusal(longest: replica.settings.fetchPause))
      }
      replica.tick(&copy, at: now, into: &effects)
    }
  }

  /// False when the answer does not continue the log, so that something is wrong with it.
  private mutating func take(
    _ copied: Copied, _ id: FetchID, from copy: Following, into effects: inout [Effect]
  ) -> Bool {
    guard copied.start == log.end, copied.end >= copied.start else { return false }
    if copied.end > copied.start {
      guard continues(copied, in: copy.epoch) else { return false }
    }
    removeWhatTheLeaderRemoved(before: min(copied.logStart, copied.highWatermark, log.end), into: &effects)
    if copied.end > copied.start {
      effects.append(.append(id, from: copied.start, upTo: copied.end))
      log.epochs.truncate(to: log.end)
      for start in copied.epochs { log.epochs.begin(start.epoch, at: start.offset) }
      log.end = copied.end
    }
    // The leader may know less than its predecessor told us; what is committed stays so.
    let mark = min(copied.highWatermark, log.end)
    if mark > log.highWatermark {
      log.highWatermark = mark
      effects.append(.keepHighWatermark(mark))
    }
    return true
  }

  /// Comes before anything else: the leader no longer knows which epochs wrote what it has removed, so that a record of
  /// ours there need not be the one that was committed, and must not end up below our high watermark.
  private mutating func removeWhatTheLeaderRemoved(before start: Offset, into effects: inout [Effect]) {
    guard start > log.start else { return }
    if start == log.end, start > log.highWatermark {
      // Nothing is left to compare by: what we have may be of another history, and so may what our log remembers of its
      // producers. It would take a record that is nowhere for a repeated one.
      log.restart(at: start)
      effects.append(.restart(at: start))
      return
    }
    log.start = start
    log.highWatermark = max(log.highWatermark, start)
    log.epochs.removeBefore(start)
    effects.append(.deleteBefore(start))
  }

  private func continues(_ copied: Copied, in epoch: LeaderEpoch) -> Bool {
    guard copied.epochs.first?.offset == copied.start else { return false }
    var last = EpochStart(log.epochs.epoch(before: log.end), at: copied.start)
    for (index, start) in copied.epochs.enumerated() {
      guard start.epoch <= epoch, start.offset < copied.end else { return false }
      // The first one may go on with the epoch that the log ends in.
      guard index == 0 ? start.epoch >= last.epoch : start.epoch > last.epoch && start.offset > last.offset else {
        return settings.planted != nil
      }
      last = start
    }
    return true
  }

  /// Cuts the log to where it and the leader's may still be the same (KIP-101, KIP-279): when we lack the epoch that
  /// the leader named, to the end of the largest epoch below it that we have, and the next fetch finds out more.
  private mutating func truncate(toCommonWith leader: EpochEnd, into effects: inout [Effect]) -> Bool {
    guard settings.planted != .skipsTruncation else { return true }
    guard leader.offset >= .zero, let own = log.epochs.end(of: leader.epoch, logEnd: log.end) else { return false }
    let end = min(own.offset, leader.offset, log.end)
    guard end < log.end else { return false }
    cut(to: end, into: &effects)
    return true
  }

  private mutating func cut(to end: Offset, into effects: inout [Effect]) {
    guard end > log.start else {
      let start = max(end, Offset.zero)
      log.restart(at: start)
      effects.append(.restart(at: start))
      return
    }
    log.truncate(to: end)
    effects.append(.truncate(to: end))
  }

  /// The leader does not have our end. It may have less than we do: then we cut. Or it has removed what we lack: then
  /// we begin anew at its start.
  private mutating func restart(in start: Offset, _ end: Offset, into effects: inout [Effect]) -> Bool {
    guard start <= end, start >= .zero else { return false }
    if end < log.end {
      guard settings.planted != .skipsTruncation else { return false }
      cut(to: end, into: &effects)
      return true
    }
    guard start > log.end else { return false }
    log.restart(at: start)
    effects.append(.restart(at: start))
    return true
  }
}
