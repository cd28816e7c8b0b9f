import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Vocabulary

/// What a shard needs of the coordinator that it runs.
protocol Coordinating: Sendable {
  associatedtype Effect: Sendable
  associatedtype Answer: Sendable
  var nextDeadline: Instant? { get }
  mutating func loaded(at now: Moment, into effects: inout [Effect])
  mutating func tick(at now: Moment, into effects: inout [Effect])
}

/// What an effect of a coordinator comes to.
enum ShardStep<Answer: Sendable>: Sendable {
  /// One batch.
  case append([UInt8], acks: Acks)
  case answer(Token, Answer)
  /// On a thread of the pool.
  case begin(@Sendable () -> Void)
  /// On a thread of the pool, once every append before it counts as kept; not at all where one does not.
  case beginOnceKept(@Sendable () -> Void)
}

/// Runs a coordinator, which is that of one partition of an internal topic: gives it requests and time, and performs what
/// it decides.
///
/// Decisions are made and their records appended under one lock, so that the log has them in the order in which they
/// were made. An answer leaves once every append before it counts as kept.
final class CoordinatorShard<Coordinator: Coordinating>: Sendable {
  typealias Effect = Coordinator.Effect
  typealias Answer = Coordinator.Answer
  typealias Ask = @Sendable (inout Coordinator, Token, Moment, inout [Effect]) -> Void
  typealias Work = @Sendable (inout Coordinator, Moment, inout [Effect]) -> Void

  let partition: Partition
  /// The epoch in which this broker leads the partition: nothing is appended in another one.
  let epoch: LeaderEpoch
  private let world: ShardWorld<Coordinator>
  /// Called when the shard has ended although its partition is still led here.
  private let whenUnfit: @Sendable (CoordinatorShard) -> Void
  private let turns: Mutex<Turns>
  private let kept = Mutex(KeptQueue())

  private struct Turns {
    var coordinator: Coordinator
    var phase = Phase.loading
    /// What came while the log was read, and is about what it tells.
    var postponed: [Work] = []
    var nextToken: UInt64 = 1
    var pending: [Token: Asker] = [:]
    var appends: UInt64 = 0
    var alarm: (at: Instant, timer: Timer)?
  }

  /// Who waits for an answer.
  private struct Asker {
    let answer: @Sendable (Answer) -> Void
    let refused: @Sendable (ErrorCode) -> Void
  }

  enum Phase: Sendable {
    case loading
    case running
    /// A record could not be kept, so that what was decided after it rests on nothing; or the partition has gone away.
    /// Everyone gets this error.
    case ended(ErrorCode)
  }

  /// Answers and work in order, each behind the appends that it rests on.
  private struct KeptQueue {
    var upTo: UInt64 = 0
    /// An append was not kept: later ones that are do not make up for it.
    var isBroken = false
    var waiting: [(after: UInt64, what: Waiting)] = []
  }

  private enum Waiting {
    case answer(Asker, Answer)
    case work(@Sendable () -> Void)
  }

  init(
    partition: Partition, epoch: LeaderEpoch, coordinator: Coordinator, world: ShardWorld<Coordinator>,
    whenUnfit: @escaping @Sendable (CoordinatorShard) -> Void = { _ in }
  ) {
    self.partition = partition
    self.epoch = epoch
    self.world = world
    self.whenUnfit = whenUnfit
    turns = Mutex(Turns(coordinator: coordinator))
  }

  // MARK: Loading

  /// How often it is looked whether what was read is committed.
  private static var pause: TimeSpan { .milliseconds(5) }

