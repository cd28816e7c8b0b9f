import Consensus
import Vocabulary

// What the simulated caller of a replica does: effects in their order, on a disk and a network that are not kind.

extension QuorumSimulation {
  func perform(_ effect: Effect, on i: Int) {
    switch effect {
    case .persist(let record):
      nodes[i].disk.election = record
      mark(10, Int(record.epoch.value))
      if record.votedFor == nodes[i].key { promises.voted(nodes[i].key, for: nodes[i].key, in: record.epoch) }
    case .append(let batches): append(batches, on: i)
    case .truncate(let end):
      seen.truncations += 1
      nodes[i].disk.truncate(to: end)
      mark(12, Int(end.value))
    case .send(let request, let id, let node): send(request, id, to: node, from: i)
    case .answer(let answer, let token): reply(answer, token, from: i)
    case .becameLeader(let epoch, _):
      seen.leaders += 1
      mark(15, Int(epoch.value))
      promises.leads(nodes[i].key, in: epoch, disk: nodes[i].disk)
      if isTroubled, happens(oneIn: 3) { loosen(i) }
    case .lostLeadership(let epoch):
      seen.resignations += 1
      mark(16, Int(epoch.value))
    case .highWatermark(let offset): committed(offset, on: i)
    case .writeSnapshot(let piece): write(piece, on: i)
    case .checkSnapshot(let snapshot):
      queue.add(.checked(i, incarnation: nodes[i].incarnation, snapshot), at: now + 100 + Int64(draw(3000)))
    case .installSnapshot(let id): install(id, on: i)
    case .dropPrefix(let offset): nodes[i].disk.dropPrefix(before: offset)
    case .leaderChanged, .refuse: break
    case .report(let anomaly):
      promises.fail("\(nodes[i].id.value) reports \(QuorumWords.text(anomaly)) although every peer is honest")
    }
  }

  private func append(_ batches: [LogBatch], on i: Int) {
    let before = nodes[i].disk.log.count
    guard batches.first?.base == nodes[i].disk.end else {
      promises.fail("\(nodes[i].id.value) appends at \(batches.first?.base.value ?? -1), its log ends elsewhere")
      return
    }
    let write = nodes[i].disk.append(batches)
    for stored in nodes[i].disk.log[before...] { promises.appended(stored) }
    if let quorum = nodes[i].quorum, quorum.isLeader { checkVoterChanges(batches, quorum) }
    guard let last = batches.last else { return }
    mark(11, Int(last.end.value))
    let slow = isTroubled && happens(oneIn: 30)
    queue.add(
      .synced(i, incarnation: nodes[i].incarnation, write: write, end: last.end, last.epoch),
      at: now + 50 + Int64(draw(slow ? 150_000 : 2000)))
  }

  private func checkVoterChanges(_ batches: [LogBatch], _ quorum: Quorum) {
    for batch in batches {
      guard case .voters(let set) = batch.content else { continue }
      let before = quorum.log.voters(before: batch.base)
      let new = Set(set.voters.map(\.key))
      // A directory that becomes known makes no other voter of it.
      let old = Set(
        before.voters.map(\.key).map { key in
          key.directory == .zero ? new.first { $0.id == key.id } ?? key : key
        })
      if old == new { continue }
      seen.voterChanges += 1
      if old.symmetricDifference(new).count > 1 {
        promises.fail("more than one voter changes at \(batch.base.value)")
      }
      let previous = quorum.log.votersOffset(before: batch.base)
      if let previous, previous >= promises.committedEnd {
        promises.fail("the voters change at \(batch.base.value) before their change at \(previous.value) is committed")
      }
    }
  }

  private func committed(_ offset: Offset, on i: Int) {
    if offset <= nodes[i].committed { promises.fail("the high watermark of \(nodes[i].id.value) goes back") }
    nodes[i].committed = offset
    mark(17, Int(offset.value))
    promises.committed(
      offset, from: nodes[i].comparedEnd, disk: nodes[i].disk, epoch: nodes[i].quorum?.epoch ?? LeaderEpoch(0))
    nodes[i].comparedEnd = max(nodes[i].comparedEnd, offset)
  }

  // MARK: Network

  private func delay() -> Int64 {
    guard isTroubled else { return 200 + Int64(draw(1500)) }
    switch draw(20) {
    case 0: return Int64(draw(120_000))
    case 1, 2: return Int64(draw(20_000))
    default: return 200 + Int64(draw(2500))
    }
  }

  private func reaches(_ from: Int, _ to: Int) -> Bool { !cuts.contains(from * 100 + to) }

