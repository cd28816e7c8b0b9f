import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

/// A partition as a Fetch names it: by name up to v12, by id from v13 on.
struct FetchKey: Hashable, Sendable {
  enum Topic: Hashable, Sendable {
    case name(String)
    case id(UniqueID)
  }
  let topic: Topic
  let partition: Int32
}

/// One partition to read, and what its session has told about it already.
struct FetchItem: Sendable {
  let key: FetchKey
  var ask: KafkaProtocol.FetchRequest.Partition
  var told = Told.nothing

  enum Told: Equatable, Sendable {
    case nothing
    case these(highWatermark: Int64, logStart: Int64, lastStable: Int64)

    init(_ answer: FetchResponse.Partition) {
      self = .these(
        highWatermark: answer.highWatermark, logStart: answer.logStartOffset, lastStable: answer.lastStableOffset)
    }
  }

  /// Whether an answer without an error says nothing that the session has not told.
  func knows(_ fetched: FetchedPartition) -> Bool {
    fetched.records == nil && told == Told(fetched.answer)
  }
}

/// What reading one partition gave.
struct FetchedPartition: Sendable {
  var answer: FetchResponse.Partition
  var records: LogSlice?
  /// For whoever waits for more, with the offset up to which it was read; nil where waiting makes no sense.
  var partition: Partition?
  var seen = Offset.none
  var throttling = Throttling.none

  /// What the leader's limit for followers that are catching up has to do with it (KIP-73).
  enum Throttling: Sendable {
    case none
    /// Its records count towards it.
    case counted
    /// It has records that may not be sent now. Whoever waits for it waits for time to pass, and not for more of them.
    case heldBack
  }
}

/// What reading all of them gave.
struct FetchResult: Sendable {
  var items: [(item: FetchItem, fetched: FetchedPartition)] = []
  /// Partitions of a follower's session of which it knows all there is: with thousands of them most are.
  var quiet: [(partition: Partition, seen: Offset)] = []
  var bytes = 0
  /// Something that the client must hear of at once, such as an error.
  var isUrgent = false
  /// Of `bytes`, those that count towards the leader's limit once they are sent.
  var throttledBytes = 0
  /// There are records that may be sent only later.
  var isHeldBack = false
}

/// Who sent a Fetch.
enum FetchSource: Sendable {
  /// - Parameters:
  ///   - region: where it is, when it is to be sent to a nearer copy (KIP-392).
  ///   - committedOnly: whether it sees committed transactions only (KIP-98).
  case consumer(region: Region?, committedOnly: Bool = false)
  /// Another broker, in this life of it; -1 where it does not say (KIP-903).
  case follower(NodeID, BrokerEpoch)

  var audience: Partition.Audience {
    switch self {
    case .consumer(_, let committedOnly): committedOnly ? .committedConsumers : .consumers
    case .follower: .followers
    }
  }
}

/// Reads partitions in the order of the request, within its limits.
struct FetchPlan: Sendable {
  let items: [FetchItem]
  let version: Int16
  let maxBytes: Int
  var source = FetchSource.consumer(region: nil)
  /// For followers that are catching up.
  var throttle: ReplicationThrottle?
  var planted: BrokerMistake?

  private var committedOnly: Bool {
    if case .consumer(_, true) = source { true } else { false }
  }

  /// Whether the places of all that is asked for are known in memory: then reading never waits for the disk.
  func staysInMemory(_ table: PartitionTable) -> Bool {
    items.allSatisfy {
      find($0.key, in: table)?.log.isAtTail(Offset($0.ask.fetchOffset), committedOnly: committedOnly) ?? true
    }
  }

