import ClusterMetadata
import Consensus
import Replication
import Vocabulary

// What a broker does with what its replicas of partitions decide, and with what reaches them.

extension ClusterSimulation {
  func handle(_ input: Replication.Input, _ key: PartitionKey, on j: Int, copied: StoredRecords = StoredRecords()) {
    let n = place(ofBroker: j)
    guard nodes[n].quorum != nil, var replica = brokers[j].copies[key]?.replica else { return }
    // The value is taken out, changed and put back, so that nothing is copied.
    brokers[j].copies[key]?.replica = nil
    let before = replica.log.highWatermark
    var effects: [Replication.Effect] = []
    replica.handle(input, at: instant(n), into: &effects)
    brokers[j].copies[key]?.replica = replica
    if !effects.isEmpty { mark(1, Int(replica.log.end.value) << 8 | j) }
    if replica.log.highWatermark < before, !isCut(effects) {
      promises.fail("the high watermark of \(j) goes back on \(key.text)")
    }
    let incarnation = nodes[n].incarnation
    for effect in effects {
      note("\(j) \(key.text)    \(effect)")
      perform(effect, key, on: j, copied)
      if promises.broken != nil || endsNow(n) || nodes[n].incarnation != incarnation { return }
    }
    guard let copy = brokers[j].copies[key], replica.log.end.value == copy.log.end else {
      return promises.fail("broker \(j) takes its log of \(key.text) for another one")
    }
    if !effects.isEmpty { compareEpochs(key, replica, on: j) }
  }

  private func isCut(_ effects: [Replication.Effect]) -> Bool {
    effects.contains { effect in
      switch effect {
      case .truncate, .restart: true
      default: false
      }
    }
  }

  private func perform(
    _ effect: Replication.Effect, _ key: PartitionKey, on j: Int, _ copied: StoredRecords
  ) {
    guard let copy = brokers[j].copies[key], let replica = copy.replica else { return }
    let id = brokers[j].id
    switch effect {
    case .truncate(let end):
      seen.truncations += 1
      truncate(key, to: end, on: j)
      promises.touch(key)
    case .restart(let start):
      seen.truncations += 1
      restart(key, at: start, on: j)
      promises.touch(key)
    case .deleteBefore(let start): delete(key, before: start, on: j)
    case .append(_, let start, let end):
      guard Int(start.value) == copy.log.end, copied.records.count == Int(end - start) else {
        return promises.fail("broker \(j) appends at \(start.value) to a log that ends elsewhere")
      }
      append(copied, key, on: j)
    case .keepHighWatermark(let mark):
      let isLeader = if case .leader = replica.role { true } else { false }
      promises.judge(key) { judge in
        if isLeader {
          judge.commit(upTo: Int(mark.value), on: copy.log, id)
        } else {
          judge.agree(copy.log, id, upTo: Int(mark.value), newest: 20)
        }
      }
      promises.touch(key)
    case .answerWrite(let write, let answer): answerWrite(write, answer, key, on: j, replica)
    case .answerFetch(let request, let answer): answerFetch(request, answer, key, on: j)
    case .propose(let proposal): ask(.alter(key, proposal, life: replica.brokerEpoch), by: j)
    case .fetch(let leader, let request):
      guard let to = place(of: leader), let at = broker(at: to) else { return }
      for time in arrivals(from: place(ofBroker: j), to: to) {
        queue.add(.fetch(broker: at, key, request), at: time)
      }
    }
  }

  private func answerWrite(
    _ write: WriteID, _ answer: WriteAnswer, _ key: PartitionKey, on j: Int, _ replica: Replica
  ) {
    guard let pending = brokers[j].copies[key]?.pending.removeValue(forKey: write) else { return }
    if answer == .acknowledged, pending.acks == .allInSync {
      promises.acknowledge(
        key, client: pending.client, sequence: pending.sequence, at: pending.offset, in: replica.partitionEpoch,
        replica.settings.minimum)
    }
    for time in arrivals(from: nil, to: nil) {
      queue.add(
        .produced(client: pending.client, sequence: pending.sequence, offset: pending.offset, answer), at: time)
    }
  }

  private func answerFetch(
    _ request: Replication.FetchRequest, _ answer: FetchAnswer, _ key: PartitionKey, on j: Int
  ) {
    guard let copy = brokers[j].copies[key] else { return }
    let outcome: FetchOutcome
    var sent = StoredRecords()
    var hold: Int64 = 0
    switch answer {
    case .records(let upTo, let mark, let start):
      let first = Int(request.offset.value)
      // An answer has room for so many records.
      let room = min(Int(upTo.value), first + 1 + draw(isTroubled ? 4 : 20))
      guard let found = batches(of: key, from: first, upTo: room, on: j) else { return }
      sent = found
      let end = first + found.records.count
      if found.records.isEmpty { hold = span(10...40) }
      outcome = .records(
        Copied(
          from: request.offset, upTo: Offset(Int64(end)), epochs: copy.log.epochs(from: first, upTo: end),
          highWatermark: mark, logStart: start))
    case .diverging(let end): outcome = .diverging(end)
    case .outOfRange(let start, let end): outcome = .outOfRange(logStart: start, logEnd: end)
    case .refused(let code): outcome = .refused(code)
    }
    answerFetch(request, outcome, sent, key, on: j, hold: hold)
  }

