import EventLoop
import LogStorage
import Replication
import Synchronization
import Vocabulary

// Producers and coordinators: what they append, when it is on disk, and when they are told.

extension Partition {
  /// Appends batches in place. `done` is called once, maybe before this returns: when the records count as kept, or
  /// when it is clear that they do not.
  ///
  /// NOT_LEADER_OR_FOLLOWER elsewhere than on the leader, and for another epoch than `epoch` where one is named. With
  /// `.allInSync` the records are kept when every in-sync replica has them; after `timeout` it is REQUEST_TIMED_OUT.
  /// A client's transactional batch may need the ticket of `standing`, once its coordinator has said yes.
  func append(
    _ batches: UnsafeMutableRawBufferPointer, origin: AppendOrigin, acks: Acks, timeout: TimeSpan? = nil,
    inEpoch epoch: LeaderEpoch? = nil, verified ticket: VerificationTicket? = nil, now: Timestamp,
    done: @escaping @Sendable (AppendOutcome) -> Void
  ) {
    // The closure of a lock may not capture the caller's buffer as its own; it is used only while this call lasts.
    nonisolated(unsafe) let batches = batches
    let instant = monotonicNow()
    var after = state.withLock { state in
      var after = PartitionAftermath()
      switch state.condition {
      case .failed(let error):
        after.own = .failed(error)
        return after
      case .retired:
        after.own = .failed(StorageError(.append, "\(name)", .invalid("the partition was deleted")))
        return after
      case .serving: break
      }
      if isCutOff(state, at: instant) {
        after.own = .refused(Self.cutOff)
        return after
      }
      if let own = gated(batches, origin, state) {
        after.own = own
        return after
      }
      switch state.replica.admit(acks) {
      case .failure(let refusal): after.own = .refused(AppendRefusal(refusal.code, refusal.message))
      case .success(let current) where epoch != nil && epoch != current:
        after.own = .refused(AppendRefusal(.notLeaderOrFollower, "The partition is led in another epoch."))
      case .success(let current):
        do throws(StorageError) {
          if world.plantedInMirroring != .endsTransactionsLate,
            let refusal = try endCopied(in: current, instant, &state, &after)
          {
            after.own = .refused(refusal)
            break
          }
          switch try log.append(batches, origin: origin, leaderEpoch: current, verified: ticket, now: now) {
          case .failure(let refusal): after.own = .refused(refusal)
          case .success(let appended):
            let deadline = timeout.map { instant + $0 } ?? .never
            keep(Writer(appended: appended, done: done), acks, deadline, instant, &state, &after)
          }
        } catch {
          after.own = .failed(error)
          if log.failure != nil { fail(error, &state, &after) }
        }
      }
      return after
    }
    if let own = after.own {
      after.own = nil
      done(own)
    }
    finish(after)
  }

  /// Whether a producer's transactional batch, which begins with `sequence`, may be appended at once, or its
  /// coordinator must be asked first (KIP-890). Who does not lead gives tickets too: the append is refused all the same.
  func standing(of producer: ProducerID, _ epoch: ProducerEpoch, from sequence: Int32 = .max) -> TransactionStanding {
    state.withLock { state in
      log.standing(of: producer, epoch, from: sequence, inEpoch: state.replica.leaderEpoch)
    }
  }

  private static let cutOff = AppendRefusal(
    .notLeaderOrFollower, "Neither the controller nor an in-sync follower was heard of for a session.")

  func keep(
    _ writer: Writer, _ acks: Acks, _ deadline: Instant, _ now: Instant, _ state: inout State,
    _ after: inout PartitionAftermath
  ) {
    state.lastWrite += 1
    let write = Write(
      WriteID(state.lastWrite), acks, upTo: writer.appended.lastOffset + 1, deadline: deadline)
    switch state.durability {
    case .pageCache(let syncAfter):
      settle(write, writer, now, &state, &after)
      if noteUnsynced(write.end - writer.appended.baseOffset, after: syncAfter, now, &state) { after.mustSync = true }
    case .disk where log.syncedOffset >= write.end:
      settle(write, writer, now, &state, &after)
    case .disk:
      state.unsynced.append(UnsyncedWrite(write: write, writer: writer))
      after.mustSync = true
    }
  }

