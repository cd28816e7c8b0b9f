import Broker
import Coordination
import KafkaProtocol
import Vocabulary

// The coordinators: one at a time leads the partition of `__transaction_state`, and others may not know that they do no
// longer.

/// The log of the one partition of `__transaction_state`.
struct StateLog {
  /// Each a batch, in Kafka's bytes.
  var batches: [[UInt8]] = []
  /// So many of them are on every copy; whoever leads next may have less than all others.
  var kept = 0
  var leaderEpoch: Int32 = 0
  /// Appends are kept in their order.
  var lastKeptAt: Int64 = 0

  /// All records, in the order in which they were written.
  var records: [TransactionRecord] {
    batches.flatMap { batch in
      batch.withUnsafeBytes { raw in
        var found: [TransactionRecord] = []
        guard let whole = try? RecordBatch(raw) else { return found }
        var records = whole.records
        while let next = try? records.next() {
          if let record = try? TransactionRecordFormat.decode(next) { found.append(record) }
        }
        return found
      }
    }
  }
}

/// What a caller hears.
enum StateReply {
  case answer(TransactionAnswer)
  case refused(ErrorCode)
}

/// One life of a coordinator: as a shard of the program, it holds back what rests on appends that are not kept.
final class StateShard {
  enum Phase: Equatable {
    case loading
    case running
    case ended
  }
  enum Waiting {
    case answer((StateReply) -> Void, TransactionAnswer)
    case markers(MarkerWork)
  }
  let number: Int
  let epoch: Int32
  /// Its clock of the day is not everybody's.
  let skew: Int64
  var coordinator: TransactionCoordinator
  var phase = Phase.loading
  var isBroken = false
  var appends = 0
  var kept = 0
  var waiting: [(after: Int, what: Waiting)] = []
  var pending: [Token: (StateReply) -> Void] = [:]
  var nextToken: UInt64 = 1
  var alarm: Int64?

  init(_ number: Int, _ epoch: Int32, skew: Int64, _ settings: TransactionSettings) {
    self.number = number
    self.epoch = epoch
    self.skew = skew
    coordinator = TransactionCoordinator(settings: settings, epoch: LeaderEpoch(epoch))
  }
}

extension TransactionSimulation {
  /// Who leads, as everybody knows who knows.
  var leader: StateShard? {
    shards.last { $0.epoch == log.leaderEpoch && $0.phase != .ended }
  }

  /// One that was replaced and does not know it.
  var superseded: StateShard? { shards.last { $0.epoch < log.leaderEpoch && $0.phase == .running } }

  func beginShard(after span: Int64) {
    let skew = isTroubled ? Int64(draw(800)) - 400 : 0
    let shard = StateShard(shards.count, log.leaderEpoch, skew: skew, settings)
    shards.append(shard)
    after(span) { self.load(shard) }
  }

  private func load(_ shard: StateShard) {
    guard shard.phase == .loading, shard.epoch == log.leaderEpoch else { return }
    note("coordinator \(shard.number) reads \(log.batches.count) batches, of which \(log.kept) are kept")
    for record in log.records { shard.coordinator.replay(record) }
    begin(shard, onceKept: log.batches.count)
  }

  /// As `CoordinatorShard` does.
  private func begin(_ shard: StateShard, onceKept end: Int) {
    guard shard.phase == .loading, shard.epoch == log.leaderEpoch else { return }
    guard log.kept >= end || settings.planted == .trustsTheEndOfTheLog else {
      return after(span(1...5)) { self.begin(shard, onceKept: end) }
    }
    shard.phase = .running
    turn(shard) { $0.loaded(at: $1, into: &$2) }
  }

  func moment(of shard: StateShard) -> Moment {
    Moment(
      instant: Instant(nanoseconds: now * 1000),
      time: Timestamp(milliseconds: 1_700_000_000_000 + now / 1000 + shard.skew))
  }

  typealias StateAsk = (inout TransactionCoordinator, Token, Moment, inout [TransactionEffect]) -> Void

  func ask(_ shard: StateShard?, _ ask: StateAsk, reply: @escaping (StateReply) -> Void) {
    guard let shard, shard.phase != .ended else { return reply(.refused(.notCoordinator)) }
    guard shard.phase == .running else { return reply(.refused(.coordinatorLoadInProgress)) }
    let token = Token(shard.nextToken)
    shard.nextToken += 1
    shard.pending[token] = reply
    turn(shard) { ask(&$0, token, $1, &$2) }
  }

  func turn(_ shard: StateShard, _ body: (inout TransactionCoordinator, Moment, inout [TransactionEffect]) -> Void) {
    guard shard.phase == .running else { return }
    var effects: [TransactionEffect] = []
    body(&shard.coordinator, moment(of: shard), &effects)
    for effect in effects { perform(effect, shard) }
    deliver(shard)
    setAlarm(shard)
  }

