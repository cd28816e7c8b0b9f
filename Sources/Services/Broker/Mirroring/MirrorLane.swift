import EventLoop
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Replication
import Synchronization
import Telemetry
import Vocabulary

/// One partition that this broker leads and copies from another cluster. Answers are looked at and performed under one
/// lock, so that nothing is appended any more once it has said that it stopped.
final class MirrorLane: Sendable {
  let partition: Partition
  let link: String
  private let log: Log
  private let beginsAtTheEnd: Bool
  private let state = Mutex(State())

  private struct State {
    var copy = PartitionCopy()
    /// The epoch of ours in which the copying was last looked at.
    var ownEpoch = LeaderEpoch.none
    var policy = GapPolicy.halt
    /// Bytes that were copied since this broker leads.
    var copied: Int64 = 0
    /// Where the log stood when it was looked for what the source does not have.
    var parted: CopyPosition?
    /// Why there is no room for more.
    var shortage: String?
    /// What may be written before the disk is looked at again.
    var allowance: DiskAllowance?
    /// What is known to be shared with the source, while a fail-back lasts.
    var shared: SharedEnd?
  }

  /// - Parameters:
  ///   - known: what the metadata has kept of what the leader before knew.
  ///   - isLate: whether others of the mirror were copied here before.
  init(
    _ partition: Partition, link: String, known: KnownSource?, planted: MirrorMistake?, isLate: Bool = false, log: Log
  ) {
    self.partition = partition
    self.link = link
    self.log = log
    beginsAtTheEnd = planted == .beginsAddedPartitionsAtTheEnd && isLate
    let takesGapsForHoles = planted == .takesGapsForHoles && partition.log.settings.cleanup.contains(.compact)
    let reading = known?.reading(at: monotonicNow(), wallClockNow())
    state.withLock { state in
      state.copy = PartitionCopy(reading: reading, accepted: known?.gaps ?? [])
      state.copy.planted = takesGapsForHoles ? .skipsGaps : planted?.ofCopy
    }
  }

  /// Where to go on, if there is anything to ask for.
  func wish(at now: Instant) -> CopyPosition? {
    state.withLock { state in
      guard state.shortage == nil, state.allowance?.isUsedUp != true, state.copy.wants(at: now) else { return nil }
      return partition.mirrorPosition(of: link)
    }
  }

  /// Nothing more is asked for as long as the disk has no room.
  func follow(_ room: MirrorRoom.Standing) {
    let folder = partition.world.directory
    state.withLock { state in
      state.shortage = room.shortages[folder]
      state.allowance = room.allowances[folder]
    }
  }

  /// What the metadata says now: a higher epoch of ours, or another policy, may mend what halted the copying.
  func follow(
    _ order: MirrorOrder, epoch: LeaderEpoch, source: Presence, shared: SharedEnd?, recorded: [Range<Int64>]
  ) {
    let policy = order.policy
    let isNews = state.withLock { state -> Bool in
      if epoch != state.ownEpoch {
        state.ownEpoch = epoch
        state.copy.epochBegan(epoch)
      }
      guard order.runs else {
        state.copy.stop()
        return false
      }
      let isMended: Bool
      switch state.copy.phase {
      case .stopped: isMended = true
      case .halted(.gap): isMended = policy != state.policy
      case .halted(.epochTooHigh(let needed)): isMended = epoch >= needed
      case .halted(.gone): isMended = source == .there
      case .halted(.tooMuch(let limit)): isMended = order.setAsideMax != limit
      case .halted(.diverged), .halted(.shorter), .halted(.differs), .copying, .resting: isMended = false
      }
      state.policy = policy
      state.copy.recorded = recorded
      if isMended { state.copy.resume() }
      state.shared = shared
      if let shared, let position = partition.mirrorPosition(of: link), shared.isExceeded(by: position) {
        state.copy.holds(beyond: shared)
      }
      guard case .gone(let now) = source, let position = partition.mirrorPosition(of: link) else { return false }
      let before = state.copy.phase
      _ = state.copy.answered(.gone(now: now), at: position, policy: policy, now: monotonicNow())
      return state.copy.phase != before
    }
    if isNews, case .gone(let now) = source { report(.halt(.gone(now: now)), true) }
  }

  /// Whether the source has the topic, with the id that was mirrored.
  enum Presence: Equatable {
    case there
    case gone(now: UniqueID?)
    /// The source could not be asked: nothing is concluded from that.
    case unknown
  }

