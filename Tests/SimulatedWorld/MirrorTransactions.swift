import Broker
import KafkaProtocol
import Vocabulary

/// What a producer of transactions is at, and its coordinator, which forgets nothing and is always there.
struct MirrorWriter: Sendable {
  struct Key: Hashable, Sendable {
    let place: TopicPartition
    let topic: UniqueID
  }
  struct Batch: Sendable {
    let key: Key
    let sequence: Int32
    let values: [UInt64]
  }
  struct Transaction: Sendable {
    /// Before, it does not end; after the other, it is taken back.
    let endsAt: Int64
    let deadline: Int64
    let isToBeCommitted: Bool
    /// Batches that are still to be written.
    var planned: Int
    var batch: Batch?
    var places: [TopicPartition] = []
    var values: [(key: Key, value: UInt64)] = []
    /// Nil until it is decided.
    var isCommitted: Bool?
    /// Somebody may have written a batch, and has not said so.
    var isUnclear = false
  }
  var producer: (id: ProducerID, epoch: ProducerEpoch)?
  var sequences: [Key: Int32] = [:]
  var transaction: Transaction?
  /// What was asked last, so that nothing is heard twice.
  var question: UInt64 = 0
}

/// How a transaction ended, for each of its values.
struct MirrorOutcome: Sendable {
  let spot: MirrorLedger.Spot
  let isCommitted: Bool
}

/// Producers of transactions, one on each side.
extension MirrorSimulation {
  private static let millisecond = BrokerStage.Spans.millisecond
  private static let coordinatorEpoch: Int32 = 1
  /// Who does not answer within this time may have written what it was asked for.
  private static let patience = 2500 * BrokerStage.Spans.millisecond
  private var pause: Int64 { Int64(10 + stage.draw(60)) * Self.millisecond }

  func transact(_ side: MirrorSide, _ model: inout Model) {
    let again = { @Sendable in self.later(self.pause) { self.transact(side, &$0) } }
    switch model.phase {
    // Whoever has an identity from before the mirror may have one of the other side's.
    case .preparing: return again()
    case .done: return
    case .troubled, .healing, .checking: break
    }
    guard let writer = model.writers[side] else { return }
    guard writer.producer != nil else { return identify(side, again) }
    guard let transaction = writer.transaction else {
      beginTransaction(side, &model)
      return again()
    }
    if transaction.isCommitted != nil { return mark(side, transaction, &model, again) }
    if stage.now >= transaction.deadline {
      decide(false, side, &model)
    } else if transaction.batch == nil, transaction.planned == 0 {
      if stage.now >= transaction.endsAt { decide(transaction.isToBeCommitted, side, &model) }
    } else {
      return write(side, &model, again)
    }
    again()
  }

  func areTransactionsOver(_ model: Model) -> Bool { model.writers.values.allSatisfy { $0.transaction == nil } }

  private func identify(_ side: MirrorSide, _ again: @escaping @Sendable () -> Void) {
    let request = InitProducerIDRequest {
      $0.transactionalID = nil
      $0.transactionTimeoutMs = .max
    }
    ask(request, of: anyNode(side), side) { response, model in
      if let response, response.errorCode == .none {
        model.writers[side]?.producer = (ProducerID(response.producerID), ProducerEpoch(response.producerEpoch))
      }
      again()
    }
  }

  private func beginTransaction(_ side: MirrorSide, _ model: inout Model) {
    switch model.phase {
    case .preparing, .checking, .done: return
    case .troubled, .healing: break
    }
    // Where a mirror writes, nobody else gets far.
    guard side == model.owner || stage.happens(oneIn: 6) else { return }
    let span = Int64(stage.happens(oneIn: 3) ? stage.draw(2500) : stage.draw(200))
    model.writers[side]?.transaction = .init(
      endsAt: stage.now + span * Self.millisecond, deadline: stage.now + (span + 1500) * Self.millisecond,
      isToBeCommitted: !stage.happens(oneIn: 3), planned: 1 + stage.draw(4))
  }

