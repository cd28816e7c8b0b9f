import Coordination
import Vocabulary

// The partitions that transactions write to: small logs with the rules of producers, of verification and of markers, and
// a reader that sees what is committed.

final class LedgerPartition {
  enum Entry {
    case value(Int, of: Int, ProducerIdentity)
    case marker(TransactionOutcome, ProducerIdentity)
  }

  /// What is known of one producer id.
  struct Standing {
    var epoch: Int16
    var lastSequence: Int
    /// Where its open transaction begins.
    var open: Int?
    var coordinatorEpoch: Int32 = -1
    /// Rises with every marker: what was verified before counts no longer.
    var round = 0
  }

  let index: Int
  let name: TopicPartition
  var entries: [Entry] = []
  /// Of each entry that is a value, once its marker has come.
  var outcomes: [TransactionOutcome?] = []
  var standings: [ProducerID: Standing] = [:]
  var isGone = false
  /// Nobody leads it until then.
  var blockedUntil: Int64 = 0
  /// Up to where the reader has read, and what.
  var position = 0
  var read: [(value: Int, transaction: Int)] = []

  init(_ index: Int, _ topic: String, _ partition: Int32) {
    self.index = index
    name = TopicPartition(TopicName(topic)!, PartitionIndex(partition))
  }

  var lastStable: Int { standings.values.compactMap(\.open).min() ?? entries.count }
}

/// What a producer asks a partition to append.
struct LedgerBatch {
  let id: TransactionalID
  let producer: ProducerIdentity
  let sequence: Int
  let transaction: Int
  let value: Int
}

/// Frames from one broker to the leader of one partition.
struct MarkerWay: Hashable {
  let epoch: Int32
  let partition: Int
}

extension TransactionSimulation {
  // MARK: Values

  func append(_ batch: LedgerBatch, to partition: LedgerPartition, reply: @escaping (ErrorCode) -> Void) {
    if let error = refusal(of: batch, partition) { return reply(error) }
    if let standing = partition.standings[batch.producer.id], standing.open != nil,
      standing.epoch == batch.producer.epoch.value
    {
      return reply(write(batch, partition))
    }
    // KIP-890: nothing is open here, and only the coordinator knows whether it may be.
    let round = partition.standings[batch.producer.id]?.round ?? 0
    let request = TransactionPartitionsRequest(
      id: batch.id, producer: batch.producer, partitions: [partition.name])
    after(delay) {
      self.ask(self.leader) { coordinator, token, _, effects in
        coordinator.verify(request, token, into: &effects)
      } reply: { answer in
        self.after(self.delay) { reply(self.verified(batch, partition, round, answer)) }
      }
    }
  }

  private func verified(
    _ batch: LedgerBatch, _ partition: LedgerPartition, _ round: Int, _ reply: StateReply
  ) -> ErrorCode {
    guard case .answer(.verify(let all)) = reply else { return .notEnoughReplicas }
    if let error = all.first?.error, error != .none {
      seen.unverified += 1
      return error
    }
    if let error = refusal(of: batch, partition) { return error }
    guard (partition.standings[batch.producer.id]?.round ?? 0) == round else {
      seen.unverified += 1
      return .invalidTxnState
    }
    return write(batch, partition)
  }

  /// `.none` is an answer too: the batch is there already.
  private func refusal(of batch: LedgerBatch, _ partition: LedgerPartition) -> ErrorCode? {
    if partition.isGone { return .unknownTopicOrPartition }
    if partition.blockedUntil > now { return .notLeaderOrFollower }
    guard let standing = partition.standings[batch.producer.id] else { return nil }
    if batch.producer.epoch.value < standing.epoch { return .invalidProducerEpoch }
    if batch.producer.epoch.value > standing.epoch { return batch.sequence == 0 ? nil : .outOfOrderSequenceNumber }
    if batch.sequence <= standing.lastSequence { return ErrorCode.none }
    return batch.sequence == standing.lastSequence + 1 ? nil : .outOfOrderSequenceNumber
  }

