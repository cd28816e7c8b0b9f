import LogStorage
import Replication
import Vocabulary

// Where logs are files: what a replica decides is done to them first, and what a copy is then said to hold is read back.
// The power may go in the middle of it.

extension ClusterSimulation {
  /// False when the process has ended over it, or a promise is broken.
  func store(
    on j: Int, mayBeInterrupted: Bool = true, _ body: (ClusterFiles) throws(StorageError) -> Void
  ) -> Bool {
    guard let files = brokers[j].files else { return true }
    if mayBeInterrupted, isTroubled, chance(perMille: 10), mayLose([j]) {
      files.disk.cutPower(atEffect: files.disk.effects + draw(8))
    }
    var failure: StorageError?
    do throws(StorageError) { try body(files) } catch { failure = error }
    if files.disk.isPowerOff {
      seen.interruptions += 1
      note("\(j) loses its power: \(failure?.description ?? "it notices nothing")")
      crash([place(ofBroker: j)], powerLoss: true)
      return false
    }
    files.disk.cutPower(atEffect: nil)
    if let failure { promises.fail("broker \(j) \(failure)") }
    return failure == nil
  }

  /// Changes a log, in its files first. What the change may leave behind when it is interrupted is noted before.
  @discardableResult
  func change(
    _ key: PartitionKey, on j: Int, _ underway: ClusterCopy.Underway,
    inFiles: (ClusterFiles, PartitionLog) throws(StorageError) -> Void, inModel: (inout ReplicatedLog) -> Void
  ) -> Bool {
    guard brokers[j].files != nil else {
      lend(key, on: j, inModel)
      return true
    }
    brokers[j].copies[key]?.underway = underway
    let isDone = store(on: j) { files throws(StorageError) in
      guard let log = files.logs[key] else { return }
      try inFiles(files, log)
    }
    guard isDone else { return false }
    brokers[j].copies[key]?.underway = .nothing
    lend(key, on: j, inModel)
    return readBack(key, on: j, newest: 12) != nil
  }

  private func lend(_ key: PartitionKey, on j: Int, _ body: (inout ReplicatedLog) -> Void) {
    guard var copy = brokers[j].copies.removeValue(forKey: key) else { return }
    body(&copy.log)
    brokers[j].copies[key] = copy
  }

  func truncate(_ key: PartitionKey, to end: Offset, on j: Int) {
    let synced = brokers[j].copies[key]?.log.synced ?? 0
    brokers[j].copies[key]?.log.synced = min(synced, Int(end.value))
    var found = end
    change(key, on: j, .cut) { files, log throws(StorageError) in
      found = try log.truncate(to: end)
      try files.lowerHighWatermark(key, to: found)
    } inModel: {
      $0.truncate(to: Int(end.value))
    }
    // What was cut off must not come back: the power goes where it would.
    if hasFiles, isTroubled, nodes[place(ofBroker: j)].doom == nil, happens(oneIn: 3) {
      nodes[place(ofBroker: j)].doom = (draw(4), true)
    }
    if found != end { promises.fail("broker \(j) cuts \(key.text) at \(found.value) instead of \(end.value)") }
  }

  func restart(_ key: PartitionKey, at start: Offset, on j: Int) {
    if hasFiles { brokers[j].copies[key]?.log.synced = 0 }
    let time = ClusterFiles.time(now)
    change(key, on: j, .move) { files, log throws(StorageError) in
      try log.restart(at: start, now: time)
      try files.lowerHighWatermark(key, to: start)
    } inModel: {
      $0.restart(at: Int(start.value))
    }
  }

  @discardableResult
  func delete(_ key: PartitionKey, before start: Offset, on j: Int) -> Bool {
    change(key, on: j, .move) { _, log throws(StorageError) in
      _ = try log.deleteRecords(before: start)
    } inModel: {
      $0.delete(before: Int(start.value))
    }
  }

  /// What the leader sent.
  func append(_ copied: StoredRecords, _ key: PartitionKey, on j: Int) {
    let time = now
    let syncs = syncsEveryWrite
    var refusal: AppendRefusal?
    let isDone = change(key, on: j, .append(copied.records)) { files, log throws(StorageError) in
      if case .failure(let refused)? = try files.append(copied.bytes, to: key, .replica, epoch: .none, now: time) {
        refusal = refused
      } else if syncs {
        try log.flush()
      }
    } inModel: {
      $0.records += copied.records
      if syncs { $0.synced = $0.end }
    }
    if let refusal { promises.fail("broker \(j) does not take what its leader sent: \(refusal)") }
    if isDone { noteHolding(key, copied.records.count, on: j) }
  }

