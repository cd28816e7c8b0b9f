import Replication
import Vocabulary

// What the simulated brokers do with what they receive, and with what their replicas decide.

extension ReplicatedSimulation {
  func tick(_ index: Int, _ life: BrokerEpoch) {
    guard brokers[index].isUp, brokers[index].life == life else { return }
    agenda.add(.tick(broker: index, life: life), at: now + Spans.tick)
    send(.heartbeat(node(index), life), from: .broker(index), to: .controller)
    handle(.tick, on: index)
    guard let replica = brokers[index].replica else { return }
    if chance(perMille: 60) { brokers[index].log.synced = brokers[index].log.end }
    if chance(perMille: 200) { brokers[index].log.checkpoint = Int(replica.log.highWatermark.value) }
    read(on: index, replica)
    if chance(perMille: 10) { removeOldRecords(on: index) }
  }

  func node(_ index: Int) -> NodeID { NodeID(Int32(index)) }

  private func read(on index: Int, _ replica: Replica) {
    let broker = brokers[index]
    promises.agree(broker.log, node(index), upTo: Int(replica.log.highWatermark.value))
    let offset = Int.random(in: broker.log.base...broker.log.end, using: &random)
    guard case .readable(let answer) = replica.read(from: Offset(Int64(offset))) else { return }
    promises.checkRead(answer, from: offset, on: broker.log, node(index))
    // A copy may be behind its leader, and shows that it is.
    if case .leader = replica.role, let mark = answer.highWatermark {
      promises.show(Int(mark.value), by: replica.leaderEpoch)
    }
  }

  private func removeOldRecords(on index: Int) {
    guard let replica = brokers[index].replica, case .leader = replica.role else { return }
    let drawn = Int.random(in: brokers[index].log.base...Int(replica.log.highWatermark.value), using: &random)
    // What a producer may send again stays: with the records goes the memory of their producers.
    let start = clients.indices.reduce(drawn) { start, client in
      min(start, brokers[index].log.offset(ofClient: client, sequence: clients[client].sequence) ?? start)
    }
    brokers[index].log.delete(before: start)
    handle(.logStartMoved(Offset(Int64(start))), on: index)
  }

  func handle(_ input: Input, on index: Int, copied: [ReplicatedRecord] = []) {
    guard case .up(var replica) = brokers[index].state else { return }
    var effects: [Effect] = []
    replica.handle(input, at: instant, into: &effects)
    brokers[index].state = .up(replica)
    note(1, now, Int64(index), replica.log.end.value, replica.log.highWatermark.value, Int64(effects.count))
    for effect in effects {
      if isDoomed(index) { return }
      perform(effect, on: index, replica, copied)
    }
    guard replica.log.end.value == brokers[index].log.end, replica.log.start.value == brokers[index].log.base else {
      return promises.complain(
        "broker \(index) takes its log for another one: \(replica.log) \(brokers[index].log.end)")
    }
  }

  /// A crash can come between any two effects.
  func isDoomed(_ index: Int) -> Bool {
    guard let doom = brokers[index].doom else { return false }
    if doom.effects > 0 {
      brokers[index].doom?.effects -= 1
      return false
    }
    brokers[index].doom = nil
    return crash([index], powerLoss: doom.powerLoss)
  }

  private func perform(_ effect: Effect, on index: Int, _ replica: Replica, _ copied: [ReplicatedRecord]) {
    switch effect {
    case .truncate(let end): brokers[index].log.truncate(to: Int(end.value))
    case .restart(let start): brokers[index].log.restart(at: Int(start.value))
    case .deleteBefore(let start): brokers[index].log.delete(before: Int(start.value))
    case .append(_, let start, let end):
      guard Int(start.value) == brokers[index].log.end, copied.count == Int(end - start) else {
        return promises.complain("broker \(index) appends at \(start.value) to a log that ends elsewhere")
      }
      for record in copied { append(record, on: index) }
    case .keepHighWatermark(let mark):
      switch replica.role {
      case .leader: promises.commit(upTo: Int(mark.value), on: brokers[index].log, node(index))
      case .follower, .observer, .waiting:
        promises.agree(brokers[index].log, node(index), upTo: Int(mark.value))
      }
    case .answerWrite(let id, let answer): answerWrite(id, answer, on: index, replica)
    case .answerFetch(let request, let answer): answerFetch(request, answer, on: index)
    case .propose(let proposal):
      send(.proposal(proposal, life: brokers[index].life), from: .broker(index), to: .controller)
    case .fetch(let leader, let request):
      send(.fetch(request), from: .broker(index), to: .broker(Int(leader.value)))
    }
  }