  /// - Parameter isNew: whether this is the first look, at which a follower's fetch counts as progress.
  func read(from table: PartitionTable, isNew: Bool = true) -> FetchResult {
    var result = FetchResult()
    var budget = maxBytes
    let now = monotonicNow()
    for item in items {
      let fetched = read(
        item, from: table, budget: budget, isFirst: result.bytes == 0, isNew: isNew, spent: result.throttledBytes, now)
      if case .heldBack = fetched.throttling { result.isHeldBack = true }
      if let records = fetched.records {
        if case .counted = fetched.throttling { result.throttledBytes += records.count }
        result.bytes += records.count
        budget = max(0, budget - records.count)
      }
      if fetched.answer.errorCode != .none || fetched.answer.divergingEpoch.epoch >= 0
        || fetched.answer.preferredReadReplica >= 0
      {
        result.isUrgent = true
      }
      if case .follower = source, let partition = fetched.partition, item.knows(fetched) {
        result.quiet.append((partition, fetched.seen))
      } else {
        result.items.append((item, fetched))
      }
    }
    return result
  }

  private func read(
    _ item: FetchItem, from table: PartitionTable, budget: Int, isFirst: Bool, isNew: Bool, spent: Int,
    _ now: Instant
  ) -> FetchedPartition {
    var answer = FetchResponse.Partition()
    answer.partitionIndex = item.key.partition
    // Null says that the records are not to be told apart by their transactions.
    answer.abortedTransactions = committedOnly ? [] : nil
    answer.records = .bytes([])
    guard let partition = find(item.key, in: table) else {
      return failed(answer, absence(of: item.key, in: table))
    }
    let end: Offset
    var throttling = FetchedPartition.Throttling.none
    switch source {
    case .consumer(let region, let committedOnly):
      let reader = Reader(
        epoch: item.ask.currentLeaderEpoch, lastEpoch: version >= 12 ? item.ask.lastFetchedEpoch : -1,
        leaderOnly: version < 11, region: region, committedOnly: committedOnly)
      // The plan is made first: what lies below its end stays readable, whatever is appended meanwhile.
      let plan = partition.plan(from: Offset(item.ask.fetchOffset), for: reader, now: now)
      fill(&answer, partition.log.startOffset, plan)
      switch plan {
      case .refused(let code):
        if code == .offsetOutOfRange {
          answer.highWatermark = partition.highWatermark.value
          answer.logStartOffset = partition.log.startOffset.value
        }
        return failed(answer, code)
      case .elsewhere, .diverging: return FetchedPartition(answer: answer, records: nil)
      case .records(let upTo, _, _): end = planted == .readsAboveTheHighWatermark ? partition.log.endOffset : upTo
      }
    case .follower(let node, let life):
      switch partition.answer(request(item.ask, of: node, life), isNew: isNew) {
      case .refused(let code): return failed(answer, code)
      case .diverging(let epochEnd):
        fill(&answer, partition.log.startOffset, .diverging(epochEnd.epoch, epochEnd.offset))
        return FetchedPartition(answer: answer, records: nil)
      case .outOfRange(let logStart, let logEnd):
        // There is no field for the log's end: the high watermark's carries it, to followers alone.
        answer.highWatermark = logEnd.value
        answer.logStartOffset = logStart.value
        return failed(answer, .offsetOutOfRange)
      case .records(let upTo, let mark, let logStart):
        fill(&answer, logStart, .records(end: upTo, highWatermark: mark, lastStable: mark))
        throttling = self.throttling(of: partition, item.ask, upTo: upTo, by: node, spent: spent, now)
        if case .heldBack = throttling {
          return FetchedPartition(answer: answer, records: nil, throttling: .heldBack)
        }
        end = upTo
      }
    }
    var fetched = slice(of: partition, item.ask, upTo: end, answer, budget: budget, isFirst: isFirst)
    fetched.throttling = throttling
    return fetched
  }

  /// Only where there is something to send: a follower that has everything waits for more as always.
  private func throttling(
    of partition: Partition, _ ask: KafkaProtocol.FetchRequest.Partition, upTo end: Offset, by node: NodeID,
    spent: Int, _ now: Instant
  ) -> FetchedPartition.Throttling {
    guard let throttle, throttle.isLimited, end > Offset(ask.fetchOffset), partition.throttles(node) else {
      return .none
    }
    return throttle.isUsedUp(after: spent, at: now) ? .heldBack : .counted
  }

