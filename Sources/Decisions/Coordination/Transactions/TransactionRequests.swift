public import Vocabulary

// What producers ask for: an identity, partitions, and an end.

extension TransactionCoordinator {
  // MARK: InitProducerId

  /// InitProducerId with a transactional id. Refusals: INVALID_REQUEST, INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED,
  /// CONCURRENT_TRANSACTIONS while a transaction ends, also one that this request aborts, and
  /// COORDINATOR_LOAD_IN_PROGRESS where no producer id could be had.
  public mutating func initProducer(
    _ request: InitProducerRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    func refuse(_ error: ErrorCode, _ effects: inout [TransactionEffect]) {
      effects.append(.answer(token, .initProducer(InitProducerAnswer(error: error))))
    }
    guard isNameable(request.id) else { return refuse(.invalidRequest, &effects) }
    guard request.timeout > .zero, request.timeout <= settings.timeoutMax else {
      return refuse(.invalidTransactionTimeout, &effects)
    }
    guard allocations[request.id] == nil else { return refuse(.concurrentTransactions, &effects) }
    guard let producer = producers[request.id] else {
      // Also for a producer that has one: its id was forgotten, and it goes on under a new one.
      return allocate(for: request, token, into: &effects)
    }
    let current = producer.value.producer
    let asksAgain = request.expected.map { $0 != .none && $0 == producer.value.replaced } ?? false
    guard request.expected == nil || request.expected == current || asksAgain else {
      return refuse(.producerFenced, &effects)
    }
    switch producer.value.stage {
    case .prepared: refuse(.concurrentTransactions, &effects)
    case .ongoing:
      // Its producer may be gone for good; this one gets an epoch when it asks once more.
      abort(request.id, at: now, answering: token, into: &effects)
    case .empty, .complete:
      if asksAgain { return renew(current, for: request, token, at: now, into: &effects) }
      if current.epoch.isExhausted || current.id < request.leastID {
        return allocate(for: request, token, into: &effects)
      }
      renew(ProducerIdentity(current.id, current.epoch.next), for: request, token, at: now, into: &effects)
    }
  }

  private mutating func allocate(
    for request: InitProducerRequest, _ token: Token, into effects: inout [TransactionEffect]
  ) {
    allocations[request.id] = Allocation(token: token, request: request)
    effects.append(.allocateProducerID(request.id))
  }

  /// The id that was asked for, or nil where there is none to be had. Nobody has changed what is known of the
  /// transactional id meanwhile: whoever wanted to was sent away.
  public mutating func producerIDAllocated(
    _ producer: ProducerID?, for id: TransactionalID, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    guard let waiting = allocations.removeValue(forKey: id) else { return }
    guard let producer else {
      // What Kafka says when its block of ids is used up and the next has not come.
      let answer = InitProducerAnswer(error: .coordinatorLoadInProgress)
      return effects.append(.answer(waiting.token, .initProducer(answer)))
    }
    renew(ProducerIdentity(producer, ProducerEpoch(0)), for: waiting.request, waiting.token, at: now, into: &effects)
  }

  /// Makes it the one producer of the transactional id.
  private mutating func renew(
    _ producer: ProducerIdentity, for request: InitProducerRequest, _ token: Token, at now: Moment,
    into effects: inout [TransactionEffect]
  ) {
    let before = producers[request.id]?.value
    var replaced = ProducerIdentity.none
    if let before {
      // One that asks again may do so once more.
      replaced = before.producer == producer ? before.replaced : request.expected ?? .none
    }
    let value = TransactionValue(
      producer: producer, timeout: request.timeout, stage: .empty, updatedAt: now.time, replaced: replaced)
    write([TransactionRecord(request.id, value)], into: &effects)
    effects.append(.answer(token, .initProducer(InitProducerAnswer(producer))))
  }

  // MARK: AddPartitionsToTxn, AddOffsetsToTxn

  /// AddPartitionsToTxn of clients, and AddOffsetsToTxn. Refusals: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING,
  /// PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, and POLICY_VIOLATION for a transaction that would become too large.
  public mutating func addPartitions(
    _ request: TransactionPartitionsRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    let error = add(request, at: now, into: &effects)
    effects.append(.answer(token, .addPartitions(error)))
  }

  private mutating func add(
    _ request: TransactionPartitionsRequest, at now: Moment, into effects: inout [TransactionEffect]
  ) -> ErrorCode {
    if let error = refusal(of: request.id, request.producer) { return error }
    guard var value = producers[request.id]?.value, !request.partitions.isEmpty else { return .none }
    guard allocations[request.id] == nil else { return .concurrentTransactions }
    var open = OpenTransaction(startedAt: now.time, partitions: [])
    var until = now.instant + value.timeout
    switch value.stage {
    case .empty, .complete: break
    case .prepared(_, let decided):
      guard settings.planted == .addsWhileItEnds else { return .concurrentTransactions }
      open = decided
    case .ongoing(let before):
      open = before
      if case .open(let deadline)? = producers[request.id]?.activity { until = deadline }
      if request.partitions.allSatisfy(open.partitions.contains) {
        confirm(request.id, into: &effects)
        return .none
      }
    }
    open.partitions.formUnion(request.partitions)
    guard open.partitions.count <= settings.partitionsMax,
      TransactionRecord.sizeEstimate(request.id, open.partitions) <= settings.appendMax.value
    else { return .policyViolation }
    value.stage = .ongoing(open)
    value.updatedAt = now.time
    // It has heard what it was told: it writes under its new epoch.
    value.replaced = .none
    write([TransactionRecord(request.id, value)], into: &effects)
    producers[request.id]?.activity = .open(until: until)
    alarms.set(request.id, at: until)
    return .none
  }

