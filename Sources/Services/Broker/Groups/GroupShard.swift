import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Vocabulary

/// Runs the coordinator of one partition of `__consumer_offsets`: gives it requests, time and topics, and performs
/// what it decides.
///
/// Decisions are made and their records appended under one lock, so that the log has them in the order in which they
/// were made. An answer leaves once every append before it counts as kept.
final class GroupShard: Sendable {
  typealias Ask = @Sendable (inout GroupCoordinator, Token, Moment, inout [GroupEffect]) -> Void

  let partition: Partition
  /// The epoch in which this broker leads the partition: nothing is appended in another one.
  let epoch: LeaderEpoch
  private let world: GroupWorld
  /// Called when the shard has ended although its partition is still led here.
  private let whenUnfit: @Sendable (GroupShard) -> Void
  private let turns: Mutex<Turns>
  private let answers = Mutex(AnswerQueue())

  private struct Turns {
    var coordinator: GroupCoordinator
    var phase = Phase.loading
    /// Topics that were deleted while the log was read, which may still tell of offsets in them.
    var deletedWhileLoading: Set<TopicName> = []
    var nextToken: UInt64 = 1
    var pending: [Token: Asker] = [:]
    var appends: UInt64 = 0
    var alarm: (at: Instant, timer: Timer)?
  }

  /// Who waits for an answer.
  private struct Asker {
    let answer: @Sendable (GroupAnswer) -> Void
    let refused: @Sendable (ErrorCode) -> Void
  }

  enum Phase: Sendable {
    case loading
    case running
    /// A record could not be kept, so that what was decided after it rests on nothing; or the partition has gone away.
    /// Everyone gets this error.
    case ended(ErrorCode)
  }

  /// Answers in order, each behind the appends that it rests on.
  private struct AnswerQueue {
    var kept: UInt64 = 0
    /// An append was not kept: later ones that are do not make up for it.
    var isBroken = false
    var waiting: [(after: UInt64, asker: Asker, answer: GroupAnswer)] = []
  }

  init(
    partition: Partition, epoch: LeaderEpoch, settings: GroupSettings, world: GroupWorld,
    whenUnfit: @escaping @Sendable (GroupShard) -> Void = { _ in }
  ) {
    self.partition = partition
    self.epoch = epoch
    self.world = world
    self.whenUnfit = whenUnfit
    turns = Mutex(Turns(coordinator: GroupCoordinator(settings: settings)))
  }

  // MARK: Loading

  /// Reads the whole partition. Requests get COORDINATOR_LOAD_IN_PROGRESS until it is done.
  func load() {
    do {
      try replayLog()
    } catch {
      world.report("a partition of group offsets cannot be read: \(error)", partition.name)
      end(as: .coordinatorNotAvailable)
      return
    }
    turn { coordinator, now, effects in coordinator.loaded(at: now, into: &effects) }
    let deleted = turns.withLock { turns in
      if case .loading = turns.phase { turns.phase = .running }
      defer { turns.deletedWhileLoading = [] }
      return turns.deletedWhileLoading
    }
    if !deleted.isEmpty { topicsDeleted(deleted) }
  }

  /// Forgets the offsets of deleted topics, which mean nothing for a topic that may come under the same name.
  func topicsDeleted(_ names: Set<TopicName>) {
    let isLoading = turns.withLock { turns in
      guard case .loading = turns.phase else { return false }
      turns.deletedWhileLoading.formUnion(names)
      return true
    }
    if isLoading { return }
    turn { coordinator, now, effects in coordinator.topicsDeleted(names, at: now, into: &effects) }
  }

  private func replayLog() throws {
    // To the log's end: what an earlier leader has left will be committed in this epoch, before anything of ours.
    try partition.log.replayBatches(upTo: partition.log.endOffset) { batch in
      let header = batch.header
      if header.attributes.isControl {
        guard let marker = TransactionMarker(batch) else { return }
        return turns.withLock {
          $0.coordinator.endTransaction(of: header.producerID, marker.isCommit ? .committed : .aborted)
        }
      }
      let writer: RecordWriter =
        header.attributes.isTransactional ? .transaction(header.producerID, header.producerEpoch) : .coordinator
      try partition.log.forEachRecord(in: batch) { record in
        if let known = try GroupRecordFormat.decode(record) {
          turns.withLock { $0.coordinator.replay(known, by: writer) }
        }
      }
    }
  }

  // MARK: Requests

