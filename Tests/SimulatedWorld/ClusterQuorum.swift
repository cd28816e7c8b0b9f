import ClusterMetadata
import Consensus
import Vocabulary

// Every node has a replica of the metadata log: the controllers vote, the brokers observe. Effects are performed in
// their order, on a disk and a network that are not kind.

extension ClusterSimulation {
  var quorumSettings: QuorumSettings {
    var settings = QuorumSettings()
    settings.electionTimeout = .milliseconds(100)
    settings.fetchTimeout = .milliseconds(300)
    settings.electionBackoffMax = .milliseconds(100)
    settings.requestTimeout = .milliseconds(150)
    settings.retryBackoff = .milliseconds(20)
    settings.fetchMaxWait = .milliseconds(100)
    settings.bootstrap = (0..<Self.controllerCount).map(controllerID)
    return settings
  }

  func start(_ n: Int) {
    guard nodes[n].quorum == nil else { return }
    nodes[n].incarnation += 1
    nodes[n].tokens = []
    nodes[n].committed = .zero
    nodes[n].comparedEnd = .zero
    nodes[n].image = Self.emptyImage(options)
    nodes[n].replayed = .zero
    nodes[n].doom = nil
    var planted: Consensus.PlantedBug?
    if case .quorum(let bug) = options.planted { planted = bug }
    let quorum = Quorum(
      local: Voter(nodes[n].key), settings: quorumSettings, election: nodes[n].disk.election,
      log: nodes[n].disk.index(), at: instant(n), chance: random.next(), planted: planted)
    nodes[n].quorum = quorum
    nodes[n].tickDue = .max
    note("\(nodes[n].id.value) starts in \(nodes[n].region)")
    if let j = broker(at: n) { startBroker(j) } else { startController(n) }
    handle(.tick, on: n)
  }

  static func emptyImage(_ options: Options) -> MetadataImage {
    var image = MetadataImage()
    if case .metadata(let bug) = options.planted { image.planted = bug }
    return image
  }

  /// True when the process has ended by now: it can between any two effects.
  func endsNow(_ n: Int) -> Bool {
    guard nodes[n].quorum != nil else { return true }
    guard let doom = nodes[n].doom else { return false }
    if doom.effects > 0 {
      nodes[n].doom?.effects -= 1
      return false
    }
    nodes[n].doom = nil
    return crash([n], powerLoss: doom.powerLoss)
  }

  func handle(_ input: Consensus.Input, on n: Int) {
    guard nodes[n].quorum != nil else { return }
    note("\(nodes[n].id.value) <- \(QuorumWords.text(input))")
    var effects: [Consensus.Effect] = []
    let time = instant(n)
    let chance = random.next()
    let incarnation = nodes[n].incarnation
    nodes[n].quorum?.handle(input, at: time, chance: chance, into: &effects)
    for effect in effects {
      note("\(nodes[n].id.value)    \(QuorumWords.text(effect))")
      perform(effect, on: n)
      if promises.broken != nil || endsNow(n) || nodes[n].incarnation != incarnation { return }
    }
    scheduleTick(n)
  }

  private func scheduleTick(_ n: Int) {
    guard let deadline = nodes[n].quorum?.nextDeadline, deadline != .never else { return }
    let due = max(now + 1, (deadline.nanoseconds - 1_000_000_000 + 999) / 1000 - nodes[n].clockAhead)
    guard due < nodes[n].tickDue else { return }
    nodes[n].tickDue = due
    queue.add(.tick(n), at: due)
  }

  private func perform(_ effect: Consensus.Effect, on n: Int) {
    switch effect {
    case .persist(let record):
      nodes[n].disk.election = record
      mark(10, Int(record.epoch.value))
      if record.votedFor == nodes[n].key {
        promises.quorum.voted(nodes[n].key, for: nodes[n].key, in: record.epoch)
      }
    case .append(let batches): append(batches, on: n)
    case .truncate(let end): nodes[n].disk.truncate(to: end)
    case .send(let request, let id, let node): send(request, id, to: node, from: n)
    case .answer(let answer, let token): reply(answer, token, from: n)
    case .becameLeader(let epoch, let start):
      mark(15, Int(epoch.value))
      promises.quorum.leads(nodes[n].key, in: epoch, disk: nodes[n].disk)
      beginLead(epoch, start, on: n)
    case .lostLeadership: nodes[n].lead = nil
    case .highWatermark(let offset): committed(offset, on: n)
    case .leaderChanged, .refuse: break
    case .writeSnapshot, .checkSnapshot, .installSnapshot, .dropPrefix:
      promises.fail("\(nodes[n].id.value) has to do with snapshots, of which there are none")
    case .report(let anomaly):
      promises.fail("\(nodes[n].id.value) reports \(QuorumWords.text(anomaly)) although every peer is honest")
    }
  }

  private func append(_ batches: [LogBatch], on n: Int) {
    let before = nodes[n].disk.log.count
    guard let last = batches.last, batches.first?.base == nodes[n].disk.end else {
      return promises.fail("\(nodes[n].id.value) appends where its log does not end")
    }
    let write = nodes[n].disk.append(batches)
    for stored in nodes[n].disk.log[before...] { promises.quorum.appended(stored) }
    mark(11, Int(last.end.value))
    let slow = isTroubled && happens(oneIn: 40)
    queue.add(
      .synced(n, incarnation: nodes[n].incarnation, write: write, end: last.end, last.epoch),
      at: now + 100 + Int64(draw(slow ? 200_000 : 3000)))
    if options.planted == .wiring(.believesTheUncommitted), broker(at: n) != nil { replay(upTo: last.end, on: n) }
  }

