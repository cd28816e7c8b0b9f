import Coordination
import Vocabulary

// Producers: each begins under a transactional id, and then has transactions until it dies or is fenced.

final class LedgerClient {
  enum Step {
    case add([Int])
    case produce(Int, value: Int)
    case end(TransactionOutcome)
  }

  let number: Int
  let id: TransactionalID
  /// Things have been mended: it commits one transaction, in every partition.
  let isLast: Bool
  var identity: ProducerIdentity?
  /// It has given something up, and goes on under a new epoch (KIP-360).
  var mustRenew = false
  var hasGivenUp = false
  /// What was asked on an earlier connection is answered to nobody.
  var connection = 0
  var sequences: [Int: Int] = [:]
  var transaction: Int?
  var plan: [Step] = []
  var attempts = 0
  var frozenUntil: Int64 = 0
  var isDead = false
  var hasCommitted = false

  init(_ number: Int, _ id: TransactionalID, isLast: Bool) {
    self.number = number
    self.id = id
    self.isLast = isLast
  }
}

extension ProducerIdentity {
  /// Of two that one transactional id has had.
  fileprivate func isNewer(than other: ProducerIdentity) -> Bool {
    (id, epoch) > (other.id, other.epoch)
  }
}

extension TransactionSimulation {
  func beginClient(_ id: TransactionalID, after span: Int64, isLast: Bool = false) {
    let client = LedgerClient(clients.count, id, isLast: isLast)
    clients.append(client)
    after(span) { self.act(client) }
  }

  /// Goes on with whatever is next.
  func act(_ client: LedgerClient) {
    guard !client.isDead else { return }
    if client.frozenUntil > now { return after(client.frozenUntil - now) { self.act(client) } }
    guard let identity = client.identity, !client.mustRenew else { return begin(client) }
    if client.transaction == nil {
      if client.isLast, client.hasCommitted { return }
      plan(client, identity)
    }
    switch client.plan.first {
    case .add(let indices): add(indices, client, identity)
    case .produce(let index, let value): produce(value, to: index, client, identity)
    case .end(let outcome): end(outcome, client, identity)
    case nil: break
    }
  }

  private func actSoon(_ client: LedgerClient, after span: Int64? = nil) {
    after(span ?? self.span(1...15)) { self.act(client) }
  }

  private func plan(_ client: LedgerClient, _ identity: ProducerIdentity) {
    seen.begun += 1
    let number = transactions.count
    transactions.append(LedgerTransaction(number: number, identity: identity))
    client.transaction = number
    var open = partitions.filter { !$0.isGone }.map(\.index)
    if !client.isLast { open = open.filter { _ in happens(oneIn: 2) } }
    if open.isEmpty { open = [0] }
    var plan: [LedgerClient.Step] = []
    var value = number * 100
    while !open.isEmpty {
      let some = Array(open.prefix(1 + draw(open.count)))
      open.removeFirst(some.count)
      plan.append(.add(some))
      // Some are added and never written to.
      for index in some where client.isLast || !happens(oneIn: 5) {
        for _ in 0...draw(2) {
          value += 1
          plan.append(.produce(index, value: value))
        }
      }
    }
    plan.append(.end(client.isLast || !happens(oneIn: 4) ? .committed : .aborted))
    client.plan = plan
  }

  /// Sends a frame on a connection that is given up when no answer comes.
  private func call(
    _ client: LedgerClient, survives: Bool = false, _ send: @escaping (@escaping (StateReply) -> Void) -> Void,
    then handle: @escaping (StateReply?) -> Void
  ) {
    client.connection += 1
    let connection = client.connection
    func hear(_ reply: StateReply?) {
      guard client.connection == connection, !client.isDead else { return }
      if client.frozenUntil > now { return after(client.frozenUntil - now) { hear(reply) } }
      client.connection += 1
      handle(reply)
    }
    after(Spans.patience) { hear(nil) }
    if goesWrong(oneIn: 30) { return }
    after(delay) {
      guard survives || client.connection == connection else { return }
      if client.connection != connection { self.seen.late += 1 }
      send { reply in
        if self.goesWrong(oneIn: 30) { return }
        self.after(self.delay) { hear(reply) }
      }
    }
  }

  /// Most ask who leads; some still know another one.
  private func askCoordinator(
    _ client: LedgerClient, _ ask: @escaping StateAsk, then handle: @escaping (TransactionAnswer?) -> Void
  ) {
    call(client) { reply in
      let old = self.goesWrong(oneIn: 3) ? self.superseded : nil
      let mayBeServed = old != nil || self.owners[client.id].map { $0.client == client.number } ?? true
      self.ask(old ?? self.leader, ask) { answer in
        if !mayBeServed, self.isService(answer) { self.fail("client \(client.number) is fenced, and was served") }
        reply(answer)
      }
    } then: { reply in
      if case .answer(let answer)? = reply { handle(answer) } else { handle(nil) }
    }
  }

  /// Whether a transaction was changed on somebody's request.
  private func isService(_ reply: StateReply) -> Bool {
    switch reply {
    case .answer(.addPartitions(.none)), .answer(.end(.none)): true
    default: false
    }
  }

  // MARK: InitProducerId

  private func begin(_ client: LedgerClient) {
    let request = InitProducerRequest(
      id: client.id, timeout: .milliseconds(client.isLast ? 2000 : 400 + Int64(draw(1200))),
      expected: client.mustRenew ? client.identity : nil)
    askCoordinator(client) { coordinator, token, now, effects in
      coordinator.initProducer(request, token, at: now, into: &effects)
    } then: { answer in
      guard case .initProducer(let answer)? = answer else { return self.actSoon(client, after: self.span(5...60)) }
      switch answer.error {
      case .none: self.begun(client, answer.producer)
      case .producerFenced: self.fenced(client)
      default: self.actSoon(client, after: self.span(5...60))
      }
    }
  }