  private func append(_ record: ReplicatedRecord, on index: Int) {
    promises.has(node(index), record, at: brokers[index].log.end)
    brokers[index].log.records.append(record)
  }

  private func answerWrite(_ id: WriteID, _ answer: WriteAnswer, on index: Int, _ replica: Replica) {
    guard let write = brokers[index].pending.removeValue(forKey: id) else { return }
    if answer == .acknowledged {
      let known = controller.history[Int(replica.partitionEpoch.value)]
      promises.acknowledge(
        client: write.client, sequence: write.sequence, at: write.offset, inSync: known, shape.minimum, shape.members)
    }
    send(
      .produced(sequence: write.sequence, offset: write.offset, answer), from: .broker(index),
      to: .client(write.client))
  }

  private func answerFetch(_ request: FetchRequest, _ answer: FetchAnswer, on index: Int) {
    let outcome: FetchOutcome
    var records: [ReplicatedRecord] = []
    var hold: Int64 = 0
    switch answer {
    case .records(let upTo, let mark, let start):
      let first = Int(request.offset.value)
      // An answer has room for so many records.
      let end = min(Int(upTo.value), first + Int.random(in: 1...4, using: &random))
      records = (first..<end).compactMap { brokers[index].log.record($0) }
      if records.isEmpty { hold = span(5...40) }
      outcome = .records(
        Copied(
          from: request.offset, upTo: Offset(Int64(end)), epochs: brokers[index].log.epochs(from: first, upTo: end),
          highWatermark: mark, logStart: start))
    case .diverging(let end): outcome = .diverging(end)
    case .outOfRange(let start, let end): outcome = .outOfRange(logStart: start, logEnd: end)
    case .refused(let code): outcome = .refused(code)
    }
    send(
      .fetchAnswer(request.id, outcome, records, life: request.brokerEpoch), from: .broker(index),
      to: .broker(Int(request.from.value)), hold: hold)
  }

  // MARK: Receiving

  func receive(_ message: ReplicatedMessage, on index: Int) {
    guard brokers[index].isUp else { return }
    switch message {
    case .fetch(let request): handle(.fetchRequested(request), on: index)
    case .fetchAnswer(let id, let outcome, let records, let life):
      if life == brokers[index].life { handle(.fetchAnswered(id, outcome), on: index, copied: records) }
    case .proposalAnswer(let id, let answer, let life):
      if life == brokers[index].life { handle(.proposalAnswered(id, answer), on: index) }
    case .metadata(let version, let state, let statuses):
      guard version > brokers[index].metadataVersion else { return }
      brokers[index].metadataVersion = version
      handle(.brokersChanged(statuses), on: index)
      handle(.assigned(state), on: index)
    case .produce(let client, let sequence): produce(client, sequence, on: index)
    case .proposal, .heartbeat, .produced: return
    }
  }

  private func produce(_ client: Int, _ sequence: Int, on index: Int) {
    guard let replica = brokers[index].replica else { return }
    switch replica.admit(.allInSync) {
    case .failure(let refusal):
      send(
        .produced(sequence: sequence, offset: -1, .refused(refusal.code)), from: .broker(index), to: .client(client))
    case .success(let epoch):
      let known = brokers[index].log.offset(ofClient: client, sequence: sequence)
      // A late copy of a request whose successor is there already is of no interest to anybody.
      if known == nil, sequence < clients[client].sequence { return }
      let offset = known ?? brokers[index].log.end
      if known == nil {
        append(ReplicatedRecord(epoch: epoch, client: client, sequence: sequence), on: index)
        if isDoomed(index) { return }
      }
      brokers[index].lastWrite += 1
      let id = WriteID(brokers[index].lastWrite)
      brokers[index].pending[id] = (client, sequence, offset)
      let deadline = Instant(nanoseconds: now + Spans.patience)
      handle(.appended(Write(id, .allInSync, upTo: Offset(Int64(offset) + 1), deadline: deadline)), on: index)
    }
  }
}
