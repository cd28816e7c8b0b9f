import EventLoop
import LogStorage
import MirrorPlanning
import Replication
import Synchronization
import Vocabulary

// What a leader does that copies from another cluster: its appends keep the offsets and the epochs that they came with.

extension Partition {
  /// Whether clients may remove records, or write any.
  var clientRefusal: AppendRefusal? {
    state.withLock { $0.gate.refusal(in: $0.replica.leaderEpoch, of: name) }
  }

  /// Where a copy goes on that `link` writes; nil when it does not write here, or this broker does not lead.
  func mirrorPosition(of link: String) -> CopyPosition? {
    state.withLock { state in
      guard case .serving = state.condition, state.gate == .mirror(link), !state.mustBeginAnew,
        case .leader(let lead) = state.replica.role
      else { return nil }
      return CopyPosition(
        start: log.startOffset, end: log.endOffset, lastEpoch: lastEpoch, ownEpoch: lead.epoch)
    }
  }

  /// How far a copy is, all at one moment.
  var mirrorStanding: (start: Offset, end: Offset, mark: Offset, open: Int) {
    state.withLock { state in
      (log.startOffset, log.endOffset, state.replica.log.highWatermark, log.openTransactionCount)
    }
  }

  /// The epoch of the last record. An epoch that has begun at the end has written nothing.
  private var lastEpoch: LeaderEpoch {
    let end = log.endOffset
    return log.leaderEpochs.entries.last { $0.start < end }?.epoch ?? .none
  }

  /// Appends what the source has at `position`, if this broker still leads in that epoch and its log still ends there.
  /// False when it does not, or the log did not take it: then the place must be looked at again.
  func appendMirrored(
    _ records: UnsafeMutableRawBufferPointer, _ runs: [EpochRun], upTo end: Offset, at position: CopyPosition,
    of link: String
  ) -> Bool {
    nonisolated(unsafe) let records = records
    return mirroring(link, position) { state, after, now throws(StorageError) in
      let before = log.endOffset
      guard try appendCopy(records), log.endOffset == end else {
        if log.endOffset != state.replica.log.end { beginAnewLater(now, &state, &after) }
        return false
      }
      switch state.durability {
      case .disk: try log.flush()
      case .pageCache(let limit):
        if noteUnsynced(end - before, after: limit, now, &state) { after.mustSync = true }
      }
      take(
        .mirrored(epochs: runs.map { EpochStart($0.epoch, at: $0.start) }, upTo: end), now, &state, &after)
      if log.startOffset > state.replica.log.start { take(.logStartMoved(log.startOffset), now, &state, &after) }
      if !state.followers.isEmpty { after.wake(&state.followers) }
      return true
    }
  }

  /// Begins anew at `start`, where what lies between is not to be had.
  func restartMirrored(at start: Offset, at position: CopyPosition, of link: String) -> Bool {
    mirroring(link, position) { state, after, now throws(StorageError) in
      try log.restart(at: start, now: wallClockNow())
      try world.lowerCheckpoint(name, start)
      take(.mirrorRestarted(at: start), now, &state, &after)
      if !state.followers.isEmpty { after.wake(&state.followers) }
      return true
    }
  }

  /// Cuts off what the source does not have, as a follower's log is cut where its leader's parts from it. False when the
  /// log is not the one any more that was looked at.
  func truncateMirrored(to end: Offset, at position: CopyPosition, of link: String) -> Bool {
    mirroring(link, position) { state, after, now throws(StorageError) in
      take(.mirrorTruncated(to: end), now, &state, &after)
      // Whoever reads or copies beyond it is told so.
      after.wakeAll(in: &state)
      return !state.mustBeginAnew && log.endOffset <= end
    }
  }

  /// The epochs of the log, for the question where it parts from another.
  var epochRuns: [EpochRun] {
    log.leaderEpochs.entries.map { EpochRun($0.epoch, at: $0.start) }
  }

  /// Removes what the source has removed, as far as it is committed here.
  func removeMirrored(before start: Offset, at position: CopyPosition, of link: String) {
    guard start > position.start else { return }
    _ = mirroring(link, position) { state, after, now throws(StorageError) in
      let bound = min(start, state.replica.log.highWatermark)
      guard bound > log.startOffset else { return true }
      _ = try log.deleteRecords(before: bound)
      take(.logStartMoved(log.startOffset), now, &state, &after)
      return true
    }
  }

  private func mirroring(
    _ link: String, _ position: CopyPosition,
    _ body: (inout State, inout PartitionAftermath, Instant) throws(StorageError) -> Bool
  ) -> Bool {
    let now = monotonicNow()
    let (isDone, after) = state.withLock { state -> (Bool, PartitionAftermath) in
      var after = PartitionAftermath()
      guard case .serving = state.condition, state.gate == .mirror(link), !state.mustBeginAnew,
        case .leader(let lead) = state.replica.role, lead.epoch == position.ownEpoch, log.endOffset == position.end
      else { return (false, after) }
      do throws(StorageError) {
        return (try body(&state, &after, now), after)
      } catch {
        if log.failure != nil { fail(error, &state, &after) } else { beginAnewLater(now, &state, &after) }
        return (false, after)
      }
    }
    finish(after)
    return isDone
  }
}