  private func begun(_ client: LedgerClient, _ identity: ProducerIdentity) {
    note("client \(client.number) is \(identity) of \(client.id)")
    if let before = owners[client.id]?.identity, before.id != identity.id { seen.rotations += 1 }
    if identity.epoch.value < 0 || identity.epoch.value == .max { fail("an epoch that is for nobody was given") }
    for other in clients where other.number != client.number && other.identity == identity {
      fail("\(identity) has two owners")
    }
    client.identity = identity
    (client.mustRenew, client.hasGivenUp) = (false, false)
    client.sequences = [:]
    client.transaction = nil
    // Answers may overtake each other.
    if let owner = owners[client.id], owner.identity.isNewer(than: identity) { return actSoon(client) }
    owners[client.id] = (client.number, identity)
    actSoon(client)
  }

  private func fenced(_ client: LedgerClient) {
    note("client \(client.number) is fenced")
    seen.fenced += 1
    if client.isLast { fail("who came last was fenced") }
    client.isDead = true
    if isTroubled { beginClient(client.id, after: span(1...100)) }
  }

  // MARK: Partitions and values

  private func add(_ indices: [Int], _ client: LedgerClient, _ identity: ProducerIdentity) {
    let request = TransactionPartitionsRequest(
      id: client.id, producer: identity, partitions: indices.map { partitions[$0].name })
    askCoordinator(client) { coordinator, token, now, effects in
      coordinator.addPartitions(request, token, at: now, into: &effects)
    } then: { answer in
      guard case .addPartitions(let error)? = answer else { return self.actSoon(client) }
      switch error {
      case .none:
        client.plan.removeFirst()
        self.actSoon(client)
      case .producerFenced: self.fenced(client)
      case .invalidProducerIdMapping: self.renew(client)
      default: self.actSoon(client, after: self.span(5...60))
      }
    }
  }

  /// Its id was forgotten: it asks for another identity, and begins anew.
  private func renew(_ client: LedgerClient) {
    client.mustRenew = true
    client.transaction = nil
    actSoon(client)
  }

  private func produce(_ value: Int, to index: Int, _ client: LedgerClient, _ identity: ProducerIdentity) {
    guard let transaction = client.transaction else { return }
    client.attempts += 1
    let sequence = client.sequences[index] ?? 0
    let batch = LedgerBatch(
      id: client.id, producer: identity, sequence: sequence, transaction: transaction, value: value)
    let partition = partitions[index]
    // What is under way arrives although its sender waits for it no longer.
    call(client, survives: true) { reply in
      self.append(batch, to: partition) { error in reply(.refused(error)) }
    } then: { reply in
      var error = ErrorCode.requestTimedOut
      if case .refused(let said)? = reply { error = said }
      self.produced(batch, index, client, error)
    }
  }

  private func produced(_ batch: LedgerBatch, _ index: Int, _ client: LedgerClient, _ error: ErrorCode) {
    switch error {
    case .none:
      client.attempts = 0
      client.sequences[index] = batch.sequence + 1
      transactions[batch.transaction].acknowledged.append((index, batch.value))
      client.plan.removeFirst()
      actSoon(client)
    case .unknownTopicOrPartition:
      client.attempts = 0
      client.plan.removeFirst()
      actSoon(client)
    case .invalidProducerEpoch, .producerFenced: fenced(client)
    case .requestTimedOut, .notLeaderOrFollower, .notEnoughReplicas, .concurrentTransactions:
      if client.attempts < 4 || client.isLast { return actSoon(client, after: span(5...60)) }
      giveUp(client)
    default: giveUp(client)
    }
  }

  /// It does not know what became of a value: it aborts, and goes on under a new epoch.
  private func giveUp(_ client: LedgerClient) {
    client.attempts = 0
    client.hasGivenUp = true
    client.plan = [.end(.aborted)]
    actSoon(client)
  }

  // MARK: EndTxn

  private func end(_ outcome: TransactionOutcome, _ client: LedgerClient, _ identity: ProducerIdentity) {
    guard let transaction = client.transaction else { return }
    transactions[transaction].asked.insert(outcome)
    let request = EndTransactionRequest(id: client.id, producer: identity, outcome: outcome)
    askCoordinator(client) { coordinator, token, now, effects in
      coordinator.end(request, token, at: now, into: &effects)
    } then: { answer in
      guard case .end(let error)? = answer else {
        // Some change their mind when they hear nothing.
        if self.goesWrong(oneIn: 8) { client.plan = [.end(outcome == .committed ? .aborted : .committed)] }
        return self.actSoon(client)
      }
      switch error {
      case .none: self.answered(transaction, outcome, client)
      case .concurrentTransactions: self.actSoon(client, after: self.span(5...40))
      case .invalidProducerIdMapping: self.renew(client)
      default: self.fenced(client)
      }
    }
  }

  private func answered(_ transaction: Int, _ outcome: TransactionOutcome, _ client: LedgerClient) {
    note("client \(client.number) hears that \(transaction) is \(outcome)")
    if outcome == .committed { seen.committed += 1 } else { seen.aborted += 1 }
    told(transaction, outcome)
    client.hasCommitted = client.hasCommitted || outcome == .committed
    // What it gave up on may still be under way.
    client.mustRenew = client.hasGivenUp
    client.transaction = nil
    actSoon(client)
  }
}
