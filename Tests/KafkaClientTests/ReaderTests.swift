import KafkaProtocol
import RecordCompression
import Synchronization
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct ReaderTests {
  static let partition = TopicPartition(FakeCluster.topic, PartitionIndex(0))

  static func batch(_ values: [String], at offset: Int64, _ codec: Compression = .none) throws -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(compression: codec), baseOffset: Offset(offset))
    for value in values {
      builder.append(timestamp: Timestamp(milliseconds: 5), key: nil, value: Array(value.utf8))
    }
    if codec == .none { return builder.build() }
    let body = try builder.body.withUnsafeBytes { try RecordCodec.compress($0, with: codec) }
    return builder.build(compressedBody: body)
  }

  /// The end of a transaction.
  static func control(at offset: Int64, of producer: Int64 = -1, commits: Bool = true) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true, isControl: true), producer: stamp(producer),
      baseOffset: Offset(offset))
    builder.append(
      timestamp: Timestamp(milliseconds: 5), key: [0, 0, 0, commits ? 1 : 0], value: [0, 0, 0, 0, 0, 0])
    return builder.build()
  }

  static func stamp(_ producer: Int64) -> ProducerStamp {
    ProducerStamp(id: ProducerID(producer), epoch: ProducerEpoch(0), baseSequence: 0)
  }

  static func transactional(_ value: String, at offset: Int64, of producer: Int64) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true), producer: stamp(producer), baseOffset: Offset(offset))
    builder.append(timestamp: Timestamp(milliseconds: 5), key: nil, value: Array(value.utf8))
    return builder.build()
  }

  @Test func ofTransactionsOnlyThoseThatWereTakenBackAreLeftOut() throws {
    let bytes =
      Self.transactional("lost", at: 0, of: 1) + Self.transactional("kept", at: 1, of: 2)
      + (try Self.batch(["plain"], at: 2)) + Self.control(at: 3, of: 1, commits: false)
      + Self.transactional("again", at: 4, of: 1) + Self.control(at: 5, of: 2)
      + Self.transactional("late", at: 6, of: 2) + Self.control(at: 7, of: 1)
      + Self.control(at: 8, of: 2, commits: false)
    func aborted(_ producer: Int64, _ first: Int64) -> FetchResponse.AbortedTransaction {
      FetchResponse.AbortedTransaction {
        $0.producerID = producer
        $0.firstOffset = first
      }
    }
    func values(_ aborted: [FetchResponse.AbortedTransaction]) throws -> [String] {
      let decoded = try bytes.withUnsafeBytes {
        try BatchDecoding.records(in: $0, from: .zero, of: Self.partition, aborted: aborted)
      }
      #expect(decoded.next == Offset(9))
      return decoded.records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
    #expect(try values([]) == ["lost", "kept", "plain", "again", "late"])
    #expect(try values([aborted(2, 6), aborted(1, 0)]) == ["kept", "plain", "again"])
  }

  /// The answer to a Fetch of partition 0.
  static func fetched(_ bytes: [UInt8], _ code: ErrorCode = .none) -> FetchResponse {
    fetched([
      .init {
        $0.errorCode = code
        $0.highWatermark = 100
        $0.records = .bytes(bytes)
      }
    ])
  }

  static func fetched(_ partitions: [FetchResponse.Partition]) -> FetchResponse {
    FetchResponse { response in
      response.responses = [
        .init { topic in
          topic.topic = FakeCluster.topic.text
          topic.partitions = partitions
        }
      ]
    }
  }

  private func read(
    _ bytes: [UInt8], from offset: Int64
  ) async throws -> (records: [FetchedRecords], next: Offset?) {
    let cluster = try FakeCluster()
    _ = try cluster.add { $0.header.key == .fetch ? .reply(Self.fetched(bytes)) : nil }
    let client = cluster.client()
    defer { client.close() }
    let reader = PartitionReader(client, from: [Self.partition: Offset(offset)])
    let fetched = try await reader.poll()
    return (fetched, reader.positions[Self.partition])
  }

  @Test(arguments: Compression.allCases) func recordsAreReadFromTheMiddleOfABatchOn(codec: Compression) async throws {
    let bytes = try Self.batch(["a", "b", "c"], at: 10, codec) + Self.batch(["d"], at: 20, codec)
    let (fetched, next) = try await read(bytes, from: 11)
    let records = fetched.flatMap(\.records)
    #expect(records.map(\.offset.value) == [11, 12, 20])
    #expect(records.map { String(decoding: $0.value ?? [], as: UTF8.self) } == ["b", "c", "d"])
    #expect(next == Offset(21))
  }

  @Test func controlRecordsArePassedOver() async throws {
    let bytes = try Self.batch(["a"], at: 0) + Self.control(at: 1)
    let (fetched, next) = try await read(bytes, from: 0)
    #expect(fetched.flatMap(\.records).count == 1 && next == Offset(2))
  }

  @Test func aBatchThatIsCutOffIsReadNextTime() async throws {
    let whole = try Self.batch(["a"], at: 0)
    let (fetched, next) = try await read(whole + whole.dropLast(3), from: 0)
    #expect(fetched.flatMap(\.records).count == 1 && next == Offset(1))
  }

  @Test func aBatchWithAWrongChecksumIsAnError() async throws {
    var bytes = try Self.batch(["abc"], at: 0)
    bytes[bytes.count - 2] ^= 1
    let broken = bytes
    let error = await #expect(throws: ClientError.self) { _ = try await read(broken, from: 0) }
    #expect(error == .corruptRecords(Self.partition, .zero, "its CRC-32C does not match its bytes"))
  }

  @Test func aLeaderThatMovedIsFound() async throws {
    let cluster = try FakeCluster()
    let bytes = try Self.batch(["a"], at: 0)
    _ = try cluster.add(1) { call in
      guard call.header.key == .fetch else { return nil }
      cluster.lead(2)
      return .reply(Self.fetched([], .notLeaderOrFollower))
    }
    _ = try cluster.add(2) { $0.header.key == .fetch ? .reply(Self.fetched(bytes)) : nil }
    let client = cluster.client()
    let reader = PartitionReader(client, from: [Self.partition: .zero])
    #expect(try await reader.poll().isEmpty)
    #expect(try await reader.poll().flatMap(\.records).count == 1)
    client.close()
  }

  @Test func anOffsetThatIsGoneIsReplacedByTheFirst() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add { call in
      switch call.header.key {
      case .fetch: return .reply(Self.fetched([], .offsetOutOfRange))
      case .listOffsets: return .reply(Self.listed(7))
      default: return nil
      }
    }
    let client = cluster.client()
    let reader = PartitionReader(client, from: [Self.partition: .zero])
    #expect(try await reader.poll().isEmpty)
    #expect(reader.positions[Self.partition] == Offset(7))
    var settings = ReaderSettings()
    settings.reset = .fail
    let strict = PartitionReader(client, from: [Self.partition: .zero], settings)
    let error = await #expect(throws: ClientError.self) { _ = try await strict.poll() }
    #expect(error?.code == .offsetOutOfRange)
    client.close()
  }

  @Test func anErrorOfOnePartitionLosesNoRecordsOfAnother() async throws {
    let cluster = try FakeCluster()
    let bytes = try Self.batch(["a", "b"], at: 0)
    _ = try cluster.add { call in
      guard call.header.key == .fetch else { return nil }
      return .reply(
        Self.fetched([
          .init {
            $0.partitionIndex = 0
            $0.highWatermark = 2
            $0.records = .bytes(bytes)
          },
          .init {
            $0.partitionIndex = 1
            $0.errorCode = .offsetOutOfRange
          },
        ]))
    }
    let client = cluster.client()
    defer { client.close() }
    var settings = ReaderSettings()
    settings.reset = .fail
    let other = TopicPartition(FakeCluster.topic, PartitionIndex(1))
    let reader = PartitionReader(client, from: [Self.partition: .zero, other: Offset(5)], settings)
    let fetched = try await reader.poll()
    #expect(fetched.map(\.partition) == [Self.partition])
    #expect(fetched.flatMap(\.records).count == 2 && reader.positions[Self.partition] == Offset(2))
    let error = await #expect(throws: ClientError.self) { _ = try await reader.poll() }
    #expect(error?.code == .offsetOutOfRange && reader.positions[other] == Offset(5))
  }

  static func listed(_ offset: Int64, _ code: ErrorCode = .none) -> ListOffsetsResponse {
    ListOffsetsResponse { response in
      response.topics = [
        .init { topic in
          topic.name = FakeCluster.topic.text
          topic.partitions = [
            .init {
              $0.offset = offset
              $0.errorCode = code
            }
          ]
        }
      ]
    }
  }
}