  /// Takes an answer to what was asked at `position`. `records` are the bytes of whole batches, where there are any.
  func answered(
    _ answer: SourceAnswer, at position: CopyPosition, records: UnsafeMutableRawBufferPointer? = nil
  ) -> CopyStep {
    nonisolated(unsafe) let records = records
    let now = monotonicNow()
    var answer = answer
    if beginsAtTheEnd, position.isUntouched, case .records(_, let end, _, let mark, _) = answer, end > .zero {
      answer = .bounds(earliest: mark, latest: mark)
    }
    let (step, isNews) = state.withLock { state -> (CopyStep, Bool) in
      let before = state.copy.phase
      let step = state.copy.answered(answer, at: position, policy: state.policy, now: now)
      perform(step, answer, position, records, &state)
      return (step, state.copy.phase != before)
    }
    report(step, isNews)
    return step
  }

  private func perform(
    _ step: CopyStep, _ answer: SourceAnswer, _ position: CopyPosition, _ records: UnsafeMutableRawBufferPointer?,
    _ state: inout State
  ) {
    switch step {
    case .append(let start):
      guard case .records(_, let end, let runs, _, _) = answer, let records else { return }
      partition.removeMirrored(before: start, at: position, of: link)
      if partition.appendMirrored(records, runs, upTo: end, at: position, of: link) {
        state.copied += Int64(records.count)
        state.allowance?.use(Int64(records.count))
      }
    case .keep(let start): partition.removeMirrored(before: start, at: position, of: link)
    case .restart(let start, _): _ = partition.restartMirrored(at: start, at: position, of: link)
    case .askBounds, .askWhoLeads, .rest, .halt: break
    }
  }

  private func report(_ step: CopyStep, _ isNews: Bool) {
    switch step {
    case .halt(let halt) where isNews:
      log.error(
        "a mirrored partition stands still",
        ["partition": "\(partition.name)", "mirror": link, "reason": halt.description])
    case .restart(let start, let missing?):
      log.warning(
        "a mirrored partition goes on behind a gap",
        [
          "partition": "\(partition.name)", "mirror": link, "missing from": "\(missing.lowerBound)",
          "goes on at": "\(start.value)",
        ])
    case .halt, .restart, .append, .keep, .askBounds, .askWhoLeads, .rest: break
    }
  }

  func status(at now: Instant) -> PartitionStatus {
    let standing = partition.mirrorStanding
    return state.withLock { state in
      var status = PartitionStatus(
        state.copy, start: standing.start, end: standing.end, mark: standing.mark, now: now)
      status.open = standing.open
      status.copied = state.copied
      if let shortage = state.shortage { status.lacksRoom(shortage) }
      return status
    }
  }

  // MARK: What the source does not have

  /// Whether it is to be looked for now, and in which log; nil where there is nothing to do.
  func beginParting() -> PartingOrder? {
    state.withLock { state in
      guard let position = partition.mirrorPosition(of: link), state.copy.beginParting(at: monotonicNow()) else {
        return nil
      }
      state.parted = position
      let limit = state.shared.flatMap { $0.isExceeded(by: position) ? $0.end : nil }
      let search = DivergenceSearch(
        partition.epochRuns, from: position.start, upTo: position.end, emptyAt: state.copy.sourceEnd, limit: limit)
      return PartingOrder(position: position, search: search, sharedEnd: limit)
    }
  }

  func partingWasNeedless() {
    let now = monotonicNow()
    state.withLock { $0.copy.partingWasNeedless(at: now) }
  }

  func partingFailed(_ problem: PartingProblem) {
    let now = monotonicNow()
    let isNews = state.withLock { state in
      let before = state.copy.phase
      state.copy.partingFailed(problem, at: now)
      return state.copy.phase != before
    }
    if isNews, case .halted(let halt) = state.withLock({ $0.copy.phase }) { report(.halt(halt), true) }
  }

  func saved(_ what: SetAside, cutTo offset: Offset) { state.withLock { $0.copy.saved(what, cutTo: offset) } }

  /// Cuts off what the metadata says is kept elsewhere.
  func cut(recorded: [SetAside]) {
    let what = state.withLock { state -> SetAside? in
      guard let (what, offset) = state.copy.mayCut(recorded), let position = state.parted else { return nil }
      let isDone = partition.truncateMirrored(to: offset, at: position, of: link)
      state.copy.cutOff(isDone, in: position.ownEpoch)
      return isDone ? what : nil
    }
    guard let what else { return }
    log.warning(
      "what the source does not have was set aside",
      [
        "partition": "\(partition.name)", "mirror": link, "from": "\(what.range.lowerBound)",
        "to": "\(what.range.upperBound - 1)", "records": "\(what.records)", "file": what.path,
      ])
  }
}

/// What is to be looked for.
struct PartingOrder: Sendable {
  let position: CopyPosition
  /// Nil where the log has no records.
  let search: DivergenceSearch?
  /// Up to where the logs are known to be the same.
  let sharedEnd: Offset?
}
