public import Vocabulary

/// Coordinates the transactions of one partition of `__transaction_state`: who may write under a transactional id, which
/// partitions are in its transaction, and how it ends (KIP-98, KIP-360, and KIP-890 as far as clients need not know).
///
/// It holds no clock, no log and no connection. The caller's duties, in order:
/// 1. Make one when its broker becomes leader of the partition, `replay` every record of the partition, and call `loaded`
///    once all of them are committed: what an earlier coordinator has left may be lost with this one until then, and
///    markers would be in partitions that a third one knows nothing of.
/// 2. Hand in each request with a token of its own, and the time. Perform the effects in their order.
/// 3. Give what was asked for to `producerIDAllocated` and `markersWritten`.
/// 4. Call `tick` when `nextDeadline` has come.
/// 5. When an append fails or leadership is lost: `unload`, and forget it.
///
/// State that records tell is changed by applying those records, in the same way when they are written as when they
/// are loaded. It is changed at once; who is told of it, or acts on it, waits until the records are kept. So there are no
/// transitions under way as Kafka has them, and nobody is sent away because of one.
///
/// Once a transaction is prepared nothing but its markers is left to do, and nothing but a marker in every partition ends
/// it. A transaction's epoch is raised where somebody else than its producer ends it, so that the producer is fenced
/// everywhere.
public struct TransactionCoordinator: Sendable {
  public let settings: TransactionSettings
  /// The epoch in which this broker leads the partition.
  public let epoch: LeaderEpoch
  var producers: [TransactionalID: TransactionalProducer] = [:]
  var alarms = Alarms<TransactionalID>()
  /// Those who wait for a producer id.
  var allocations: [TransactionalID: Allocation] = [:]
  private var nextSweep = Instant.never
  private var nextWork: UInt64 = 1

  struct Allocation: Sendable {
    let token: Token
    let request: InitProducerRequest
  }

  public init(settings: TransactionSettings, epoch: LeaderEpoch) {
    self.settings = settings
    self.epoch = epoch
  }

  /// When `tick` has something to do; it may be called earlier or later.
  public var nextDeadline: Instant? {
    let next = min(alarms.next ?? .never, nextSweep)
    return next == .never ? nil : next
  }

  // MARK: Its life

  /// Applies one record of the log. Only before `loaded`.
  public mutating func replay(_ record: TransactionRecord) { apply(record) }

  /// The coordinator has read its whole log: what was decided goes on, and what is open keeps its deadline.
  public mutating func loaded(at now: Moment, into effects: inout [TransactionEffect]) {
    nextSweep = now.instant + settings.idExpirationInterval
    for id in producers.keys.sorted() {
      guard var producer = producers[id] else { continue }
      switch producer.value.stage {
      case .empty, .complete: continue
      case .ongoing(let open):
        // The time of day may have jumped meanwhile: nobody gets more time than was agreed.
        let end = open.startedAt.plus(producer.value.timeout).milliseconds
        let (left, overflow) = end.subtractingReportingOverflow(now.time.milliseconds)
        let span = overflow ? .zero : min(max(.zero, .milliseconds(left)), producer.value.timeout)
        producer.activity = .open(until: now.instant + span)
        producers[id] = producer
        alarms.set(id, at: producer.wake)
      case .prepared(_, let open):
        if settings.planted == .doesNotRenewMarkersAtLoad { continue }
        let dropped = settings.planted == .dropsAPartitionAtLoad ? open.partitions.max() : nil
        begin(Set(open.partitions.filter { $0 != dropped }), of: id, at: now, into: &effects)
      }
    }
  }

  /// Does what is due: aborts transactions that took too long, asks for markers again, removes old ids.
  public mutating func tick(at now: Moment, into effects: inout [TransactionEffect]) {
    for id in alarms.due(at: now.instant) {
      guard let producer = producers[id] else { continue }
      if producer.wake <= now.instant {
        switch producer.activity {
        case .none: break
        case .open: if settings.planted != .neverTimesOut { abort(id, at: now, into: &effects) }
        case .ending: retry(id, into: &effects)
        }
      }
      if settings.planted != .neverTimesOut { alarms.set(id, at: producers[id]?.wake ?? .never) }
    }
    if nextSweep <= now.instant {
      let isMore = sweep(at: now, into: &effects)
      nextSweep = now.instant + (isMore ? settings.idExpirationPause : settings.idExpirationInterval)
    }
  }