  private func write(_ batch: LedgerBatch, _ partition: LedgerPartition) -> ErrorCode {
    var standing =
      partition.standings[batch.producer.id] ?? LedgerPartition.Standing(epoch: 0, lastSequence: -1)
    standing.epoch = batch.producer.epoch.value
    standing.lastSequence = batch.sequence
    standing.open = standing.open ?? partition.entries.count
    partition.standings[batch.producer.id] = standing
    partition.entries.append(.value(batch.value, of: batch.transaction, batch.producer))
    partition.outcomes.append(nil)
    note("\(partition.name) appends value \(batch.value) of \(batch.transaction), \(batch.producer)")
    return .none
  }

  // MARK: Markers

  func write(_ work: MarkerWork, for shard: StateShard) {
    note("coordinator \(shard.number) has \(work.outcome) of \(work.producer) written to \(work.partitions)")
    for name in work.partitions {
      guard let partition = partitions.first(where: { $0.name == name }) else { return fail("no partition \(name)") }
      let way = MarkerWay(epoch: shard.epoch, partition: partition.index)
      let arrival = max(ways[way] ?? 0, now + delay)
      ways[way] = arrival
      let patience = arrival - now + Spans.markerPatience
      if goesWrong(oneIn: 10) {
        after(patience) { self.report(MarkerResult(again: [name]), work, shard) }
        continue
      }
      let times = goesWrong(oneIn: 15) ? 2 : 1
      let isHeard = !goesWrong(oneIn: 10)
      after(arrival - now) {
        var result = MarkerResult()
        for _ in 0..<times { result = self.mark(partition, work) }
        if !isHeard { result = MarkerResult(again: [name]) }
        self.after(isHeard ? self.span(1...20) : Spans.markerPatience) { self.report(result, work, shard) }
      }
    }
  }

  private func report(_ result: MarkerResult, _ work: MarkerWork, _ shard: StateShard) {
    seen.markersAgain += result.again.count
    turn(shard) { $0.markersWritten(result, for: work, at: $1, into: &$2) }
    guard !result.written.isEmpty, goesWrong(oneIn: 6) else { return }
    // The same once more, and late.
    after(span(1...250)) { self.turn(shard) { $0.markersWritten(result, for: work, at: $1, into: &$2) } }
  }

  private func mark(_ partition: LedgerPartition, _ work: MarkerWork) -> MarkerResult {
    let name = [partition.name]
    if partition.isGone { return MarkerResult(gone: name) }
    if partition.blockedUntil > now { return MarkerResult(again: name) }
    let producer = work.producer
    var standing =
      partition.standings[producer.id]
      ?? LedgerPartition.Standing(epoch: producer.epoch.value, lastSequence: -1)
    if standing.epoch > producer.epoch.value {
      seen.markersRefused += 1
      return MarkerResult(written: name)
    }
    if standing.coordinatorEpoch > work.coordinatorEpoch.value {
      seen.markersRefused += 1
      return MarkerResult(isFenced: true)
    }
    note("\(partition.name) appends the marker \(work.outcome) of \(producer)")
    if let open = standing.open { close(partition, from: open, work) }
    if producer.epoch.value > standing.epoch { standing.lastSequence = -1 }
    standing.epoch = producer.epoch.value
    standing.coordinatorEpoch = work.coordinatorEpoch.value
    standing.open = nil
    standing.round += 1
    partition.standings[producer.id] = standing
    partition.entries.append(.marker(work.outcome, producer))
    partition.outcomes.append(nil)
    seen.markers += 1
    return MarkerResult(written: name)
  }

  private func close(_ partition: LedgerPartition, from open: Int, _ work: MarkerWork) {
    var ended: Set<Int> = []
    for position in open..<partition.entries.count {
      guard case .value(_, let transaction, let producer) = partition.entries[position],
        producer.id == work.producer.id
      else { continue }
      partition.outcomes[position] = work.outcome
      if ended.insert(transaction).inserted { end(transaction, work.outcome, in: partition) }
    }
    if ended.count > 1 { fail("one marker in \(partition.name) ends the transactions \(ended.sorted())") }
  }

  // MARK: Readers

  /// Reads on, to where nothing is open.
  func read(_ partition: LedgerPartition) {
    guard !partition.isGone else { return }
    let end = partition.lastStable
    if end < partition.position { return fail("the last stable offset of \(partition.name) goes back") }
    for position in partition.position..<end {
      guard case .value(let value, let transaction, _) = partition.entries[position],
        partition.outcomes[position] == .committed
      else { continue }
      partition.read.append((value, transaction))
      seen.read += 1
    }
    partition.position = end
  }
}
