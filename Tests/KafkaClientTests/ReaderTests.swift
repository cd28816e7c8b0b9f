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

  static func control(at offset: Int64) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true, isControl: true), baseOffset: Offset(offset))
    builder.append(timestamp: Timestamp(milliseconds: 5), key: [0, 0, 0, 1], value: [0, 0, 0, 0, 0, 0])
    return builder.build()
  }

  /// The answer to a Fetch of partition 0.
  static func fetched(_ bytes: [UInt8], _ code: ErrorCode = .none) -> FetchResponse {
    FetchResponse { response in
      response.responses = [
        .init { topic in
          topic.topic = FakeCluster.topic.text
          topic.partitions = [
            .init {
              $0.errorCode = code
              $0.highWatermark = 100
              $0.records = .bytes(bytes)
            }
          ]
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