  /// Answers everyone who waits, with NOT_COORDINATOR when the partition has moved, or with COORDINATOR_NOT_AVAILABLE
  /// when it must be loaded again. Nothing is left in here afterwards.
  public mutating func unload(as error: ErrorCode, into effects: inout [TransactionEffect]) {
    for waiting in allocations.values.sorted(by: { $0.token < $1.token }) {
      effects.append(.answer(waiting.token, .initProducer(InitProducerAnswer(error: error))))
    }
    self = TransactionCoordinator(settings: settings, epoch: epoch)
  }

  // MARK: The one path by which records change state

  mutating func write(_ records: [TransactionRecord], into effects: inout [TransactionEffect]) {
    effects.append(.append(records))
    for record in records { apply(record) }
  }

  private mutating func apply(_ record: TransactionRecord) {
    producers[record.id] = record.value.map { TransactionalProducer(value: $0) }
  }

  // MARK: Markers

  /// Asks for the markers of a prepared transaction.
  mutating func begin(
    _ partitions: Set<TopicPartition>, of id: TransactionalID, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    producers[id]?.activity = .ending(TransactionalProducer.Ending())
    guard !partitions.isEmpty else { return complete(id, at: now, into: &effects) }
    ask(for: partitions, of: id, into: &effects)
  }

  private mutating func retry(_ id: TransactionalID, into effects: inout [TransactionEffect]) {
    guard case .ending(var ending)? = producers[id]?.activity else { return }
    let partitions = ending.refused
    ending.refused = []
    ending.retryAt = .never
    producers[id]?.activity = .ending(ending)
    ask(for: partitions, of: id, into: &effects)
  }

  private mutating func ask(
    for partitions: Set<TopicPartition>, of id: TransactionalID, into effects: inout [TransactionEffect]
  ) {
    guard let producer = producers[id], case .ending(var ending) = producer.activity,
      case .prepared(let outcome, _) = producer.value.stage
    else { return }
    let number = nextWork
    nextWork += 1
    for partition in partitions { ending.outstanding[partition] = number }
    producers[id]?.activity = .ending(ending)
    effects.append(
      .writeMarkers(
        MarkerWork(
          id: id, number: number, producer: producer.value.producer, outcome: outcome, coordinatorEpoch: epoch,
          partitions: partitions.sorted())))
  }

  /// What came of marker work, or of a part of it. What it says of anything that is not waited for is passed over.
  public mutating func markersWritten(
    _ result: MarkerResult, for work: MarkerWork, at now: Moment, into effects: inout [TransactionEffect]
  ) {
    guard case .ending(var ending)? = producers[work.id]?.activity else { return }
    func isMeant(_ partition: TopicPartition) -> Bool {
      guard let number = ending.outstanding[partition] else { return false }
      return number == work.number || settings.planted == .believesAnEarlierResult
    }
    let isExpected = work.partitions.contains(where: isMeant)
    let settled = result.written + result.gone + (settings.planted == .givesUpOnMarkers ? result.again : [])
    for partition in settled where isMeant(partition) {
      ending.outstanding[partition] = nil
      if settings.planted == .completesAtTheFirstMarker { ending.outstanding = [:] }
    }
    for partition in result.again where isMeant(partition) {
      ending.outstanding[partition] = nil
      ending.refused.insert(partition)
      ending.retryAt = min(ending.retryAt, now.instant + settings.markerRetryBackoff)
    }
    if result.isFenced, isExpected { ending.isFenced = true }
    producers[work.id]?.activity = .ending(ending)
    alarms.set(work.id, at: producers[work.id]?.wake ?? .never)
    if ending.isDone { complete(work.id, at: now, into: &effects) }
  }

  private mutating func complete(_ id: TransactionalID, at now: Moment, into effects: inout [TransactionEffect]) {
    guard var value = producers[id]?.value, case .prepared(let outcome, let open) = value.stage else { return }
    value.stage = .complete(outcome, startedAt: open.startedAt)
    value.updatedAt = now.time
    write([TransactionRecord(id, value)], into: &effects)
  }

  // MARK: Ids that nobody uses

  /// Removes some of those that nobody has used for long. Whether there are more.
  private mutating func sweep(at now: Moment, into effects: inout [TransactionEffect]) -> Bool {
    let old = producers.keys.filter { id in
      guard let producer = producers[id], producer.isIdle, allocations[id] == nil else { return false }
      return producer.value.updatedAt.plus(settings.idExpiration) <= now.time
    }
    var size = 0
    let batch = old.sorted().prefix(settings.idExpirationBatch).prefix { id in
      size += 64 + id.text.utf8.count
      return size <= settings.appendMax.value
    }
    if !batch.isEmpty { write(batch.map { TransactionRecord($0, nil) }, into: &effects) }
    return batch.count < old.count
  }
}
