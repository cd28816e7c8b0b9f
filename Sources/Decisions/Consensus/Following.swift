import Vocabulary

extension Quorum {
  /// What the leader answered to a Fetch.
  mutating func take(_ fetched: Fetched, highWatermark told: Offset, _ step: inout Step) {
    guard case .follower(var following) = role, following.snapshot == nil else { return }
    following.fetchDeadline = step.now + settings.fetchTimeout
    following.isOutOfTouch = false
    following.contact = .fetched
    role = .follower(following)
    switch fetched {
    // A range is what is put into an answer; what comes out of one are batches.
    case .nothing, .range: raiseHighWatermark(to: told, &step)
    case .batches(let batches):
      guard follows(batches) else {
        step.effects.append(.report(.batchOutOfPlace(batches.first?.base ?? .none)))
        return
      }
      if !batches.isEmpty {
        for batch in batches { log.append(batch) }
        step.effects.append(.append(batches))
      }
      raiseHighWatermark(to: told, &step)
    case .diverging(let end): truncate(for: end, &step)
    case .snapshot(let id): startDownload(of: id, &step)
    }
  }

  private func follows(_ batches: [LogBatch]) -> Bool {
    var end = log.end
    var epoch = log.lastEpoch
    for batch in batches {
      guard batch.base == end, batch.count > 0, batch.epoch >= epoch, batch.epoch <= election.epoch,
        batch.base.value <= .max - Int64(batch.count)
      else { return false }
      end = batch.end
      epoch = batch.epoch
    }
    return true
  }

  private mutating func raiseHighWatermark(to told: Offset, _ step: inout Step) {
    let committed = min(told, log.end)
    guard committed > highWatermark else { return }
    highWatermark = committed
    step.effects.append(.highWatermark(committed))
  }

  private mutating func truncate(for end: EpochEnd, _ step: inout Step) {
    let cut = log.cut(for: end)
    guard cut < log.end else { return }
    guard cut >= highWatermark, cut >= log.start else {
      step.effects.append(.report(.truncationOfCommitted(cut)))
      return
    }
    log.truncate(to: cut)
    step.effects.append(.truncate(to: cut))
  }

  // MARK: Silence

  /// A process that is gone refuses connections at once: a follower that has missed its leader twice in a row does not
  /// wait for the rest of its fetch timeout, and asks the others whether they have lost it too (KIP-996). Where they have
  /// not, the leader stays, and the whole timeout counts again. Followers that lose it together do not ask together.
  mutating func missed(_ entry: RequestTable.Entry, _ step: inout Step) {
    guard isVoter, case .follower(var following) = role, entry.node == following.leader else { return }
    switch (entry.kind, following.contact) {
    case (.fetch, .fetched), (.fetchSnapshot, .fetched): following.contact = .missedOnce
    case (.fetch, .missedOnce), (.fetchSnapshot, .missedOnce):
      following.contact = .none
      let pause = step.part(of: TimeSpan(nanoseconds: settings.electionTimeout.nanoseconds / 2))
      following.fetchDeadline = min(following.fetchDeadline, step.now + pause)
    default: return
    }
    role = .follower(following)
  }

  // MARK: Snapshots

  private mutating func startDownload(of id: SnapshotID, _ step: inout Step) {
    guard case .follower(var following) = role else { return }
    guard id.end >= highWatermark, id.end > .zero else {
      step.effects.append(.report(.truncationOfCommitted(id.end)))
      return
    }
    following.snapshot = Download(id: id)
    role = .follower(following)
  }

  /// A piece of the snapshot; nil when the leader has it no more.
  mutating func take(_ piece: Piece?, _ step: inout Step) {
    guard case .follower(var following) = role, var download = following.snapshot else { return }
    guard let piece, piece.snapshot == download.id, piece.position == download.position, piece.count > .zero,
      piece.size >= piece.count, piece.position.value <= piece.size.value - piece.count.value
    else {
      following.snapshot = nil
      role = .follower(following)
      return
    }
    following.fetchDeadline = step.now + settings.fetchTimeout
    following.isOutOfTouch = false
    following.contact = .fetched
    step.effects.append(.writeSnapshot(piece))
    download.position = piece.position + piece.count
    var missing = piece.size.value - download.position.value
    if planted == .snapshotWithoutItsTail, missing <= settings.pieceMax.value { missing = 0 }
    if missing == 0 {
      download.phase = .checking
      step.effects.append(.checkSnapshot(Snapshot(download.id, size: piece.size)))
    }
    following.snapshot = download
    role = .follower(following)
  }

  mutating func install(_ snapshot: Snapshot, voters: VoterSet, _ step: inout Step) {
    guard case .follower(var following) = role, let download = following.snapshot, download.id == snapshot.id,
      download.phase == .checking, snapshot.id.end >= highWatermark
    else { return }
    following.snapshot = nil
    role = .follower(following)
    log.replaceAll(with: snapshot, voters: voters)
    step.effects.append(.installSnapshot(snapshot.id))
    raiseHighWatermark(to: snapshot.id.end, &step)
  }

  mutating func took(_ snapshot: Snapshot, _ use: SnapshotUse, _ step: inout Step) {
    let id = snapshot.id
    guard id.end <= highWatermark, id.end >= log.start, id.end <= log.end, log.epoch(before: id.end) == id.epoch,
      snapshot.size > .zero
    else { return }
    log.took(snapshot)
    guard use == .dropPrefix, let newest = log.snapshot, newest.id.end > log.start else { return }
    log.dropPrefix()
    step.effects.append(.dropPrefix(before: log.start))
  }

  mutating func serve(_ request: FetchSnapshotRequest, _ token: Token, _ step: inout Step) {
    if let error = leaderError(for: request.epoch) {
      step.effects.append(.answer(.fetchSnapshot(head(error), nil), token))
      return
    }
    guard let snapshot = log.snapshot, snapshot.id == request.snapshot else {
      step.effects.append(.answer(.fetchSnapshot(head(.snapshotNotFound), nil), token))
      return
    }
    guard request.position >= .zero, request.position < snapshot.size else {
      step.effects.append(.answer(.fetchSnapshot(head(.positionOutOfRange), nil), token))
      return
    }
    noteContact(request.replica, &step)
    let count = min(settings.pieceMax, ByteCount(snapshot.size.value - request.position.value))
    let piece = Piece(snapshot: snapshot.id, size: snapshot.size, position: request.position, count: count)
    step.effects.append(.answer(.fetchSnapshot(head(.none), piece), token))
  }
}