  /// Reads the whole partition. Requests get COORDINATOR_LOAD_IN_PROGRESS until it is done.
  func load() {
    // To the log's end: what an earlier leader has left will be committed in this epoch, before anything of ours.
    let end = partition.log.endOffset
    do {
      try partition.log.replayBatches(upTo: end) { batch in
        let header = batch.header
        if header.attributes.isControl {
          guard let marker = TransactionMarker(batch), let apply = world.replayMarker(marker, header) else { return }
          return turns.withLock { apply(&$0.coordinator) }
        }
        try partition.log.forEachRecord(in: batch) { record in
          if let apply = try world.replay(record, header) { turns.withLock { apply(&$0.coordinator) } }
        }
      }
    } catch {
      world.report("a partition of \(world.contents) cannot be read: \(error)", partition.name)
      self.end(as: .coordinatorNotAvailable)
      return
    }
    begin(onceCommitted: end)
  }

  /// What is read may still be lost with this leader, as long as it is not committed: nobody hears of it before.
  private func begin(onceCommitted end: Offset) {
    if case .ended = turns.withLock({ $0.phase }) { return }
    guard partition.highWatermark >= end else {
      world.loop.schedule(after: Self.pause) { self.world.pool.run { self.begin(onceCommitted: end) } }
      return
    }
    turn { coordinator, now, effects in coordinator.loaded(at: now, into: &effects) }
    let postponed = turns.withLock { turns in
      if case .loading = turns.phase { turns.phase = .running }
      defer { turns.postponed = [] }
      return turns.postponed
    }
    for work in postponed { turn(work) }
  }

  // MARK: Requests

  /// Puts a request to the coordinator. `answer` is called once, maybe much later.
  func ask(
    _ ask: Ask, answer: @escaping @Sendable (Answer) -> Void, refused: @escaping @Sendable (ErrorCode) -> Void
  ) {
    let refusal: ErrorCode? = turns.withLock { turns in
      switch turns.phase {
      case .loading: return .coordinatorLoadInProgress
      case .ended(let error): return error
      case .running: break
      }
      let token = Token(turns.nextToken)
      turns.nextToken += 1
      turns.pending[token] = Asker(answer: answer, refused: refused)
      var effects: [Effect] = []
      ask(&turns.coordinator, token, world.now, &effects)
      perform(effects, &turns)
      return nil
    }
    if let refusal { refused(refusal) } else { deliverReady() }
  }

  /// Something that nobody waits for, such as time.
  func turn(_ body: Work) {
    turns.withLock { turns in
      if case .ended = turns.phase { return }
      var effects: [Effect] = []
      body(&turns.coordinator, world.now, &effects)
      perform(effects, &turns)
    }
    deliverReady()
  }

  /// Something that nobody waits for and that is about what the log tells: not before all of it has been read.
  func turnOnceLoaded(_ body: @escaping Work) {
    let isLoading = turns.withLock { turns in
      guard case .loading = turns.phase else { return false }
      turns.postponed.append(body)
      return true
    }
    if !isLoading { turn(body) }
  }

  /// Appends what somebody else has decided, such as the end of a transaction, and applies it once it is kept. A refusal
  /// is told and harms nobody.
  func append(_ batch: [UInt8], whenKept work: @escaping Work, done: @escaping @Sendable (AppendOutcome) -> Void) {
    let isRunning = turns.withLock { turns in
      guard case .running = turns.phase else { return false }
      // Under the lock, so that it has one place among what the coordinator decides.
      var batch = batch
      batch.withUnsafeMutableBytes { bytes in
        partition.append(bytes, origin: .coordinator, acks: .allInSync, inEpoch: epoch, now: world.now.time) {
          outcome in
          // This may be called under the lock that is held here.
          self.world.pool.run {
            if case .kept = outcome { self.turn(work) }
            done(outcome)
          }
        }
      }
      return true
    }
    // Whoever loads the partition now would not hear of it.
    if !isRunning { done(.refused(AppendRefusal(.notLeaderOrFollower, "The coordinator is loading."))) }
  }

  // MARK: Effects

