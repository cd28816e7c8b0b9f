import EventLoop
public import KafkaProtocol
public import Vocabulary

/// What to do when the offset that is to be read is not in the log any more, or not yet.
public enum OffsetReset: Sendable, Hashable {
  case earliest
  case latest
  case fail
}

public struct ReaderSettings: Sendable {
  /// How long a broker waits for records before it answers that there are none.
  public var waitMax = TimeSpan.milliseconds(500)
  /// The bytes that one answer and one partition in it may have; a larger batch comes alone.
  public var fetchBytesMax = ByteCount.mebibytes(16)
  public var partitionBytesMax = ByteCount.mebibytes(4)
  public var reset = OffsetReset.earliest
  public var isolation = Isolation.readUncommitted
  public init() {}
}

/// What was read from one partition.
public struct FetchedRecords: Sendable {
  public let partition: TopicPartition
  public let records: [OwnedRecord]
  /// Where the next read begins: beyond the last record where control records or holes follow it.
  public let next: Offset
  /// The end of what consumers may see.
  public let highWatermark: Offset
}

/// Reads partitions from given offsets on. It belongs to one task.
public final class PartitionReader {
  private let client: ClusterClient
  private let settings: ReaderSettings
  /// The next offset of each partition that is read; to be changed between polls.
  public var positions: [TopicPartition: Offset]
  /// Which partition is asked for first. It moves on, so that none starves behind others that have much.
  private var turn = 0
  private var backoff: Backoff
  private var failingSince: Instant?

  public init(
    _ client: ClusterClient, from positions: [TopicPartition: Offset], _ settings: ReaderSettings = ReaderSettings()
  ) {
    self.client = client
    self.settings = settings
    self.positions = positions
    backoff = Backoff(first: client.settings.pauseFirst, most: client.settings.pauseMax)
  }

  /// The next records, of one or more partitions; none when there were none for `ReaderSettings.waitMax`.
  /// Errors that pass are passed over, for `ClientSettings.retrySpan`. No error hides records that came with it: they are
  /// handed over, since `positions` are behind them, and the next poll meets the error again.
  public func poll() async throws(ClientError) -> [FetchedRecords] {
    let (byLeader, unled) = try await leaders()
    let client = client
    let settings = settings
    var results: [Result<[PartitionResult], FetchFailure>] = []
    await withTaskGroup(of: Result<[PartitionResult], FetchFailure>.self) { group in
      for (leader, partitions) in byLeader {
        group.addTask { await client.fetch(partitions, from: leader, settings) }
      }
      for await result in group { results.append(result) }
    }
    var fetched: [FetchedRecords] = []
    var trouble = unled
    for result in results {
      switch result {
      case .failure(let failure):
        for partition in failure.partitions { client.apply(.refreshMetadata, to: .leader(partition)) }
        guard Remedy(for: failure.error) != .none else {
          guard fetched.isEmpty else { return fetched }
          throw failure.error
        }
        trouble = failure.error
      case .success(let partitions):
        for one in partitions {
          do throws(ClientError) {
            if let some = try await take(one) { fetched.append(some) }
          } catch {
            guard BatchOutcome(error).isPassing else {
              guard fetched.isEmpty else { return fetched }
              throw error
            }
            client.apply(.refreshMetadata, to: .leader(one.partition))
            trouble = error
          }
        }
      }
    }
    try await endure(trouble, hasNews: !fetched.isEmpty)
    return fetched
  }

  /// Pauses after trouble, and throws it when it lasts and nothing came.
  private func endure(_ trouble: ClientError?, hasNews: Bool) async throws(ClientError) {
    guard let trouble else {
      failingSince = nil
      backoff.succeed()
      return
    }
    let now = monotonicNow()
    let since = failingSince ?? now
    failingSince = since
    guard now - since < client.settings.retrySpan || hasNews else { throw trouble }
    await client.pause(client.nextPause(&backoff))
  }

  /// Who is to be asked for what. A partition without a leader is left out for this time.
  private func leaders() async throws(ClientError) -> ([BrokerAddress: [(TopicPartition, Offset)]], ClientError?) {
    let all = positions.sorted { $0.key < $1.key }
    guard !all.isEmpty else { return ([:], nil) }
    turn = (turn + 1) % all.count
    var byLeader: [BrokerAddress: [(TopicPartition, Offset)]] = [:]
    var trouble: ClientError?
    for (partition, offset) in all[turn...] + all[..<turn] {
      do throws(ClientError) {
        byLeader[try await client.address(of: .leader(partition)), default: []].append((partition, offset))
      } catch {
        guard error.code == .leaderNotAvailable || error.isOfTheNetwork else { throw error }
        trouble = error
      }
    }
    return (byLeader, trouble)
  }