  private func write(_ side: MirrorSide, _ model: inout Model, _ again: @escaping @Sendable () -> Void) {
    guard var writer = model.writers[side], let producer = writer.producer, var transaction = writer.transaction else {
      return again()
    }
    if transaction.batch == nil {
      let places = model.places.filter { !Self.isCompacted($0) }
      let place = places[stage.draw(places.count)]
      guard let leader = cluster(side).leader(of: place) else { return again() }
      let key = MirrorWriter.Key(place: place, topic: leader.standing.topic)
      let values = (0..<(1 + stage.draw(2))).map { _ in
        model.lastValue += 1
        return model.lastValue
      }
      transaction.batch = .init(key: key, sequence: writer.sequences[key, default: 0], values: values)
      if !transaction.places.contains(place) { transaction.places.append(place) }
    }
    guard let batch = transaction.batch else { return again() }
    writer.transaction = transaction
    model.writers[side] = writer
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true),
      producer: ProducerStamp(id: producer.id, epoch: producer.epoch, baseSequence: batch.sequence))
    for value in batch.values {
      builder.append(
        timestamp: Timestamp(milliseconds: 1_700_000_000_000 + stage.now / 1000), key: nil,
        value: Array("\(value)".utf8))
    }
    send(.records(builder.build(), sequence: batch.sequence), producer, to: batch.key.place, side, &model) {
      code, offset, model in
      self.wrote(batch, at: offset, code, side, &model)
      again()
    }
  }

  private func send(
    _ what: Broker.TransactionalWrite, _ producer: (id: ProducerID, epoch: ProducerEpoch), to place: TopicPartition,
    _ side: MirrorSide, _ model: inout Model,
    then: @escaping @Sendable (ErrorCode?, Offset, inout Model) -> Void
  ) {
    model.writers[side]?.question += 1
    let question = model.writers[side]?.question ?? 0
    let once: @Sendable (ErrorCode?, Offset, inout Model) -> Void = { code, offset, model in
      guard model.writers[side]?.question == question else { return }
      model.writers[side]?.question += 1
      then(code, offset, &model)
    }
    later(Self.patience) { once(nil, .none, &$0) }
    guard let broker = cluster(side).leader(of: place)?.machine.broker else {
      return later(Self.millisecond) { once(.leaderNotAvailable, .none, &$0) }
    }
    broker.write(what, from: producer.id, producer.epoch, to: place) { code, offset in
      self.post { once(code, offset, &$0) }
    }
  }

  private func wrote(
    _ batch: MirrorWriter.Batch, at offset: Offset, _ code: ErrorCode?, _ side: MirrorSide, _ model: inout Model
  ) {
    switch code {
    case .some(.none):
      stage.note("\(side): \(batch.key.place) has \(batch.values) at \(offset.value), of a transaction")
      model.writers[side]?.sequences[batch.key] = batch.sequence + Int32(batch.values.count)
      model.writers[side]?.transaction?.values += batch.values.map { (batch.key, $0) }
      model.writers[side]?.transaction?.batch = nil
      model.writers[side]?.transaction?.planned -= 1
    case nil, .some(.requestTimedOut), .some(.notEnoughReplicasAfterAppend):
      model.writers[side]?.transaction?.isUnclear = true
    case .some(.policyViolation), .some(.outOfOrderSequenceNumber), .some(.unknownProducerId),
      .some(.invalidProducerEpoch):
      decide(false, side, &model)
    case .some: break
    }
  }

  private func decide(_ isCommitted: Bool, _ side: MirrorSide, _ model: inout Model) {
    guard let transaction = model.writers[side]?.transaction else { return }
    let batch = transaction.batch.map { batch in batch.values.map { (key: batch.key, value: $0) } } ?? []
    for (key, value) in transaction.values + batch {
      model.outcomes[value] = MirrorOutcome(
        spot: .init(side: side, place: key.place, topic: key.topic), isCommitted: isCommitted)
    }
    stage.note("\(side): a transaction is to be \(isCommitted ? "committed" : "taken back")")
    model.writers[side]?.transaction?.isCommitted = isCommitted
    if transaction.batch != nil { model.writers[side]?.transaction?.isUnclear = true }
  }

  private func mark(
    _ side: MirrorSide, _ transaction: MirrorWriter.Transaction, _ model: inout Model,
    _ again: @escaping @Sendable () -> Void
  ) {
    guard let producer = model.writers[side]?.producer, let isCommitted = transaction.isCommitted else {
      return again()
    }
    guard let place = transaction.places.first else {
      model.writers[side]?.transaction = nil
      if isCommitted { model.seen.transactions += 1 } else { model.seen.takenBack += 1 }
      if transaction.isUnclear {
        // Whoever does not know what became of its last batch begins anew.
        model.writers[side]?.producer?.epoch = ProducerEpoch(producer.epoch.value + 1)
        model.writers[side]?.sequences = [:]
      }
      return again()
    }
    let what = Broker.TransactionalWrite.marker(committed: isCommitted, coordinatorEpoch: Self.coordinatorEpoch)
    send(what, producer, to: place, side, &model) { code, _, model in
      switch code {
      case .some(.none): model.writers[side]?.transaction?.places.removeFirst()
      case .some(.invalidProducerEpoch), .some(.transactionCoordinatorFenced):
        self.stage.fail("\(side): the marker of a transaction in \(place) is refused with \(code ?? .none)")
      case .some, nil: break
      }
      again()
    }
  }

  // MARK: In the end

  /// Whether readers of committed records see everything that there is.
  func isStable(_ place: TopicPartition, _ model: Model) -> Bool {
    MirrorSide.allCases.allSatisfy { side in
      guard let standing = cluster(side).leader(of: place)?.standing else { return false }
      return standing.lastStable == standing.highWatermark
    }
  }

  /// - Parameter removed: what is below may be gone.
  func checkTransactions(
    _ place: TopicPartition, _ here: MirrorContents, _ there: MirrorContents, from removed: Int64, _ model: Model
  ) {
    for (side, contents) in [(model.owner, here), (model.owner.other, there)] {
      let reading = contents.transactions
      if let late = reading.late { stage.fail("\(side): \(place): \(late)") }
      if let open = reading.open.keys.min() {
        stage.fail("\(side): producer \(open) has an open transaction in \(place)")
      }
      checkIndex(place, side, reading)
    }
    let mayLose = model.seen.failovers > 0 || !model.unclean.isEmpty
    for (value, outcome) in model.outcomes.sorted(by: { $0.key < $1.key }) where outcome.spot.place == place {
      if !outcome.isCommitted, here.transactions.committed.contains(value) {
        stage.fail("\(outcome.spot.side): \(value) was taken back, and can be read in \(place)")
      }
      guard outcome.isCommitted, !mayLose else { continue }
      if here.transactions.takenBack.contains(value) {
        stage.fail("\(outcome.spot.side): \(value) was committed in \(place), and was taken back")
      } else if !here.transactions.committed.contains(value), removed == 0 {
        stage.fail("\(outcome.spot.side): \(value) was committed in \(place), and is nowhere")
      }
    }
  }

  /// Readers are told of exactly those that were taken back.
  private func checkIndex(_ place: TopicPartition, _ side: MirrorSide, _ reading: TransactionReading) {
    guard let (machine, standing) = cluster(side).leader(of: place),
      let told = machine.broker?.abortedTransactions(of: place, upTo: standing.highWatermark)
    else { return }
    let start = standing.start.value
    let said = told.filter { $0.first >= start }.map { [$0.producer, $0.first] }
    let real = reading.abortions.filter { $0.first >= start }.map { [$0.producer, $0.first] }
    if Set(said) != Set(real) {
      stage.fail("\(side): of \(place) readers are told that \(said) were taken back, and \(real) were")
    }
  }
}

