import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Vocabulary

// What the replica is told, and what it decides: performed at once, in its order, under the lock.

extension Partition {
  /// Hands an input in and performs what follows. Nothing else comes between the effects.
  func take(
    _ input: Input, _ now: Instant, _ state: inout State, _ after: inout PartitionAftermath,
    records: UnsafeMutableRawBufferPointer? = nil
  ) {
    var effects = state.effects
    state.effects = []
    state.replica.handle(input, at: now, into: &effects)
    for effect in effects {
      do throws(StorageError) {
        guard try perform(effect, &state, &after, records) else {
          beginAnewLater(now, &state, &after)
          break
        }
      } catch {
        // Without a failed log nothing was done, such as for want of a descriptor.
        if log.failure != nil { fail(error, &state, &after) } else { beginAnewLater(now, &state, &after) }
        break
      }
    }
    effects.removeAll(keepingCapacity: true)
    state.effects = effects
  }

  /// False when the log is now not what the replica takes it for.
  private func perform(
    _ effect: Effect, _ state: inout State, _ after: inout PartitionAftermath,
    _ records: UnsafeMutableRawBufferPointer?
  ) throws(StorageError) -> Bool {
    switch effect {
    case .answerWrite(let id, let answer): answerWrite(id, answer, &state, &after)
    case .keepHighWatermark:
      after.wake(&state.consumers)
      wakeCommittedConsumers(&state, &after)
      if world.tellsFollowersOfHighWatermarks { after.wake(&state.followers) }
    case .answerFetch(_, let answer): after.fetchAnswer = answer
    case .truncate, .restart, .append, .deleteBefore, .propose, .fetch:
      guard case .serving = state.condition else { return true }
      return try performInOrder(effect, &state, &after, records)
    }
    return true
  }

  /// What the high watermark has passed may be part of a transaction that is open, and is nothing to wake anybody for.
  private func wakeCommittedConsumers(_ state: inout State, _ after: inout PartitionAftermath) {
    guard !state.committedConsumers.isEmpty else {
      return log.settleTransactions(below: state.replica.log.highWatermark)
    }
    let stable = stableOffset(state)
    guard stable != state.stableOffsetSeen else { return }
    state.stableOffsetSeen = stable
    after.wake(&state.committedConsumers)
  }

  private func performInOrder(
    _ effect: Effect, _ state: inout State, _ after: inout PartitionAftermath,
    _ records: UnsafeMutableRawBufferPointer?
  ) throws(StorageError) -> Bool {
    switch effect {
    case .truncate(let end):
      let found = try log.truncate(to: end)
      try world.lowerCheckpoint(name, found)
      return found == end
    case .restart(let start):
      try log.restart(at: start, now: wallClockNow())
      try world.lowerCheckpoint(name, start)
    case .append(_, let start, let end):
      guard let records, try appendCopy(records) else { return false }
      switch state.durability {
      case .disk: try log.flush()
      case .pageCache(let limit):
        if noteUnsynced(end - start, after: limit, monotonicNow(), &state) { after.mustSync = true }
      }
      if !state.followers.isEmpty { after.wake(&state.followers) }
    case .deleteBefore(let start):
      _ = try log.deleteRecords(before: start)
    case .propose(let proposal):
      state.lastProposal = monotonicNow()
      after.proposals.append(proposal)
    case .fetch(let leader, let ask):
      after.fetch = .order(FetchOrder(partition: self, leader: leader, ask: ask, generation: state.generation))
    case .answerWrite, .keepHighWatermark, .answerFetch: break
    }
    return true
  }

  /// A batch that holds our start may begin before it, where the leader's start was moved into a batch: it is taken
  /// whole, and what lies before the start is hidden again.
  func appendCopy(_ records: UnsafeMutableRawBufferPointer) throws(StorageError) -> Bool {
    let start = log.startOffset
    var hidesBeginning = false
    if start == log.endOffset, let first = try? RecordBatch(UnsafeRawBufferPointer(records)).header,
      first.baseOffset < start, first.nextOffset > start
    {
      try log.restart(at: first.baseOffset, now: wallClockNow())
      hidesBeginning = true
    }
    guard case .success = try log.append(records, origin: .replica, leaderEpoch: .none, now: wallClockNow()) else {
      return false
    }
    if hidesBeginning { _ = try log.deleteRecords(before: start) }
    return true
  }