  /// What a client sent; nil when the process has ended over it. The log itself knows what it has already.
  func write(_ client: Int, _ sequence: Int, _ key: PartitionKey, in epoch: LeaderEpoch, on j: Int) -> Int? {
    guard let log = brokers[j].copies[key]?.log else { return nil }
    let known = log.offset(ofClient: client, sequence: sequence)
    let time = now
    let bytes = hasFiles ? ClusterFiles.batch(client: client, sequence: sequence, now: now) : []
    let plain = ReplicatedRecord(epoch: epoch, client: client, sequence: sequence)
    let record = hasFiles ? ClusterFiles.record(in: bytes, epoch: epoch) ?? plain : plain
    if !hasFiles, let known { return known }
    let syncs = syncsEveryWrite
    var found = known ?? log.end
    var isRepeated = known != nil
    var refusal: AppendRefusal?
    let isDone = change(key, on: j, .append([record])) { files, log throws(StorageError) in
      switch try files.append(bytes, to: key, .client, epoch: epoch, now: time) {
      case .success(let appended)?:
        (found, isRepeated) = (Int(appended.baseOffset.value), appended.isDuplicate)
        if syncs { try log.flush() }
      case .failure(let refused)?: refusal = refused
      case nil: return
      }
    } inModel: {
      if known == nil { $0.records.append(record) }
      if syncs { $0.synced = $0.end }
    }
    if let refusal { promises.fail("broker \(j) refuses \(client)/\(sequence): \(refusal)") }
    if found != known ?? log.end || isRepeated != (known != nil) {
      let place = known.map { "has it at \($0)" } ?? "does not have it"
      promises.fail("broker \(j) takes \(client)/\(sequence) for a repeat (\(isRepeated)) of \(found), and \(place)")
    }
    guard isDone else { return nil }
    if known == nil { noteHolding(key, 1, on: j) }
    return found
  }

  private func noteHolding(_ key: PartitionKey, _ count: Int, on j: Int) {
    guard let log = brokers[j].copies[key]?.log else { return }
    let id = brokers[j].id
    promises.judge(key) { judge in
      for (place, record) in log.records.suffix(count).enumerated() {
        judge.has(id, record, at: log.end - count + place)
      }
    }
  }

  // MARK: Reading

  /// The log as it is in the files, from the newest records that are asked for on; nil when that is not what it should
  /// be, or cannot be read.
  @discardableResult
  func readBack(_ key: PartitionKey, on j: Int, newest: Int = .max) -> ReplicatedLog? {
    guard let log = brokers[j].copies[key]?.log else { return nil }
    guard let files = brokers[j].files, let kept = files.logs[key] else { return log }
    guard kept.startOffset.value == log.base, kept.endOffset.value == log.end else {
      promises.fail(
        "\(key.text) on broker \(j) is \(kept.startOffset.value)..<\(kept.endOffset.value) in its files, and "
          + "\(log.base)..<\(log.end) by what was done to it")
      return nil
    }
    let first = max(log.base, newest < log.end ? log.end - newest : 0)
    var found = ReplicatedLog()
    found.base = first
    do throws(StorageError) {
      found.records = try files.contents(of: key, from: first, upTo: log.end)
    } catch {
      promises.fail("broker \(j) \(error)")
      return nil
    }
    guard found.records.elementsEqual(log.records[(first - log.base)...]) else {
      promises.fail("\(key.text) on broker \(j) has other records in its files from \(first) on")
      return nil
    }
    return found
  }

  /// What a reader gets from there.
  func readable(_ key: PartitionKey, from offset: Int, upTo end: Int, on j: Int) -> ReplicatedLog? {
    guard let files = brokers[j].files else { return brokers[j].copies[key]?.log }
    var found = ReplicatedLog()
    found.base = offset
    do throws(StorageError) {
      found.records = try files.contents(of: key, from: offset, upTo: end)
    } catch {
      promises.fail("broker \(j) \(error)")
      return nil
    }
    return found
  }