/// The transactions of a log, batch after batch.
struct TransactionReading: Sendable {
  struct Open: Sendable {
    let first: Int64
    let era: Int32
    var values: [UInt64] = []
  }
  private(set) var open: [Int64: Open] = [:]
  private(set) var committed: Set<UInt64> = []
  private(set) var takenBack: Set<UInt64> = []
  private(set) var abortions: [(producer: Int64, first: Int64)] = []
  /// What clients wrote although something was open that was begun under another owner.
  private(set) var late: String?

  mutating func note(_ header: RecordBatchHeader, marker isCommit: Bool?, _ values: [UInt64]) {
    let producer = header.producerID.value
    if let isCommit {
      guard let ended = open.removeValue(forKey: producer) else { return }
      if isCommit { return committed.formUnion(ended.values) }
      takenBack.formUnion(ended.values)
      return abortions.append((producer, ended.first))
    }
    let era = header.partitionLeaderEpoch.value >> 16
    if late == nil, let older = open.filter({ $0.value.era < era }).min(by: { $0.key < $1.key }) {
      late =
        "clients wrote at offset \(header.baseOffset.value), and what producer \(older.key) began at "
        + "\(older.value.first) was open"
    }
    guard header.attributes.isTransactional else { return }
    open[producer, default: Open(first: header.baseOffset.value, era: era)].values += values
  }
}