  private func answerWrite(
    _ id: WriteID, _ answer: WriteAnswer, _ state: inout State, _ after: inout PartitionAftermath
  ) {
    if let current = after.current, current.id == id {
      after.current = nil
      after.own = Self.outcome(answer, current.appended)
    } else if let writer = state.writers.removeValue(forKey: id) {
      after.answers.append((writer.done, Self.outcome(answer, writer.appended)))
    }
  }

  private static func outcome(_ answer: WriteAnswer, _ appended: Appended) -> AppendOutcome {
    switch answer {
    case .acknowledged: .kept(appended)
    case .refused(let code):
      .refused(AppendRefusal(code, "The records were appended, but are not known to be on every in-sync replica."))
    }
  }

  /// The replica stops, and comes up again as after a restart at the next tick: with what is in the log.
  func beginAnewLater(_ now: Instant, _ state: inout State, _ after: inout PartitionAftermath) {
    let mark = state.replica.log.highWatermark
    state.generation += 1
    state.mustBeginAnew = true
    state.endedIn = nil
    state.replica = Replica(
      id: world.node, brokerEpoch: world.brokerEpoch, recovered: LogSummary(of: log, highWatermark: mark),
      settings: state.replica.settings)
    after.fetch = .stops(.next())
    state.lastTick = now
  }

  // MARK: Metadata

