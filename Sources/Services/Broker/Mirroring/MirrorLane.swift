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
  private let state = Mutex(State())

  private struct State {
    var copy = PartitionCopy()
    /// The epoch of ours in which the copying was last looked at.
    var ownEpoch = LeaderEpoch.none
    var policy = GapPolicy.halt
  }

  init(_ partition: Partition, link: String, log: Log) {
    self.partition = partition
    self.link = link
    self.log = log
  }

  /// Where to go on, if there is anything to ask for.
  func wish(at now: Instant) -> CopyPosition? {
    state.withLock { state in
      guard state.copy.wants(at: now), let position = partition.mirrorPosition(of: link) else { return nil }
      if position.ownEpoch != state.ownEpoch { state.ownEpoch = position.ownEpoch }
      return position
    }
  }

  /// What the metadata says now: a higher epoch of ours, or another policy, may mend what halted the copying.
  func follow(runs: Bool, policy: GapPolicy, epoch: LeaderEpoch, source: Presence) {
    let isNews = state.withLock { state -> Bool in
      guard runs else {
        state.copy.stop()
        return false
      }
      let isMended: Bool
      switch state.copy.phase {
      case .stopped: isMended = true
      case .halted(.gap): isMended = policy != state.policy
      case .halted(.epochTooHigh(let needed)): isMended = epoch >= needed
      case .halted(.gone): isMended = source == .there
      case .halted, .copying, .resting: isMended = false
      }
      state.policy = policy
      if isMended { state.copy.resume() }
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
    let (step, isNews) = state.withLock { state -> (CopyStep, Bool) in
      let before = state.copy.phase
      let step = state.copy.answered(answer, at: position, policy: state.policy, now: now)
      perform(step, answer, position, records)
      return (step, state.copy.phase != before)
    }
    report(step, isNews)
    return step
  }

  private func perform(
    _ step: CopyStep, _ answer: SourceAnswer, _ position: CopyPosition, _ records: UnsafeMutableRawBufferPointer?
  ) {
    switch step {
    case .append(let start):
      guard case .records(_, let end, let runs, _, _) = answer, let records else { return }
      partition.removeMirrored(before: start, at: position, of: link)
      _ = partition.appendMirrored(records, runs, upTo: end, at: position, of: link)
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
    let mark = partition.highWatermark
    return state.withLock { state in
      PartitionStatus(
        state.copy, start: partition.log.startOffset, end: partition.log.endOffset, mark: mark, now: now)
    }
  }
}