  private func perform(_ effects: [Effect], _ turns: inout Turns) {
    for effect in effects {
      switch world.step(effect, self) {
      case .append(let batch, let acks):
        turns.appends += 1
        append(batch, acks, number: turns.appends)
      case .answer(let token, let answer):
        guard let asker = turns.pending.removeValue(forKey: token) else {
          preconditionFailure("the coordinator answered a request twice")
        }
        let after = turns.appends
        kept.withLock { $0.waiting.append((after, .answer(asker, answer))) }
      case .begin(let work):
        world.pool.run(work)
      case .beginOnceKept(let work):
        let after = turns.appends
        kept.withLock { $0.waiting.append((after, .work(work))) }
      }
    }
    setAlarm(&turns)
  }

  private func append(_ batch: [UInt8], _ acks: Acks, number: UInt64) {
    let now = world.now.time
    var batch = batch
    batch.withUnsafeMutableBytes { bytes in
      // It waits for as long as it takes: what stands in the log may still be committed, and was decided.
      partition.append(bytes, origin: .coordinator, acks: acks, inEpoch: epoch, now: now) { outcome in
        self.appended(number, outcome)
      }
    }
  }

  /// May be called under the lock of `turns`: what it calls must not come back to this shard.
  private func appended(_ number: UInt64, _ outcome: AppendOutcome) {
    switch outcome {
    case .kept:
      kept.withLock { if !$0.isBroken { $0.upTo = max($0.upTo, number) } }
      deliverReady()
    case .refused(let refusal) where refusal.code == .notLeaderOrFollower:
      // It may have been cut off only, and go on leading in this epoch.
      kept.withLock { $0.isBroken = true }
      world.pool.run {
        self.stop()
        self.whenUnfit(self)
      }
    case .refused(let refusal):
      broken(by: "\(refusal.code): \(refusal.message)", then: whenUnfit)
    case .failed(let error):
      broken(by: "\(error)") { _ in }
    }
  }

  private func broken(by reason: String, then: @escaping @Sendable (CoordinatorShard) -> Void) {
    kept.withLock { $0.isBroken = true }
    world.pool.run {
      self.world.report("a partition of \(self.world.contents) takes no more writes: \(reason)", self.partition.name)
      self.end(as: .coordinatorNotAvailable)
      then(self)
    }
  }

  private func deliverReady() {
    let ready = kept.withLock { kept in
      let ready = Array(kept.waiting.prefix { $0.after <= kept.upTo })
      kept.waiting.removeFirst(ready.count)
      return ready
    }
    for (_, what) in ready {
      switch what {
      case .answer(let asker, let answer): asker.answer(answer)
      case .work(let work): world.pool.run(work)
      }
    }
  }

  /// Refuses everyone who waits, and everyone who comes from now on.
  private func end(as error: ErrorCode) {
    let undecided: [Asker] = turns.withLock { turns in
      if case .ended = turns.phase { return [] }
      turns.phase = .ended(error)
      turns.alarm?.timer.cancel()
      turns.alarm = nil
      defer { turns.pending = [:] }
      return turns.pending.sorted { $0.key < $1.key }.map(\.value)
    }
    let unkept: [Asker] = kept.withLock { kept in
      defer { kept.waiting = [] }
      return kept.waiting.compactMap { if case .answer(let asker, _) = $0.what { asker } else { nil } }
    }
    for asker in unkept + undecided { asker.refused(error) }
  }

  // MARK: Time

  /// One alarm is enough: one that rings too early finds nothing to do and sets the next.
  private func setAlarm(_ turns: inout Turns) {
    guard let deadline = turns.coordinator.nextDeadline else { return }
    if let alarm = turns.alarm, alarm.at <= deadline { return }
    turns.alarm?.timer.cancel()
    let timer = world.loop.schedule(at: deadline) { self.ring(deadline) }
    turns.alarm = (deadline, timer)
  }

  private func ring(_ deadline: Instant) {
    turns.withLock { if $0.alarm?.at == deadline { $0.alarm = nil } }
    turn { coordinator, now, effects in coordinator.tick(at: now, into: &effects) }
  }

  /// The partition goes away: whoever waits is told to look for the coordinator again.
  func stop() { end(as: .notCoordinator) }
}