  /// AddPartitionsToTxn of brokers that want to know before they append (KIP-890). Refusals, for every partition alike:
  /// INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS; for one of them:
  /// INVALID_TXN_STATE, which newer brokers are told as TRANSACTION_ABORTABLE.
  public func verify(
    _ request: TransactionPartitionsRequest, _ token: Token, into effects: inout [TransactionEffect]
  ) {
    var error = refusal(of: request.id, request.producer)
    var known: Set<TopicPartition> = []
    switch producers[request.id]?.value.stage {
    case .ongoing(let open): known = open.partitions
    case .prepared: error = error ?? .concurrentTransactions
    case .empty, .complete, nil: break
    }
    let all = request.partitions.map { partition in
      VerifiedPartition(partition, error ?? (known.contains(partition) ? .none : .invalidTxnState))
    }
    effects.append(.answer(token, .verify(all)))
  }

  // MARK: EndTxn

  /// EndTxn. It is answered as soon as the outcome is kept; the markers follow. Refusals: INVALID_REQUEST,
  /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE where there is nothing to end or where it ends the
  /// other way, and CONCURRENT_TRANSACTIONS where it does not end for the first time and is not complete yet.
  public mutating func end(
    _ request: EndTransactionRequest, _ token: Token, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    func answer(_ error: ErrorCode, _ effects: inout [TransactionEffect]) {
      effects.append(.answer(token, .end(error)))
    }
    if let error = refusal(of: request.id, request.producer) { return answer(error, &effects) }
    switch producers[request.id]?.value.stage {
    case .ongoing:
      prepare(request.id, request.outcome, at: now, answering: (token, .end(.none)), into: &effects)
    case .prepared(let outcome, _):
      if outcome != request.outcome, settings.planted == .letsTheOtherOutcomeThrough {
        return prepare(request.id, request.outcome, at: now, answering: (token, .end(.none)), into: &effects)
      }
      answer(outcome == request.outcome ? .concurrentTransactions : .invalidTxnState, &effects)
    case .complete(request.outcome, _):
      confirm(request.id, into: &effects)
      answer(.none, &effects)
    case .complete: answer(.invalidTxnState, &effects)
    case .empty, nil: answer(.invalidTxnState, &effects)
    }
  }

  /// Writes once more what is known, so that the answer waits until that is kept. Who coordinates no longer, and has not
  /// heard of it, cannot: it might take the transaction that was open when it did for the one that is open now.
  private mutating func confirm(_ id: TransactionalID, into effects: inout [TransactionEffect]) {
    guard settings.planted != .answersFromMemory, let producer = producers[id] else { return }
    write([TransactionRecord(id, producer.value)], into: &effects)
    producers[id]?.activity = producer.activity
  }

  /// Decides how an open transaction ends. Nothing can change that any more.
  private mutating func prepare(
    _ id: TransactionalID, _ outcome: TransactionOutcome, by producer: ProducerIdentity? = nil, at now: Moment,
    answering answer: (token: Token, answer: TransactionAnswer)?, into effects: inout [TransactionEffect]
  ) {
    guard var value = producers[id]?.value else { return }
    let open: OpenTransaction
    switch value.stage {
    case .ongoing(let transaction), .prepared(_, let transaction): open = transaction
    case .empty, .complete: return
    }
    value.producer = producer ?? value.producer
    value.replaced = .none
    value.stage = .prepared(outcome, open)
    value.updatedAt = now.time
    let position = settings.planted == .answersBeforeItIsKept ? effects.count : nil
    write([TransactionRecord(id, value)], into: &effects)
    if let answer { effects.insert(.answer(answer.token, answer.answer), at: position ?? effects.count) }
    begin(open.partitions, of: id, at: now, into: &effects)
  }

  /// Ends an open transaction in somebody else's place than its producer's: that one's epoch is used up with it.
  mutating func abort(
    _ id: TransactionalID, at now: Moment, answering token: Token? = nil, into effects: inout [TransactionEffect]
  ) {
    guard let producer = producers[id]?.value.producer else { return }
    let fencing =
      settings.planted == .keepsTheEpochAtATimeout && token == nil
      ? producer : ProducerIdentity(producer.id, producer.epoch.next)
    let refusal = TransactionAnswer.initProducer(InitProducerAnswer(error: .concurrentTransactions))
    prepare(id, .aborted, by: fencing, at: now, answering: token.map { ($0, refusal) }, into: &effects)
  }

  // MARK: Who may

  private func isNameable(_ id: TransactionalID) -> Bool {
    !id.text.isEmpty && id.text.utf8.count <= settings.idLengthMax.value
  }

  /// Nil for the one producer that has the transactional id.
  private func refusal(of id: TransactionalID, _ producer: ProducerIdentity) -> ErrorCode? {
    guard isNameable(id) else { return .invalidRequest }
    guard let known = producers[id]?.value.producer, known.id == producer.id else { return .invalidProducerIdMapping }
    if settings.planted == .believesAnOlderEpoch, producer.epoch < known.epoch { return nil }
    return known.epoch == producer.epoch ? nil : .producerFenced
  }
}