  private func take(_ one: PartitionResult) async throws(ClientError) -> FetchedRecords? {
    guard let position = positions[one.partition] else { return nil }
    switch one.outcome {
    case .success(let decoded):
      positions[one.partition] = decoded.next
      if decoded.records.isEmpty && decoded.next == position { return nil }
      return FetchedRecords(
        partition: one.partition, records: decoded.records, next: decoded.next, highWatermark: one.highWatermark)
    case .failure(let error):
      guard error.code == .offsetOutOfRange, settings.reset != .fail else { throw error }
      let time: OffsetTime = settings.reset == .earliest ? .earliest : .latest
      positions[one.partition] = try await client.offset(of: one.partition, at: time)
      return nil
    }
  }
}

extension BatchOutcome {
  var isPassing: Bool { if case .again = self { true } else { false } }
}

struct FetchFailure: Error {
  let partitions: [TopicPartition]
  let error: ClientError
}

struct PartitionResult: Sendable {
  let partition: TopicPartition
  let highWatermark: Offset
  let outcome: Result<BatchDecoding.Decoded, ClientError>
}

extension ClusterClient {
  /// Versions above name topics by id.
  private static let fetchVersionMax: Int16 = 12

  fileprivate func fetch(
    _ wanted: [(TopicPartition, Offset)], from leader: BrokerAddress, _ settings: ReaderSettings
  ) async -> Result<[PartitionResult], FetchFailure> {
    let request = FetchRequest { request in
      request.maxWaitMs = Int32(clamping: settings.waitMax.milliseconds)
      request.minBytes = 1
      request.isolationLevel = settings.isolation.rawValue
      request.maxBytes = Int32(clamping: settings.fetchBytesMax.value)
      for (partition, offset) in wanted {
        let name = partition.topic.text
        if request.topics.last?.topic != name { request.topics.append(.init { $0.topic = name }) }
        request.topics[request.topics.count - 1].partitions.append(
          .init {
            $0.partition = partition.partition.value
            $0.fetchOffset = offset.value
            $0.partitionMaxBytes = Int32(clamping: settings.partitionBytesMax.value)
          })
      }
    }
    do throws(ClientError) {
      let span = self.settings.requestSpan + settings.waitMax
      let reply = try await send(request, to: leader, highest: Self.fetchVersionMax, span: span)
      if let refusal = PartialRefusal("the fetch", reply.response.errorCode) {
        throw .refused(leader, .fetch, subject: refusal.subject, refusal.code, nil)
      }
      let offsets = Dictionary(wanted, uniquingKeysWith: { first, _ in first })
      return .success(
        reply.response.responses.flatMap { topic in
          topic.partitions.compactMap { read($0, of: topic.topic, in: reply, wanted: offsets) }
        })
    } catch {
      return .failure(FetchFailure(partitions: wanted.map(\.0), error: error))
    }
  }

  private func read(
    _ answer: FetchResponse.Partition, of topic: String, in reply: BrokerReply<FetchResponse>,
    wanted: [TopicPartition: Offset]
  ) -> PartitionResult? {
    guard let name = TopicName(topic) else { return nil }
    let partition = TopicPartition(name, PartitionIndex(answer.partitionIndex))
    guard let start = wanted[partition] else { return nil }
    var outcome: Result<BatchDecoding.Decoded, ClientError> = .success(.init(next: start))
    if answer.errorCode != .none {
      outcome = .failure(
        .refused(reply.broker, .fetch, subject: "\(partition) at offset \(start.value)", answer.errorCode, nil))
    } else if case .inFrame(let range) = answer.records {
      reply.body.withUnsafeBytes { raw in
        let bytes = UnsafeRawBufferPointer(rebasing: raw[range])
        do throws(ClientError) {
          outcome = .success(
            try BatchDecoding.records(
              in: bytes, from: start, of: partition, aborted: answer.abortedTransactions ?? []))
        } catch {
          outcome = .failure(error)
        }
      }
    }
    return PartitionResult(
      partition: partition, highWatermark: Offset(answer.highWatermark), outcome: outcome)
  }
}

extension TimeSpan {
  static func + (a: TimeSpan, b: TimeSpan) -> TimeSpan {
    let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
    return TimeSpan(nanoseconds: overflow ? .max : sum)
  }
}