  /// The epochs that the log would have after a restart are those that the replica decides by. What they say of records
  /// that are gone does not count: recovery may find the epochs of before they went.
  func compareEpochs(_ key: PartitionKey, _ replica: Replica, on j: Int) {
    guard let kept = brokers[j].files?.logs[key] else { return }
    let stored = known(kept.leaderEpochs.entries.map { EpochStart($0.epoch, at: $0.start) }, in: replica.log)
    let decided = known(replica.log.epochs.starts, in: replica.log)
    if stored != decided { promises.fail("the epochs of \(key.text) on broker \(j) are \(stored), not \(decided)") }
  }

  private func known(_ epochs: [EpochStart], in log: LogSummary) -> [EpochStart] {
    let oldest = epochs.lastIndex { $0.offset <= log.start } ?? 0
    return epochs.dropFirst(oldest).filter { $0.offset < log.end }
      .map { EpochStart($0.epoch, at: max($0.offset, log.start)) }
      .filter { $0.offset < log.end }
  }

  // MARK: Lives

  /// Opens the log of a copy and recovers it; nil when the power went meanwhile.
  func recover(_ key: PartitionKey, on j: Int) -> LogSummary? {
    let time = now
    let syncs = syncsEveryWrite
    var summary: LogSummary?
    var found = ReplicatedLog()
    let before = brokers[j].copies[key] ?? ClusterCopy()
    let isDone = store(on: j) { files throws(StorageError) in
      summary = try files.open(key, now: time)
      guard let summary, let log = files.logs[key] else { return }
      if syncs, log.syncedOffset < log.endOffset { try log.flush() }
      found.base = Int(summary.start.value)
      found.records = try files.contents(of: key, from: found.base, upTo: Int(summary.end.value))
      found.synced = Int(log.syncedOffset.value)
      if found.end != Int(summary.end.value) {
        throw StorageError(.recover, log.directory, .invalid("it ends at \(summary.end), and \(found.end) is readable"))
      }
    }
    guard isDone, let summary else { return nil }
    seen.recoveries += 1
    if let reason = before.difference(from: found) {
      promises.fail("\(key.text) on broker \(j) comes up with \(found.base)..<\(found.end): \(reason)")
    }
    var copy = before
    copy.log = found
    copy.underway = .nothing
    copy.lostPower = false
    brokers[j].copies[key] = copy
    // A record counts as written when an interrupted append has left it.
    noteHolding(key, found.records.count, on: j)
    promises.touch(key)
    return summary
  }

  var hasFiles: Bool { options.logs == .files }

  func highWatermarks(of j: Int) -> [PartitionKey: Offset] {
    brokers[j].copies.compactMapValues { $0.replica?.log.highWatermark }
  }

  func makeFiles(_ j: Int) -> ClusterFiles? {
    guard hasFiles else { return nil }
    var planted: StorageBug?
    if case .storage(let bug) = options.planted { planted = bug }
    return ClusterFiles(
      NodeID(Int32(j)), seed: random.next(), segmentBytes: [250, 700, 5000][draw(3)], planted: planted)
  }

  /// At the end everything is read once more.
  func checkFiles() {
    for j in brokers.indices {
      for key in brokers[j].copies.keys.sorted() {
        guard let replica = brokers[j].copies[key]?.replica, let log = readBack(key, on: j) else { continue }
        let id = brokers[j].id
        promises.judge(key) { $0.agree(log, id, upTo: Int(replica.log.highWatermark.value)) }
      }
    }
  }
}

extension ClusterCopy {
  /// What a change that was interrupted may leave behind.
  enum Underway {
    case nothing
    case append([ReplicatedRecord])
    case cut
    case move
  }

  /// Why this copy cannot have become what recovery has found; nil when it can.
  fileprivate func difference(from found: ReplicatedLog) -> String? {
    var appended: [ReplicatedRecord] = []
    var isMoved = false
    var isCut = false
    switch underway {
    case .nothing: break
    case .append(let records): appended = records
    case .cut: isCut = true
    case .move: isMoved = true
    }
    if found.end < log.synced { return "everything below \(log.synced) was synced" }
    if !isMoved, found.base != log.base { return "it began at \(log.base)" }
    if !lostPower, !isCut, !isMoved, found.end < log.end { return "it ended at \(log.end), and no power was lost" }
    for offset in found.base..<found.end {
      let place = offset - log.end
      let written = log.record(offset) ?? (appended.indices.contains(place) ? appended[place] : nil)
      if found.record(offset) != written { return "another record was written at \(offset), or none" }
    }
    return nil
  }
}
