import KafkaProtocol
import RecordCompression
import Synchronization
import Testing
import Vocabulary

@testable import KafkaClient

@Suite struct ProducerTests {
  @Test func recordsGoToTheLeaderInOneBatch() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      call.header.key == .produce ? .reply(produced(try call.decode(ProduceRequest.self).request)) : nil
    }
    let client = cluster.client()
    let producer = Producer(client)
    for number in 0..<10 {
      try await producer.append(record("\(number)"), to: FakeCluster.topic, partition: PartitionIndex(1))
    }
    #expect(broker.calls(.produce).isEmpty)
    try await producer.flush()
    let sent = try broker.calls(.produce).flatMap { try batches($0) }
    #expect(sent.count == 1)
    let header = try RecordBatchHeader(try #require(sent.first))
    #expect(header.recordsCount == 10 && !header.isIdempotent)
    #expect(header.matchesChecksum(of: sent[0]))
    #expect(producer.acknowledged == 10)
    client.close()
  }

  @Test func aFullBatchIsSentWithoutBeingAsked() async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      call.header.key == .produce ? .reply(produced(try call.decode(ProduceRequest.self).request)) : nil
    }
    let client = cluster.client()
    var settings = ProducerSettings()
    settings.batchBytesMax = ByteCount(1000)
    let producer = Producer(client, settings)
    let long = String(repeating: "x", count: 400)
    for _ in 0..<6 { try await producer.append(record(long), to: FakeCluster.topic, partition: PartitionIndex(0)) }
    #expect(broker.calls(.produce).count == 2)
    client.close()
  }

  @Test(arguments: Compression.allCases) func aBatchIsCompressedAsAsked(codec: Compression) async throws {
    let cluster = try FakeCluster()
    let broker = try cluster.add { call in
      call.header.key == .produce ? .reply(produced(try call.decode(ProduceRequest.self).request)) : nil
    }
    let client = cluster.client()
    var settings = ProducerSettings()
    settings.compression = codec
    let producer = Producer(client, settings)
    for number in 0..<100 {
      try await producer.append(record("value \(number)"), to: FakeCluster.topic, partition: PartitionIndex(0))
    }
    try await producer.flush()
    let batch = try #require(try broker.calls(.produce).flatMap { try batches($0) }.first)
    let header = try RecordBatchHeader(batch)
    #expect(header.attributes.compression == codec)
    let body = try RecordCodec.decompress(
      Array(batch[RecordBatchHeader.byteCount...]), with: codec, limit: .mebibytes(1))
    let values = try header.records(in: body).map { String(decoding: $0.value ?? [], as: UTF8.self) }
    #expect(values == (0..<100).map { "value \($0)" })
    client.close()
  }

  @Test func aLeaderThatMovedIsFound() async throws {
    let cluster = try FakeCluster()
    let old = try cluster.add(1) { call in
      guard call.header.key == .produce else { return nil }
      cluster.lead(2)
      return .reply(produced(try call.decode(ProduceRequest.self).request, .notLeaderOrFollower))
    }
    let new = try cluster.add(2) { call in
      call.header.key == .produce ? .reply(produced(try call.decode(ProduceRequest.self).request)) : nil
    }
    let client = cluster.client()
    let producer = Producer(client)
    try await producer.append(record("x"), to: FakeCluster.topic, partition: PartitionIndex(0))
    try await producer.flush()
    #expect(old.calls(.produce).count == 1 && new.calls(.produce).count == 1)
    #expect(producer.acknowledged == 1)
    client.close()
  }

  @Test func whatIsSentAgainCarriesTheSameStampSoThatItIsNotAppendedTwice() async throws {
    let cluster = try FakeCluster()
    let log = Mutex<[ProducerStamp]>([])
    let broker = try cluster.add { call in
      guard call.header.key == .produce else { return nil }
      let isRepeated = try batches(call).contains { batch in
        let stamp = try RecordBatchHeader(batch).producer
        return log.withLock { log in
          if log.contains(stamp) { return true }
          log.append(stamp)
          return false
        }
      }
      // The first time the batch is appended, and the answer is lost.
      let isFirst = log.withLock { $0.count == 1 } && !isRepeated
      return isFirst ? .close : .reply(produced(try call.decode(ProduceRequest.self).request))
    }
    let client = cluster.client()
    var settings = ProducerSettings()
    settings.isIdempotent = true
    let producer = Producer(client, settings)
    for number in 0..<3 {
      try await producer.append(record("\(number)"), to: FakeCluster.topic, partition: PartitionIndex(0))
    }
    try await producer.flush()
    try await producer.append(record("next"), to: FakeCluster.topic, partition: PartitionIndex(0))
    try await producer.flush()
    let sent = try broker.calls(.produce).flatMap { try batches($0) }
    #expect(sent.count == 3 && sent[0] == sent[1])
    #expect(log.withLock { $0.map(\.baseSequence) } == [0, 3])
    #expect(log.withLock { $0.map(\.id) } == [ProducerID(4000), ProducerID(4000)])
    #expect(producer.acknowledged == 4)
    client.close()
  }

  @Test func aRefusalNamesPartitionCodeAndBroker() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add { call in
      guard call.header.key == .produce else { return nil }
      return .reply(produced(try call.decode(ProduceRequest.self).request, .messageTooLarge))
    }
    let client = cluster.client()
    let producer = Producer(client)
    try await producer.append(record("x"), to: FakeCluster.topic, partition: PartitionIndex(0))
    let error = await #expect(throws: ClientError.self) { try await producer.flush() }
    #expect(error?.description == "t-0: MESSAGE_TOO_LARGE (Produce, \(cluster.address()))")
    client.close()
  }

  @Test func aBatchThatIsTooLargeIsSentInPiecesWithoutAGapInTheSequences() async throws {
    let cluster = try FakeCluster()
    let log = Mutex<[ProducerStamp]>([])
    let values = Mutex<[String]>([])
    _ = try cluster.add { call in
      guard call.header.key == .produce else { return nil }
      let request = try call.decode(ProduceRequest.self).request
      let batch = try #require(try batches(call).first)
      let header = try RecordBatchHeader(batch)
      guard header.recordsCount <= 3 else { return .reply(produced(request, .messageTooLarge)) }
      log.withLock { $0.append(header.producer) }
      let records = try header.records(in: Array(batch[RecordBatchHeader.byteCount...]))
      values.withLock { $0 += records.map { String(decoding: $0.value ?? [], as: UTF8.self) } }
      return .reply(produced(request))
    }
    let client = cluster.client()
    var settings = ProducerSettings()
    settings.isIdempotent = true
    let producer = Producer(client, settings)
    for number in 0..<10 {
      try await producer.append(record("\(number)"), to: FakeCluster.topic, partition: PartitionIndex(0))
    }
    try await producer.flush()
    #expect(values.withLock { $0 } == (0..<10).map { "\($0)" })
    #expect(log.withLock { $0.map(\.baseSequence) } == [0, 2, 5, 7])
    #expect(producer.acknowledged == 10)
    client.close()
  }

  @Test func whatNeedsNoAnswerDoesNotWaitForOne() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add { $0.header.key == .produce ? .silence : nil }
    let client = cluster.client()
    var settings = ProducerSettings()
    settings.acks = .none
    let producer = Producer(client, settings)
    try await producer.append(record("x"), to: FakeCluster.topic, partition: PartitionIndex(0))
    try await producer.flush()
    #expect(producer.acknowledged == 1)
    client.close()
  }

  @Test func aTopicThatIsNotThereIsNamed() async throws {
    let cluster = try FakeCluster()
    _ = try cluster.add()
    let client = cluster.client()
    let producer = Producer(client)
    let error = await #expect(throws: ClientError.self) {
      try await producer.append(record("x"), to: try #require(TopicName("other")))
    }
    #expect(error == .noLeader("other", .unknownTopicOrPartition))
    client.close()
  }

  /// The values of Kafka's own clients, so that a key goes to the same partition whoever writes it.
  @Test(
    arguments: [
      ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
      ("a-little-bit-longer-string", -1_486_304_829), ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
      ("abc", 479_470_107),
    ] as [(String, Int32)]) func keysAreHashedAsKafkaDoes(key: String, hash: Int32)
  {
    #expect(Int32(bitPattern: Partitioner.hash(Array(key.utf8))) == hash)
  }

  @Test func recordsWithoutKeysStayTogetherUntilTheBatchIsFull() {
    var partitioner = Partitioner()
    let first = partitioner.partition(forKey: nil, of: 5, chance: 8)
    #expect(first == 3 && partitioner.partition(forKey: nil, of: 5, chance: 99) == 3)
    partitioner.moveOn(of: 5)
    #expect(partitioner.partition(forKey: nil, of: 5, chance: 99) == 4)
  }

  @Test func sequencesWrapToZero() {
    var identity = ProducerIdentity(id: ProducerID(1), epoch: ProducerEpoch(0))
    let partition = TopicPartition(FakeCluster.topic, PartitionIndex(0))
    identity.acknowledge(Int(Int32.max), in: partition)
    #expect(identity.stamp(for: partition).baseSequence == .max)
    identity.acknowledge(1, in: partition)
    #expect(identity.stamp(for: partition).baseSequence == 0)
  }
}