  private func committed(_ offset: Offset, on n: Int) {
    if offset <= nodes[n].committed { promises.fail("the high watermark of \(nodes[n].id.value) goes back") }
    nodes[n].committed = offset
    mark(17, Int(offset.value))
    promises.quorum.committed(
      offset, from: nodes[n].comparedEnd, disk: nodes[n].disk, epoch: nodes[n].quorum?.epoch ?? LeaderEpoch(0))
    nodes[n].comparedEnd = max(nodes[n].comparedEnd, offset)
    replay(upTo: offset, on: n)
    if let j = broker(at: n) { publish(on: j) } else { answerCommitted(on: n) }
  }

  /// The records of the log from where this node has come up to an offset, into its image.
  private func replay(upTo offset: Offset, on n: Int) {
    let first = nodes[n].disk.index(endingAt: nodes[n].replayed).map { $0 + 1 } ?? 0
    for stored in nodes[n].disk.log[first...] where stored.batch.end <= offset {
      guard stored.batch.base >= nodes[n].replayed else { continue }
      nodes[n].replayed = stored.batch.end
      let records = records(of: stored.batch)
      if options.planted != .wiring(.believesTheUncommitted) || offset <= nodes[n].committed {
        let before = promises.canonical.offset
        promises.commit(records, stored.batch)
        if promises.canonical.offset > before { noteRecords(records) }
      }
      if options.planted == .wiring(.skipsABatch), broker(at: n) == 0, stored.batch.base.value % 19 == 7 { continue }
      for record in records { nodes[n].image.replay(record) }
      if let j = broker(at: n) { promises.read(nodes[n].image, by: brokers[j].id) }
      promises.compare(nodes[n].image, at: nodes[n].replayed, of: nodes[n].id)
    }
  }

  func records(of batch: LogBatch) -> [MetadataRecord] {
    guard case .data(let name) = batch.content else { return [] }
    return payloads[name] ?? []
  }

  private func noteRecords(_ records: [MetadataRecord]) {
    for record in records {
      note("committed: \(record)")
      switch record {
      case .brokerFencing(_, _, isFenced: true): seen.fencings += 1
      case .brokerShutdownBegan: seen.shutdowns += 1
      case .topicRemoved: seen.deletions += 1
      case .partitionChanged(_, _, let change):
        if change.leader != nil { seen.elections += 1 }
        if change.adding?.isEmpty == false || change.removing?.isEmpty == false { seen.reassignments += 1 }
      default: break
      }
    }
  }

  // MARK: Network

  private func send(_ request: Consensus.Request, _ id: RequestID, to node: NodeID, from n: Int) {
    guard let to = place(of: node), to != n else {
      return promises.fail("\(nodes[n].id.value) asks \(node.value)")
    }
    var vote: VoteRequest?
    if case .vote(let request) = request, request.kind == .vote { vote = request }
    let asker = ClusterAsker(node: n, incarnation: nodes[n].incarnation, id: id, vote: vote)
    let times = arrivals(from: n, to: to)
    for time in times { queue.add(.request(to: to, request, asker), at: time) }
    // Sometimes the loss shows as a broken connection, and sometimes it does not show at all.
    if times.isEmpty, happens(oneIn: 2) {
      queue.add(.failed(to: n, incarnation: nodes[n].incarnation, id), at: now + 1000 + Int64(draw(4000)))
    }
  }

  func deliver(_ request: Consensus.Request, _ asker: ClusterAsker, to n: Int) {
    guard nodes[n].quorum != nil else {
      guard let node = asker.node else { return }
      queue.add(.failed(to: node, incarnation: asker.incarnation, asker.id), at: now + 500)
      return
    }
    nodes[n].tokens.append(asker)
    handle(.request(request, Token(UInt64(nodes[n].tokens.count - 1))), on: n)
  }

  private func reply(_ answer: Consensus.Answer, _ token: Token, from n: Int) {
    let asker = nodes[n].tokens[Int(token.value)]
    var answer = answer
    if case .vote(let head, .granted) = answer, let vote = asker.vote {
      promises.quorum.voted(nodes[n].key, for: vote.candidate, in: vote.epoch)
      if head.epoch != vote.epoch {
        promises.fail("a vote for \(vote.epoch.value) comes in epoch \(head.epoch.value)")
      }
    }
    if case .fetch(let head, let committed, .range(let from, let to)) = answer {
      answer = .fetch(head, highWatermark: committed, .batches(read(from: from, to: to, on: n)))
    }
    guard let to = asker.node else { return }
    for time in arrivals(from: n, to: to) {
      queue.add(.answer(to: to, incarnation: asker.incarnation, answer, asker.id), at: time)
    }
  }

  private func read(from: Offset, to: Offset, on n: Int) -> [LogBatch] {
    let disk = nodes[n].disk
    let first = from == disk.start ? 0 : disk.index(endingAt: from).map { $0 + 1 }
    guard let first, first < disk.log.count else {
      promises.fail("\(nodes[n].id.value) is to send what follows \(from.value), where no batch begins")
      return []
    }
    let count = 1 + draw(isTroubled ? 12 : 60)
    return disk.log[first..<min(first + count, disk.log.count)].map(\.batch).filter { $0.end <= to }
  }
}