  private func send(_ request: Request, _ id: RequestID, to node: NodeID, from i: Int) {
    let to = Int(node.value) - 1
    mark(13, to)
    guard nodes.indices.contains(to), to != i else {
      promises.fail("\(nodes[i].id.value) asks \(node.value)")
      return
    }
    var vote: VoteRequest?
    if case .vote(let request) = request, request.kind == .vote { vote = request }
    let asker = Asker(node: i, incarnation: nodes[i].incarnation, id: id, vote: vote)
    guard reaches(i, to), !(isTroubled && happens(oneIn: 25)) else {
      // Sometimes the loss shows as a broken connection, and sometimes it does not show at all.
      if happens(oneIn: 2) {
        queue.add(.failed(to: i, incarnation: nodes[i].incarnation, id), at: now + delay())
      }
      return
    }
    queue.add(.request(to: to, request, asker), at: now + delay())
    if isTroubled, happens(oneIn: 25) { queue.add(.request(to: to, request, asker), at: now + delay()) }
  }

  func deliver(_ request: Request, _ asker: Asker, to i: Int) {
    guard nodes[i].quorum != nil else {
      if let from = asker.node {
        queue.add(.failed(to: from, incarnation: asker.incarnation, asker.id), at: now + delay())
      }
      return
    }
    nodes[i].tokens.append(asker)
    mark(2, i)
    handle(.request(request, Token(UInt64(nodes[i].tokens.count - 1))), on: i)
  }

  private func reply(_ answer: Answer, _ token: Token, from i: Int) {
    let asker = nodes[i].tokens[Int(token.value)]
    mark(14, Int(answer.head.epoch.value))
    var answer = answer
    if case .updateVoter(let head) = answer, head.error == .none { seen.updates += 1 }
    if case .vote(let head, .granted) = answer, let vote = asker.vote {
      promises.voted(nodes[i].key, for: vote.candidate, in: vote.epoch)
      if head.epoch != vote.epoch { promises.fail("a vote for \(vote.epoch.value) comes in epoch \(head.epoch.value)") }
    }
    if case .fetch(let head, let committed, .range(let from, let to)) = answer {
      answer = .fetch(head, highWatermark: committed, .batches(read(from: from, to: to, on: i)))
    }
    guard let to = asker.node, reaches(i, to), !(isTroubled && happens(oneIn: 25)) else { return }
    // The bytes of a piece travel with it.
    if case .fetchSnapshot(_, let piece?) = answer { travelling[piece.snapshot] = nodes[i].disk.snapshot }
    queue.add(.answer(to: to, incarnation: asker.incarnation, answer, asker.id), at: now + delay())
    if isTroubled, happens(oneIn: 25) {
      queue.add(.answer(to: to, incarnation: asker.incarnation, answer, asker.id), at: now + delay())
    }
  }

  private func read(from: Offset, to: Offset, on i: Int) -> [LogBatch] {
    let disk = nodes[i].disk
    let first = from == disk.start ? 0 : disk.index(endingAt: from).map { $0 + 1 }
    guard let first, first < disk.log.count else {
      promises.fail("\(nodes[i].id.value) is to send what follows \(from.value), where no batch begins")
      return []
    }
    let count = happens(oneIn: 2) ? 1 : 1 + draw(6)
    return disk.log[first..<min(first + count, disk.log.count)].map(\.batch).filter { $0.end <= to }
  }

  // MARK: Snapshots

  private func write(_ piece: Piece, on i: Int) {
    guard let image = travelling[piece.snapshot] else { return }
    if piece.position == .zero { nodes[i].disk.download = [] }
    let end = piece.position.value + piece.count.value
    nodes[i].disk.download += image.pieces[piece.position.value..<end]
  }

  private func install(_ id: SnapshotID, on i: Int) {
    seen.installations += 1
    guard let image = travelling[id], let quorum = nodes[i].quorum, let known = quorum.log.snapshot else { return }
    nodes[i].disk.install(
      QuorumDisk.Image(snapshot: known, voters: image.voters, pieces: nodes[i].disk.download))
    nodes[i].comparedEnd = id.end
    mark(18, Int(id.end.value))
    promises.installed(id.end, chain: nodes[i].disk.startChain, on: nodes[i].key)
  }

  /// A replica writes a snapshot of some committed prefix of its log.
  func takeSnapshot(on i: Int) {
    guard let quorum = nodes[i].quorum else { return }
    let disk = nodes[i].disk
    let ready = disk.log.prefix { $0.batch.end <= quorum.highWatermark }
    guard !ready.isEmpty else { return }
    let last = ready[draw(ready.count)]
    guard last.batch.end > (disk.snapshot?.snapshot.id.end ?? .zero) else { return }
    var pieces = (0..<last.chain % 6).map { QuorumDisk.mix(last.chain, $0) }
    pieces.append(pieces.reduce(last.chain, ^))
    let id = SnapshotID(end: last.batch.end, epoch: last.batch.epoch)
    let snapshot = Snapshot(id, size: ByteCount(pieces.count))
    let voters = quorum.log.voters(before: id.end)
    nodes[i].disk.snapshot = QuorumDisk.Image(snapshot: snapshot, voters: voters, pieces: pieces)
    handle(.tookSnapshot(snapshot, happens(oneIn: 3) ? .keepPrefix : .dropPrefix), on: i)
  }
}