  /// As many as one answer has room for; nil when they are not what they should be.
  private func batches(of key: PartitionKey, from first: Int, upTo end: Int, on j: Int) -> StoredRecords? {
    guard let log = brokers[j].copies[key]?.log else { return nil }
    guard let files = brokers[j].files else {
      return StoredRecords(records: (first..<end).compactMap { log.record($0) })
    }
    guard first < end else { return StoredRecords() }
    let found = try? files.read(key, from: first, upTo: end)
    guard let found, !found.records.isEmpty,
      found.records.elementsEqual(log.records[(first - log.base)...].prefix(found.records.count))
    else {
      promises.fail("broker \(j) cannot read \(first) of \(key.text) for a follower, or reads something else")
      return nil
    }
    return found
  }

  private func answerFetch(
    _ request: Replication.FetchRequest, _ outcome: FetchOutcome, _ sent: StoredRecords, _ key: PartitionKey,
    on j: Int, hold: Int64 = 0
  ) {
    guard let to = place(of: request.from), let at = broker(at: to) else { return }
    for time in arrivals(from: place(ofBroker: j), to: to) {
      queue.add(.fetched(broker: at, key, request.id, outcome, sent, life: request.brokerEpoch), at: time + hold)
    }
  }

  func serve(_ request: Replication.FetchRequest, of key: PartitionKey, on j: Int) {
    guard nodes[place(ofBroker: j)].quorum != nil else { return }
    guard brokers[j].copies[key]?.replica != nil else {
      return answerFetch(request, .refused(.unknownTopicOrPartition), StoredRecords(), key, on: j)
    }
    handle(.fetchRequested(request), key, on: j)
  }

  // MARK: Clients

  func produce(_ client: Int, _ sequence: Int, _ acks: Acks, _ key: PartitionKey, on j: Int) {
    let n = place(ofBroker: j)
    guard nodes[n].quorum != nil, let copy = brokers[j].copies[key], let replica = copy.replica else {
      return refuse(client, sequence, .notLeaderOrFollower)
    }
    switch replica.admit(acks) {
    case .failure(let refusal): refuse(client, sequence, refusal.code)
    case .success(let epoch):
      let known = copy.log.offset(ofClient: client, sequence: sequence)
      // A late copy of a request whose successor is there already is of no interest to anybody.
      if known == nil, sequence < clients[client].sequence { return }
      if known == nil { promises.writes(brokers[j].id, replica.brokerEpoch, key, in: epoch) }
      guard let offset = write(client, sequence, key, in: epoch, on: j) else { return }
      if known == nil, endsNow(n) { return }
      brokers[j].lastWrite += 1
      let id = WriteID(brokers[j].lastWrite)
      brokers[j].copies[key]?.pending[id] = (acks, client, sequence, offset)
      let deadline = instant(n) + .milliseconds(500)
      handle(.appended(Write(id, acks, upTo: Offset(Int64(offset) + 1), deadline: deadline)), key, on: j)
    }
  }

  private func refuse(_ client: Int, _ sequence: Int, _ code: ErrorCode) {
    for time in arrivals(from: nil, to: nil) {
      queue.add(.produced(client: client, sequence: sequence, offset: -1, .refused(code)), at: time)
    }
  }

  /// Writes to whom some broker's metadata names as the leader, and again until it is acknowledged.
  func tickClient(_ client: Int) {
    queue.add(.clientTick(client), at: now + span(8...40))
    if let sentAt = clients[client].sentAt, now - sentAt < Spans.patience { return }
    if clients[client].sentAt != nil, happens(oneIn: 4) { clients[client].key = nil }
    clients[client].sentAt = nil
    let up = brokers.indices.filter { nodes[place(ofBroker: $0)].quorum != nil }
    guard !up.isEmpty else { return }
    let image = nodes[place(ofBroker: up[draw(up.count)])].image
    // What is gone for good is given up.
    if let key = clients[client].key, promises.isGone(key) { clients[client].key = nil }
    if clients[client].key == nil {
      guard let key = anyPartition(of: image) else { return }
      clients[client].key = key
      clients[client].acks = isTroubled && happens(oneIn: 4) ? .leader : .allInSync
      clients[client].sequence += 1
    }
    guard let key = clients[client].key, let topic = image.topics[key.topic], key.index < topic.partitions.count else {
      return
    }
    var leader = topic.partitions[key.index].leader
    if happens(oneIn: 12) { leader = brokers[draw(brokers.count)].id }
    guard let at = place(of: leader).flatMap(broker(at:)) else { return }
    clients[client].sentAt = now
    for time in arrivals(from: nil, to: nil) {
      queue.add(
        .produce(broker: at, key, clients[client].acks, client: client, sequence: clients[client].sequence), at: time)
    }
  }

  private func anyPartition(of image: MetadataImage) -> PartitionKey? {
    var keys = image.topicsByName.flatMap { topic in
      topic.partitions.indices.map { PartitionKey(topic: topic.id, index: $0) }
    }
    if !isTroubled {
      let waiting = keys.filter { !served.contains($0) }
      if !waiting.isEmpty { keys = waiting }
    }
    return keys.isEmpty ? nil : keys[draw(keys.count)]
  }

  func hear(_ answer: WriteAnswer, sequence: Int, offset: Int, client: Int) {
    guard sequence == clients[client].sequence, let key = clients[client].key else { return }
    clients[client].sentAt = nil
    note("client \(client) hears about \(sequence) on \(key.text): \(answer)")
    guard answer == .acknowledged else {
      // Some give up, and write something else somewhere else.
      if happens(oneIn: 8) { clients[client].key = nil }
      return
    }
    // What only the leader has may be lost with it.
    if clients[client].acks == .allInSync {
      promises.note(key, client: client, sequence: sequence, at: offset)
      seen.acknowledged += 1
    }
    if !isTroubled { served.insert(key) }
    clients[client].key = nil
  }
}
