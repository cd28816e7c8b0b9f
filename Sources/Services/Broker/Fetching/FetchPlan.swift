import KafkaProtocol
import LogStorage
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
  var ask: FetchRequest.Partition
  var told = Told.nothing

  enum Told: Equatable, Sendable {
    case nothing
    case these(highWatermark: Int64, logStart: Int64)
  }
}

/// What reading one partition gave.
struct FetchedPartition: Sendable {
  var answer: FetchResponse.Partition
  var records: LogSlice?
  /// The high watermark at which it was read, for whoever waits for more; nil where waiting makes no sense.
  var partition: Partition?
  var seen = Offset.none
}

/// What reading all of them gave.
struct FetchResult: Sendable {
  var items: [(item: FetchItem, fetched: FetchedPartition)] = []
  var bytes = 0
  /// Something that the client must hear of at once, such as an error.
  var isUrgent = false
}

/// Reads partitions in the order of the request, within its limits.
struct FetchPlan: Sendable {
  let items: [FetchItem]
  let version: Int16
  let maxBytes: Int
  let isolation: Int8

  /// Whether the places of all that is asked for are known in memory: then reading never waits for the disk.
  func staysInMemory(_ table: PartitionTable) -> Bool {
    items.allSatisfy { find($0.key, in: table)?.log.isAtTail(Offset($0.ask.fetchOffset)) ?? true }
  }

  func read(from table: PartitionTable) -> FetchResult {
    var result = FetchResult()
    var budget = maxBytes
    for item in items {
      let fetched = read(item, from: table, budget: budget, isFirst: result.bytes == 0)
      if let records = fetched.records {
        result.bytes += records.count
        budget = max(0, budget - records.count)
      }
      if fetched.answer.errorCode != .none || fetched.answer.divergingEpoch.epoch >= 0 { result.isUrgent = true }
      result.items.append((item, fetched))
    }
    return result
  }

  private func read(
    _ item: FetchItem, from table: PartitionTable, budget: Int, isFirst: Bool
  ) -> FetchedPartition {
    var answer = FetchResponse.Partition()
    answer.partitionIndex = item.key.partition
    // Null says "read uncommitted": there are no transactions whose records could be aborted.
    answer.abortedTransactions = isolation == 0 ? nil : []
    answer.records = .bytes([])
    guard let partition = find(item.key, in: table) else {
      return failed(answer, unknown(item.key, in: table))
    }
    if let code = partition.refusal(forEpoch: item.ask.currentLeaderEpoch) {
      if code == .fencedLeaderEpoch, version >= 16 { answer.currentLeader.leaderEpoch = partition.leaderEpoch.value }
      return failed(answer, code)
    }
    // The high watermark is read first: what lies below it stays readable, whatever is appended meanwhile.
    let highWatermark = partition.highWatermark
    answer.highWatermark = highWatermark.value
    answer.lastStableOffset = highWatermark.value
    answer.logStartOffset = partition.log.startOffset.value
    if let divergence = divergence(item.ask, partition) {
      answer.divergingEpoch = divergence
      return FetchedPartition(answer: answer, records: nil)
    }
    let size = min(Int(item.ask.partitionMaxBytes), budget)
    do throws(StorageError) {
      let outcome = try partition.log.read(
        from: Offset(item.ask.fetchOffset), maxBytes: max(0, size), upTo: highWatermark,
        minimum: isFirst ? .oneBatch : .nothing)
      switch outcome {
      case .outOfRange:
        return failed(answer, .offsetOutOfRange)
      case .empty:
        return FetchedPartition(answer: answer, records: nil, partition: partition, seen: highWatermark)
      case .slice(let slice):
        answer.records = .spliced(slice.count)
        return FetchedPartition(answer: answer, records: slice, partition: partition, seen: highWatermark)
      }
    } catch {
      return failed(answer, .kafkaStorageError)
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
    switch key.topic {
    case .name(let text): TopicName(text).flatMap { table.topic($0) }?.partition(key.partition)
    case .id(let id): table.topic(id)?.partition(key.partition)
    }
  }

  private func unknown(_ key: FetchKey, in table: PartitionTable) -> ErrorCode {
    switch key.topic {
    case .name: .unknownTopicOrPartition
    case .id(let id): table.topic(id) == nil ? .unknownTopicId : .unknownTopicOrPartition
    }
  }

  /// A reader whose last record is of an epoch that ended earlier here must go back (KIP-320, KIP-595).
  private func divergence(
    _ ask: FetchRequest.Partition, _ partition: Partition
  ) -> FetchResponse.EpochEndOffset? {
    guard version >= 12, ask.lastFetchedEpoch >= 0 else { return nil }
    let (epoch, end) = partition.endOffset(ofEpoch: LeaderEpoch(ask.lastFetchedEpoch))
    guard epoch.value >= 0, epoch.value < ask.lastFetchedEpoch || end.value < ask.fetchOffset else { return nil }
    var divergence = FetchResponse.EpochEndOffset()
    divergence.epoch = epoch.value
    divergence.endOffset = end.value
    return divergence
  }
}