  /// Puts a request to the coordinator. `answer` is called once, maybe much later.
  func ask(
    _ ask: Ask, answer: @escaping @Sendable (GroupAnswer) -> Void, refused: @escaping @Sendable (ErrorCode) -> Void
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
      var effects: [GroupEffect] = []
      ask(&turns.coordinator, token, world.now, &effects)
      perform(effects, &turns)
      return nil
    }
    if let refusal { refused(refusal) } else { deliverReady() }
  }

  /// Something that nobody waits for, such as time or a deleted topic.
  func turn(_ body: @Sendable (inout GroupCoordinator, Moment, inout [GroupEffect]) -> Void) {
    turns.withLock { turns in
      if case .ended = turns.phase { return }
      var effects: [GroupEffect] = []
      body(&turns.coordinator, world.now, &effects)
      perform(effects, &turns)
    }
    deliverReady()
  }

  /// Ends a transaction whose offsets are here: the marker is kept first, and then they count, or never.
  /// `done` gets the marker's error, `.none` when it is kept.
  func endTransaction(
    of producer: ProducerID, _ outcome: TransactionOutcome, marker: [UInt8],
    done: @escaping @Sendable (ErrorCode) -> Void
  ) {
    let isRunning = turns.withLock { turns in
      guard case .running = turns.phase else { return false }
      // Under this lock, so that no offset of the transaction comes behind its marker.
      var marker = marker
      marker.withUnsafeMutableBytes { bytes in
        partition.append(bytes, origin: .coordinator, acks: .allInSync, inEpoch: epoch, now: world.now.time) { result in
          // May come back under the lock that is held here.
          self.world.pool.run {
            if case .kept = result { self.ended(producer, outcome) }
            done(result.markerCode)
          }
        }
      }
      return true
    }
    // Whoever loads the partition now will not hear of it: the marker comes again.
    if !isRunning { done(.notLeaderOrFollower) }
  }

  private func ended(_ producer: ProducerID, _ outcome: TransactionOutcome) {
    turn { coordinator, _, _ in coordinator.endTransaction(of: producer, outcome) }
  }

  // MARK: Effects

  private func perform(_ effects: [GroupEffect], _ turns: inout Turns) {
    for effect in effects {
      switch effect {
      case .append(let records, let writer):
        turns.appends += 1
        append(records, by: writer, number: turns.appends)
      case .answer(let token, let answer):
        guard let asker = turns.pending.removeValue(forKey: token) else {
          preconditionFailure("the coordinator answered a request twice")
        }
        let after = turns.appends
        answers.withLock { $0.waiting.append((after, asker, answer)) }
      case .resolve(let pattern):
        resolve(pattern)
      }
    }
    setAlarm(&turns)
  }

  private func append(_ records: [GroupRecord], by writer: RecordWriter, number: UInt64) {
    let now = world.now.time
    let acks: Acks = world.planted == .keepsOffsetsAlone ? .leader : .allInSync
    var batch = GroupRecordFormat.batch(records, by: writer, at: now)
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
      answers.withLock { if !$0.isBroken { $0.kept = max($0.kept, number) } }
      deliverReady()
    case .refused(let refusal) where refusal.code == .notLeaderOrFollower:
      // It may have been cut off only, and go on leading in this epoch.
      answers.withLock { $0.isBroken = true }
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

  private func broken(by reason: String, then: @escaping @Sendable (GroupShard) -> Void) {
    answers.withLock { $0.isBroken = true }
    world.pool.run {
      self.world.report("a partition of group offsets takes no more writes: \(reason)", self.partition.name)
      self.end(as: .coordinatorNotAvailable)
      then(self)
    }
  }

  private func deliverReady() {
    let ready = answers.withLock { answers in
      let ready = Array(answers.waiting.prefix { $0.after <= answers.kept })
      answers.waiting.removeFirst(ready.count)
      return ready
    }
    for (_, asker, answer) in ready { asker.answer(answer) }
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
    let unkept = answers.withLock { answers in
      defer { answers.waiting = [] }
      return answers.waiting.map(\.asker)
    }
    for asker in unkept + undecided { asker.refused(error) }
  }

  private func resolve(_ pattern: SubscriptionPattern) {
    world.pool.run {
      let catalogue = self.world.topics()
      let names = self.world.topicNames(matching: pattern.text)
      self.turn { coordinator, now, effects in
        coordinator.resolved(pattern, to: names, version: catalogue.version, at: now, into: &effects)
      }
    }
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

/// What the shards share: clocks, threads and the topics.
struct GroupWorld: Sendable {
  let loop: EventLoop
  let pool: BlockingPool
  let topics: @Sendable () -> TopicCatalogue
  let namesMatching: @Sendable (String) -> [TopicName]
  let report: @Sendable (String, TopicPartition) -> Void
  var planted: BrokerMistake?

  var now: Moment { Moment(instant: monotonicNow(), time: wallClockNow()) }
  func topicNames(matching pattern: String) -> [TopicName] { namesMatching(pattern) }
}