  private func slice(
    of partition: Partition, _ ask: KafkaProtocol.FetchRequest.Partition, upTo end: Offset,
    _ answer: FetchResponse.Partition, budget: Int, isFirst: Bool
  ) -> FetchedPartition {
    var answer = answer
    let size = min(Int(ask.partitionMaxBytes), budget)
    do throws(StorageError) {
      let (outcome, aborted) = try read(
        partition.log, from: Offset(ask.fetchOffset), maxBytes: max(0, size), upTo: end,
        minimum: isFirst ? .oneBatch : .nothing)
      switch outcome {
      case .outOfRange:
        return failed(answer, .offsetOutOfRange)
      case .empty:
        return FetchedPartition(answer: answer, records: nil, partition: partition, seen: end)
      case .slice(let slice):
        answer.records = .spliced(slice.count)
        if committedOnly { answer.abortedTransactions = aborted.map { FetchResponse.AbortedTransaction($0) } }
        return FetchedPartition(answer: answer, records: slice, partition: partition, seen: end)
      }
    } catch {
      return failed(answer, .kafkaStorageError)
    }
  }

  private func read(
    _ log: PartitionLog, from offset: Offset, maxBytes: Int, upTo end: Offset, minimum: SliceMinimum
  ) throws(StorageError) -> (ReadOutcome, [AbortedTransaction]) {
    guard committedOnly else {
      return (try log.read(from: offset, maxBytes: maxBytes, upTo: end, minimum: minimum), [])
    }
    return try log.readCommitted(from: offset, maxBytes: maxBytes, upTo: end, minimum: minimum)
  }

  private func request(
    _ ask: KafkaProtocol.FetchRequest.Partition, of node: NodeID, _ life: BrokerEpoch
  ) -> Replication.FetchRequest {
    let isChecked = planted != .ignoresTheEpochsOfFetches
    return Replication.FetchRequest(
      id: FetchID(0), from: node, brokerEpoch: life,
      leaderEpoch: LeaderEpoch(isChecked ? max(-1, ask.currentLeaderEpoch) : -1), offset: Offset(ask.fetchOffset),
      lastEpoch: LeaderEpoch(isChecked ? max(-1, ask.lastFetchedEpoch) : -1), logStart: Offset(ask.logStartOffset))
  }

  /// An unknown high watermark is -1: a client never sees it go back (KIP-207).
  private func fill(_ answer: inout FetchResponse.Partition, _ logStart: Offset, _ plan: ReadPlan) {
    switch plan {
    case .records(_, let mark, let stable), .elsewhere(_, let mark, let stable):
      answer.highWatermark = mark?.value ?? -1
      answer.lastStableOffset = stable?.value ?? -1
      answer.logStartOffset = logStart.value
      if case .elsewhere(let node, _, _) = plan { answer.preferredReadReplica = node.value }
    case .diverging(let epoch, let end):
      answer.logStartOffset = logStart.value
      answer.divergingEpoch.epoch = epoch.value
      answer.divergingEpoch.endOffset = end.value
    case .refused: break
    }
  }

  private func failed(_ answer: FetchResponse.Partition, _ code: ErrorCode) -> FetchedPartition {
    var answer = answer
    answer.errorCode = code
    if code == .offsetOutOfRange || code == .kafkaStorageError {
      answer.lastStableOffset = -1
    } else {
      answer.highWatermark = -1
    }
    return FetchedPartition(answer: answer, records: nil)
  }

  private func find(_ key: FetchKey, in table: PartitionTable) -> Partition? {
    topic(key, in: table)?.partition(key.partition)
  }

  private func topic(_ key: FetchKey, in table: PartitionTable) -> PartitionTable.HeldTopic? {
    switch key.topic {
    case .name(let text): TopicName(text).flatMap { table.topic($0) }
    case .id(let id): table.topic(id)
    }
  }

  private func absence(of key: FetchKey, in table: PartitionTable) -> ErrorCode {
    if let topic = topic(key, in: table) { return topic.absence(of: key.partition) }
    switch key.topic {
    case .name: return .unknownTopicOrPartition
    case .id: return .unknownTopicId
    }
  }
}

extension FetchResponse.AbortedTransaction {
  fileprivate init(_ transaction: LogStorage.AbortedTransaction) {
    self.init()
    producerID = transaction.producer.value
    firstOffset = transaction.firstOffset.value
  }
}