  private func perform(_ effect: TransactionEffect, _ shard: StateShard) {
    switch effect {
    case .append(let records):
      shard.appends += 1
      append(records, shard)
    case .answer(let token, let answer):
      guard let reply = shard.pending.removeValue(forKey: token) else { return fail("an answer to nobody") }
      shard.waiting.append((shard.appends, .answer(reply, answer)))
    case .writeMarkers(let work): shard.waiting.append((shard.appends, .markers(work)))
    case .allocateProducerID(let id):
      lastProducer += 1
      let producer = goesWrong(oneIn: 10) ? nil : ProducerID(lastProducer)
      after(span(1...30)) { self.turn(shard) { $0.producerIDAllocated(producer, for: id, at: $1, into: &$2) } }
    }
  }

  private func append(_ records: [TransactionRecord], _ shard: StateShard) {
    let number = shard.appends
    guard shard.epoch == log.leaderEpoch else {
      shard.isBroken = true
      return after(span(1...30)) { self.end(shard, as: .notCoordinator) }
    }
    // What it has appended since is in the log all the same.
    if !shard.isBroken, goesWrong(oneIn: 150) {
      seen.failedAppends += 1
      note("coordinator \(shard.number) cannot append")
      shard.isBroken = true
      return after(span(1...30)) {
        self.end(shard, as: .coordinatorNotAvailable)
        // The partition is led on, in the same epoch: another one reads what is there.
        if shard.epoch == self.log.leaderEpoch { self.beginShard(after: self.span(20...100)) }
      }
    }
    for record in records { tell(record, shard) }
    let time = moment(of: shard).time
    log.batches.append(TransactionRecordFormat.batch(records, at: time))
    let position = log.batches.count
    log.lastKeptAt = max(log.lastKeptAt, now + (goesWrong(oneIn: 12) ? span(20...250) : span(1...8)))
    after(log.lastKeptAt - now) {
      guard shard.epoch == self.log.leaderEpoch else { return }
      self.log.kept = max(self.log.kept, position)
      if !shard.isBroken { shard.kept = max(shard.kept, number) }
      self.deliver(shard)
    }
  }

  private func tell(_ record: TransactionRecord, _ shard: StateShard) {
    note(
      "coordinator \(shard.number) appends \(record.id): \(record.value.map { "\($0.producer) \($0.stage.state.name)" } ?? "-")"
    )
    if record.value == nil { seen.forgotten += 1 }
  }

  private func deliver(_ shard: StateShard) {
    while shard.phase == .running, let first = shard.waiting.first, first.after <= shard.kept {
      shard.waiting.removeFirst()
      switch first.what {
      case .answer(let reply, let answer): reply(.answer(answer))
      case .markers(let work): write(work, for: shard)
      }
    }
  }

  func end(_ shard: StateShard, as error: ErrorCode) {
    guard shard.phase != .ended else { return }
    note("coordinator \(shard.number) ends as \(error)")
    shard.phase = .ended
    let waiting = shard.waiting.compactMap { if case .answer(let reply, _) = $0.what { reply } else { nil } }
    let pending = shard.pending.sorted { $0.key < $1.key }.map(\.value)
    (shard.waiting, shard.pending) = ([], [:])
    for reply in waiting + pending { reply(.refused(error)) }
  }

  private func setAlarm(_ shard: StateShard) {
    guard let deadline = shard.coordinator.nextDeadline else { return }
    let time = max(now, (deadline.nanoseconds + 999) / 1000)
    if let alarm = shard.alarm, alarm <= time { return }
    shard.alarm = time
    after(time - now) {
      if shard.alarm == time { shard.alarm = nil }
      self.turn(shard) { $0.tick(at: $1, into: &$2) }
    }
  }

  /// Another copy leads: it has what was kept, and maybe more.
  func replaceLeader() {
    seen.failovers += 1
    if let old = leader {
      if happens(oneIn: 2) {
        note("coordinator \(old.number) dies")
        // Nobody is told anything.
        old.phase = .ended
        (old.waiting, old.pending) = ([], [:])
      } else {
        note("coordinator \(old.number) is replaced and does not know it")
        seen.superseded += 1
        after(span(30...1500)) { self.end(old, as: .notCoordinator) }
      }
    }
    let left = log.kept + draw(log.batches.count - log.kept + 1)
    seen.lostRecords += log.batches.count - left
    log.batches.removeLast(log.batches.count - left)
    log.leaderEpoch += 1
    log.lastKeptAt = now + span(1...250)
    after(log.lastKeptAt - now) { [epoch = log.leaderEpoch] in
      if epoch == self.log.leaderEpoch { self.log.kept = max(self.log.kept, left) }
    }
    beginShard(after: span(5...150))
  }
}
