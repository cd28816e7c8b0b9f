import ClusterMetadata
import Consensus
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// Each effect is performed before the next one begins; what throws here stops the replica.
extension MetadataQuorum {
  func perform(_ effect: Effect) throws {
    switch effect {
    case .persist(let record): try ElectionFile.write(record, setup.disk, setup.log.directory)
    case .append(let batches): try write(batches)
    case .truncate(let end): try truncate(to: end)
    case .send(let request, let id, let node): send(request, id, to: node)
    case .answer(let answer, let token):
      if let waiting = state.withLock({ $0.waiting.removeValue(forKey: token) }) { waiting(answer) }
    case .becameLeader(let epoch, let start): state.withLock { $0.leading = .catchingUp(epoch, start: start) }
    case .lostLeadership(let epoch): lostLeadership(epoch)
    case .leaderChanged(let leader, let epoch): leaderChanged(leader, epoch)
    case .highWatermark(let offset): try apply(upTo: offset)
    case .refuse(let proposals, _):
      state.withLock { state in for one in proposals { state.proposals.removeValue(forKey: one.name) } }
    case .writeSnapshot(let piece): try write(piece)
    case .checkSnapshot(let snapshot): check(snapshot)
    case .installSnapshot(let id): try install(id)
    case .dropPrefix(let offset): try dropPrefix(before: offset)
    case .report(let anomaly): fail(Self.text(anomaly))
    }
  }

  private static func text(_ anomaly: Anomaly) -> String {
    switch anomaly {
    case .secondLeader(let node, let epoch):
      "node \(node.value) says that it leads epoch \(epoch.value), which has another leader already"
    case .truncationOfCommitted(let offset):
      "the leader wants records at offset \(offset.value) gone, which are committed"
    case .batchOutOfPlace(let offset): "the leader sent a batch at offset \(offset.value), where the log does not end"
    }
  }

  // MARK: The log

  private func write(_ batches: [LogBatch]) throws {
    let arrived = state.withLock { state in
      defer { state.arrived = .nothing }
      return state.arrived
    }
    if case .batches(let bytes) = arrived {
      try append(bytes, at: batches.first?.base)
    } else {
      for batch in batches { try write(batch) }
    }
    flushSoon()
  }

  private func write(_ batch: LogBatch) throws {
    let now = wallClockNow()
    let own: OwnBatch
    switch batch.content {
    case .data(let name):
      guard let proposed = state.withLock({ $0.proposals.removeValue(forKey: name) }), proposed.base == batch.base
      else {
        throw StorageError(.append, setup.log.directory, .invalid("a batch is to be written that nobody proposed"))
      }
      own = proposed
    case .leaderChange(let leader, let voters, let grantedBy):
      let record = MetadataBatches.leaderChange(leader, voters: voters, grantedBy: grantedBy)
      own = OwnBatch(
        base: batch.base, end: batch.end, records: [],
        bytes: MetadataBatches.control([record], base: batch.base, epoch: batch.epoch, now: now))
    case .voters(let set):
      own = OwnBatch(
        base: batch.base, end: batch.end, records: [],
        bytes: MetadataBatches.control(
          [.voters(VoterRecords.record(set))], base: batch.base, epoch: batch.epoch, now: now))
    }
    try append(own.bytes, at: own.base)
    state.withLock { $0.own.append(own) }
  }

  private func append(_ bytes: [UInt8], at base: Offset?) throws {
    var bytes = bytes
    let result = try bytes.withUnsafeMutableBytes { raw in
      try setup.log.append(raw, origin: .replica, leaderEpoch: LeaderEpoch(0), now: wallClockNow())
    }
    switch result {
    case .success(let appended) where appended.baseOffset == base: break
    case .success(let appended):
      throw StorageError(
        .append, setup.log.directory, .invalid("a batch went to offset \(appended.baseOffset.value)"))
    case .failure(let refusal): throw StorageError(.append, setup.log.directory, .invalid(refusal.message))
    }
  }

  /// One flush for everything that is appended until the thread comes to it.
  private func flushSoon() {
    let isFirst = state.withLock { state in
      defer { state.isFlushQueued = true }
      return !state.isFlushQueued
    }
    if isFirst { run { self.flush() } }
  }

  private func flush() {
    let isRunning = state.withLock { state in
      state.isFlushQueued = false
      if case .running = state.phase { return true }
      return false
    }
    guard isRunning else { return }
    do {
      let synced = try setup.log.flush()
      let (end, epoch) = state.withLock { state in
        let end = min(synced, state.quorum.log.end)
        return (end, state.quorum.log.epoch(before: end))
      }
      handle(.persisted(upTo: end, epoch: epoch))
    } catch {
      fail("\(error)")
    }
  }

  private func truncate(to end: Offset) throws {
    state.withLock { state in state.own.removeAll { $0.end > end } }
    let reached = try setup.log.truncate(to: end)
    guard reached == end else {
      throw StorageError(
        .truncate, setup.log.directory, .invalid("no batch ends at offset \(end.value), but one at \(reached.value)"))
    }
  }

  // MARK: Leadership

  private func lostLeadership(_ epoch: LeaderEpoch) {
    let wasAnnounced = state.withLock { state in
      defer { state.leading = .no }
      if case .announced(epoch) = state.leading { return true }
      return false
    }
    if wasAnnounced { observer.withLock { $0 }?.lostLeadership(epoch) }
  }

  func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch) {
    published.withLock { $0.leader = leader.map { ($0, epoch) } }
    observer.withLock { $0 }?.leaderChanged(leader, epoch)
  }
}
