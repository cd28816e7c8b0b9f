import ClusterMetadata
import Consensus
import EventLoop
import LogStorage
import Synchronization
import Vocabulary

/// Snapshots: taken of what is applied, fetched by who is behind, and what they make superfluous (KIP-630).
extension MetadataQuorum {
  func takeSnapshotIfDue() throws {
    let isDue = state.withLock { state in
      state.bytesSinceSnapshot >= setup.snapshotInterval.value && !state.isTakingSnapshot
    }
    if isDue { try takeSnapshot() }
  }

  /// Writes what is applied now on the pool, and drops the log before it. On the thread.
  func takeSnapshot() throws {
    let (image, applied) = published.withLock { ($0.image, $0.applied) }
    let work = state.withLock { state -> (SnapshotID, VoterSet)? in
      guard applied > state.quorum.log.start, !state.isTakingSnapshot else { return nil }
      state.isTakingSnapshot = true
      state.bytesSinceSnapshot = 0
      let log = state.quorum.log
      return (SnapshotID(end: applied, epoch: log.epoch(before: applied)), log.voters(before: applied))
    }
    guard let (id, voters) = work else { return }
    // Space comes back by segments: the next snapshot frees this one.
    try setup.log.rollNow(now: wallClockNow())
    let content = SnapshotFile.Content(image: image, voters: voters)
    setup.pool.run { [self] in
      let now = wallClockNow()
      do throws(StorageError) {
        let snapshot = try snapshots.write(id, content, lastTimestamp: now, now: now)
        run { self.took(snapshot) }
      } catch {
        // The log is still there: it only grows until the next attempt.
        setup.report("a snapshot of the metadata cannot be written", "\(error)")
        run { self.state.withLock { $0.isTakingSnapshot = false } }
      }
    }
  }

  private func took(_ snapshot: Snapshot) {
    state.withLock { $0.isTakingSnapshot = false }
    handle(.tookSnapshot(snapshot, .dropPrefix))
    // One from the leader may have overtaken it.
    let start = state.withLock { $0.quorum.log.start }
    do throws(StorageError) { try removeOlder(before: start) } catch {
      setup.report("an old snapshot cannot be removed", "\(error)")
    }
  }

  func dropPrefix(before offset: Offset) throws {
    guard try setup.log.deleteRecords(before: offset) != nil else {
      throw StorageError(
        .truncate, setup.log.directory, .invalid("the log ends before offset \(offset.value), where it is to begin"))
    }
    try removeOlder(before: offset)
  }

  private func removeOlder(before end: Offset) throws(StorageError) {
    try snapshots.removeOlder(than: SnapshotID(end: end, epoch: LeaderEpoch(0)))
  }

  // MARK: From the leader

  func write(_ piece: Piece) throws {
    let arrived = state.withLock { state in
      defer { state.arrived = .nothing }
      return state.arrived
    }
    guard case .piece(let bytes) = arrived, bytes.count == piece.count.value else { return }
    let path = snapshots.partPath(piece.snapshot)
    let file = piece.position == .zero ? try setup.disk.create(path) : try setup.disk.open(path)
    try file.write(bytes, at: Int64(piece.position.value))
  }

  /// Reads the whole file, which may take a while. One that is not what it should be is left alone: after the fetch
  /// timeout the replica looks for a leader again, and gets another.
  func check(_ snapshot: Snapshot) {
    setup.pool.run { [self] in
      let path = snapshots.partPath(snapshot.id)
      do {
        let file = try setup.disk.open(path)
        guard try file.size() == Int64(snapshot.size.value) else {
          throw StorageError(.read, path, .invalid("the snapshot has another size than the leader said"))
        }
        let content = try snapshots.read(path)
        try file.syncData()
        run { self.checked(snapshot, content) }
      } catch {
        setup.report("a snapshot from the leader is not used", "\(error)")
      }
    }
  }

  private func checked(_ snapshot: Snapshot, _ content: SnapshotFile.Content) {
    let voters = state.withLock { state in
      state.checked = (snapshot.id, content.image)
      return content.voters ?? state.quorum.log.voters
    }
    handle(.checkedSnapshot(snapshot, voters: voters))
    state.withLock { $0.checked = nil }
  }

  /// The file gets its name first: from then on a start begins with it, whatever is left of the old log.
  func install(_ id: SnapshotID) throws {
    guard let checked = state.withLock({ $0.checked }), checked.id == id else {
      throw StorageError(.rename, snapshots.path(id), .invalid("the snapshot was not checked"))
    }
    try snapshots.finish(id)
    try setup.log.restart(at: id.end, now: wallClockNow())
    state.withLock { state in
      state.own = []
      state.bytesSinceSnapshot = 0
    }
    published.withLock { published in
      published.image = checked.image
      published.applied = id.end
    }
    try removeOlder(before: id.end)
    observer.withLock { $0 }?.replaced(by: checked.image, upTo: id.end)
  }

  /// A piece of a snapshot for a follower, at most so many bytes of it.
  func bytes(of piece: Piece, atMost limit: Int) -> [UInt8]? {
    do {
      let file = try setup.disk.open(snapshots.path(piece.snapshot))
      return try file.bytes(at: Int64(piece.position.value), count: max(1, min(piece.count.value, limit)))
    } catch {
      setup.report("a snapshot cannot be read", "\(error)")
      return nil
    }
  }
}