  /// What the metadata says about the partition, and about the brokers of its copies.
  func assign(_ next: Replication.PartitionState, brokers: [BrokerStatus]) {
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        if case .retired = state.condition { return after }
        let before = state.replica.leaderEpoch
        let inSync = state.inSync
        if next.leaderEpoch != before || next.leader != .elected(world.node, world.brokerEpoch) {
          settleBeforeChange(now, &state, &after)
        }
        state.assigned = (next, brokers)
        noteThrottle(state, &after)
        // A leader that counts by a new minimum knows who is alive, and has it before what was decided by it.
        take(.brokersChanged(brokers), now, &state, &after)
        takeMinimum(now, &state, &after)
        take(.assigned(next), now, &state, &after)
        if world.plantedInMirroring != .endsTransactionsLate { endCopiedWhereLeading(now, &state, &after) }
        after.noteInSync(from: inSync, to: state.inSync)
        switch state.replica.role {
        case .leader, .waiting: after.fetch = .stops(.next())
        case .follower, .observer: break
        }
        if state.replica.leaderEpoch != before {
          after.wakeAll(in: &state)
        }
        return after
      })
  }

  /// Other lives, fences and farewells of the brokers that have copies.
  func brokersChanged(_ brokers: [BrokerStatus]) {
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        guard let assigned = state.assigned else { return after }
        state.assigned = (assigned.state, brokers)
        take(.brokersChanged(brokers), now, &state, &after)
        return after
      })
  }

  /// The nodes that have a copy, as the metadata said last.
  var members: [Member] { state.withLock { $0.assigned?.state.members ?? [] } }

  /// A minimum above the number of replicas counts as that number, as in Kafka.
  func takeMinimum(_ now: Instant, _ state: inout State, _ after: inout PartitionAftermath) {
    let members = state.assigned?.state.members ?? []
    let voters = max(1, members.count { $0.kind == .sync })
    let regions = world.planted == .countsNoRegions ? 1 : state.minRegions
    let minimum = Minimum(replicas: min(state.minInSync, voters), regions: regions)
    guard minimum != state.replica.settings.minimum else { return }
    var settings = state.replica.settings
    settings.minimum = minimum
    take(.settingsChanged(settings), now, &state, &after)
  }

  func proposalAnswered(_ id: ProposalID, _ answer: ProposalAnswer) {
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        if case .refused(.fencedLeaderEpoch) = answer { settleBeforeChange(now, &state, &after) }
        if case .confirmed = answer { state.lastProposal = nil }
        let inSync = state.inSync
        take(.proposalAnswered(id, answer), now, &state, &after)
        after.noteInSync(from: inSync, to: state.inSync)
        return after
      })
  }

  // MARK: Copying

  /// A follower's fetch. Once, when it comes, it counts as progress; when it is looked at again, it does not.
  func answer(_ request: Replication.FetchRequest, isNew: Bool) -> FetchAnswer {
    let now = monotonicNow()
    let after = state.withLock { state in
      var after = PartitionAftermath()
      guard case .serving = state.condition else {
        after.fetchAnswer = .refused(.kafkaStorageError)
        return after
      }
      // Whoever has no copy is not believed when it says that there is a newer epoch.
      guard state.assigned?.state.member(request.from) != nil else {
        after.fetchAnswer = .refused(.unknownTopicOrPartition)
        return after
      }
      guard isNew else {
        after.fetchAnswer = state.replica.answer(toAgain: request)
        return after
      }
      if request.leaderEpoch > state.replica.leaderEpoch { settleBeforeChange(now, &state, &after) }
      take(.fetchRequested(request), now, &state, &after)
      return after
    }
    finish(after)
    return after.fetchAnswer ?? .refused(.kafkaStorageError)
  }

  /// The answer to a fetch of ours.
  func copied(_ order: FetchOrder, _ fetched: FetchedRecords) {
    nonisolated(unsafe) let records = fetched.bytes
    let outcome = fetched.outcome
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        guard case .serving = state.condition, order.generation == state.generation else { return after }
        take(.fetchAnswered(order.ask.id, outcome), now, &state, &after, records: records)
        if case .serving = state.condition, !state.mustBeginAnew, log.endOffset != state.replica.log.end {
          beginAnewLater(now, &state, &after)
        }
        return after
      })
  }

  /// Retention or DeleteRecords has moved the log's start.
  func logStartMoved() {
    let now = monotonicNow()
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        take(.logStartMoved(log.startOffset), now, &state, &after)
        return after
      })
  }

  // MARK: Time

  /// Where nothing is under way, time matters only to the lag of followers.
  func tick(at now: Instant, calm: TimeSpan) {
    finish(
      state.withLock { state in
        var after = PartitionAftermath()
        guard case .serving = state.condition else { return after }
        // It may have failed in retention, compaction or a checkpoint, where nobody waits for it.
        if let failure = log.failure {
          fail(failure, &state, &after)
          return after
        }
        let isCutOff = isCutOff(state, at: now)
        guard isCutOff || state.isBusy(at: now) || now - state.lastTick >= calm else { return after }
        state.lastTick = now
        if isCutOff {
          take(.controllerSilent, now, &state, &after)
          after.wakeConsumers(in: &state)
        }
        if state.mustBeginAnew, let assigned = state.assigned {
          state.mustBeginAnew = false
          take(.brokersChanged(assigned.brokers), now, &state, &after)
          take(.assigned(assigned.state), now, &state, &after)
        }
        take(.tick, now, &state, &after)
        endCopiedWhereLeading(now, &state, &after)
        return after
      })
  }
}

extension Partition.State {
  private static let proposalMemory = TimeSpan.seconds(10)

  /// Who is in sync, and in which term of this leader; nil where it does not lead.
  fileprivate var inSync: (epoch: LeaderEpoch, nodes: NodeSet)? {
    guard case .leader(let lead) = replica.role else { return nil }
    return (lead.epoch, lead.committed)
  }

  /// Whether somebody waits for time to pass.
  fileprivate func isBusy(at now: Instant) -> Bool {
    if mustBeginAnew || !writers.isEmpty { return true }
    if let lastProposal, now - lastProposal < Self.proposalMemory { return true }
    switch replica.role {
    case .follower(let copy), .observer(let copy):
      if case .underway(_, let since) = copy.fetching { return now - since >= replica.settings.fetchTimeout }
      return true
    case .leader, .waiting: return false
    }
  }
}