  /// Tells the replica of an append, and keeps its writer where it must wait. What became of it stands in `after.own`.
  private func settle(
    _ write: Write, _ writer: Writer, _ now: Instant, _ state: inout State, _ after: inout PartitionAftermath
  ) {
    after.current = (write.id, writer.appended)
    take(.appended(write), now, &state, &after)
    if after.current != nil {
      after.current = nil
      state.writers[write.id] = writer
    }
    if !state.followers.isEmpty { after.wake(&state.followers) }
  }

  /// True when so many records are in memory only that they are to be synced.
  func noteUnsynced(_ records: Int64, after limit: Int64, _ now: Instant, _ state: inout State) -> Bool {
    if state.unsyncedSince == nil, state.flushInterval < TimeSpan.milliseconds(.max) { state.unsyncedSince = now }
    guard limit < .max else { return false }
    state.unsyncedRecords += records
    return state.unsyncedRecords >= limit
  }

  // MARK: Syncing

  /// Whether a record has been in memory only for longer than `flush.ms`.
  func isSyncDue(at now: Instant) -> Bool {
    state.withLock { state in state.unsyncedSince.map { now - $0 >= state.flushInterval } ?? false }
  }

  /// At most one sync runs for a partition at a time: whoever comes meanwhile is served by the next one.
  func requestSync() {
    let mustStart = state.withLock { state in
      switch state.sync {
      case .idle:
        state.sync = .running
        return true
      case .running, .runningWithMore:
        state.sync = .runningWithMore
        return false
      }
    }
    if mustStart { pool.run { self.sync() } }
  }

  private func sync() {
    var again = true
    while again {
      let result = Result { () throws(StorageError) in try log.flush() }
      let now = monotonicNow()
      finish(
        state.withLock { state in
          var after = PartitionAftermath()
          switch result {
          // The log may have been cut since, and may hold other records there by now.
          case .success(let offset): synced(upTo: min(offset, log.syncedOffset), now, &state, &after)
          case .failure(let error):
            if log.failure != nil { fail(error, &state, &after) } else { failWriters(error, &state, &after) }
          }
          return after
        })
      again = state.withLock { state in
        let more = state.sync == .runningWithMore
        state.sync = more ? .running : .idle
        return more
      }
    }
  }

  /// Everything before `offset` is on disk: the replica is told, and through it the producers.
  func synced(upTo offset: Offset, _ now: Instant, _ state: inout State, _ after: inout PartitionAftermath) {
    state.unsyncedRecords = 0
    state.unsyncedSince = nil
    guard !state.unsynced.isEmpty, case .serving = state.condition else { return }
    let waiting = state.unsynced
    state.unsynced = []
    for entry in waiting {
      guard entry.write.end <= offset else {
        state.unsynced.append(entry)
        continue
      }
      settle(entry.write, entry.writer, now, &state, &after)
      if let own = after.own {
        after.answers.append((entry.writer.done, own))
        after.own = nil
      }
    }
  }

  /// What is appended is synced and told before the replica hears of anything that may end its term: from then on it
  /// may cut and extend the log, and must know where it ends.
  func settleBeforeChange(_ now: Instant, _ state: inout State, _ after: inout PartitionAftermath) {
    guard case .serving = state.condition, case .leader = state.replica.role,
      !state.unsynced.isEmpty || log.endOffset > state.replica.log.end
    else { return }
    do throws(StorageError) {
      synced(upTo: try log.flush(), now, &state, &after)
      // Appends whose sync found no descriptor have nobody who waits, and stand in the log all the same.
      if log.endOffset > state.replica.log.end {
        state.lastWrite += 1
        take(
          .appended(Write(WriteID(state.lastWrite), .leader, upTo: log.endOffset, deadline: .never)), now, &state,
          &after)
      }
    } catch {
      fail(error, &state, &after)
    }
  }

  // MARK: Failing

  /// A log that failed takes no more writes, and nobody is told that a record was kept.
  func fail(_ error: StorageError, _ state: inout State, _ after: inout PartitionAftermath) {
    guard case .serving = state.condition else { return }
    state.condition = .failed(error)
    failWriters(error, &state, &after)
    after.wakeAll(in: &state)
    after.failure = error
    after.fetch = .stops(.next())
  }

  func failWriters(_ error: StorageError, _ state: inout State, _ after: inout PartitionAftermath) {
    for entry in state.unsynced { after.answers.append((entry.writer.done, .failed(error))) }
    for (_, writer) in state.writers.sorted(by: { $0.key.value < $1.key.value }) {
      after.answers.append((writer.done, .failed(error)))
    }
    state.unsynced = []
    state.writers = [:]
  }
}
