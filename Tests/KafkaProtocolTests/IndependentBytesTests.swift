import KafkaProtocol
import Testing
import Vocabulary
import Wire

private func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Bytes that kio 0.6.5 wrote, an implementation of the protocol in Python that shares nothing with this one
/// but Kafka's definitions: requests with their headers, without the frame's size; responses without header.
@Suite struct IndependentBytesTests {
  private let topicID = UniqueID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)

  private func read<Body: RequestBody>(_: Body.Type, _ frame: [UInt8]) throws -> (RequestHeader, Body) {
    try frame.withUnsafeBytes { raw in
      let (header, start) = try RequestHeader.decode(raw)
      let body = try Body.decode(UnsafeRawBufferPointer(rebasing: raw[start...]), version: header.version)
      // What is read is written again: its size, the same bytes, and a gap where the records were.
      let again = body.frame(
        version: header.version, correlationID: header.correlationID, clientID: header.clientID)
      #expect(again.bytes[..<4].reduce(0) { $0 << 8 | Int($1) } == frame.count)
      if again.splices.isEmpty { #expect(Array(again.bytes[4...]) == frame) }
      #expect(again.totalCount == frame.count + 4)
      return (header, body)
    }
  }

  private func readResponse<Body: ResponseBody>(_: Body.Type, _ version: Int16, _ frame: [UInt8]) throws -> Body {
    let body = try frame.withUnsafeBytes { try Body.decode($0, version: version) }
    #expect(body.encode(version: version).bytes == frame)
    return body
  }

  @Test func anApiVersionsRequestOfLibrdkafkaIsRead() throws {
    let frame = bytes("00120003000000070006636c69656e74000b6c696272646b61666b6106322e382e3000")
    let (header, body) = try read(ApiVersionsRequest.self, frame)
    #expect(header == RequestHeader(key: .apiVersions, version: 3, correlationID: 7, clientID: "client"))
    #expect(body.clientSoftwareName == "librdkafka" && body.clientSoftwareVersion == "2.8.0")
  }

  @Test func aProduceRequestIsReadAndItsRecordsAreARangeOfIt() throws {
    let frame = bytes(
      "00000009000000080006636c69656e740000ffff0000753002076f726465727302000000030501020304000000")
    let (header, body) = try read(ProduceRequest.self, frame)
    #expect(header.key == .produce && body.acks == -1 && body.timeoutMs == 30_000 && body.transactionalID == nil)
    #expect(body.topicData.map(\.name) == ["orders"])
    let partition = try #require(body.topicData.first?.partitionData.first)
    #expect(partition.index == 3)
    guard case .inFrame(let range) = partition.records else { throw WireError.unexpectedNull }
    let start = frame.count - body.encode(version: 9).totalCount
    #expect(Array(frame[start...][(start + range.lowerBound)..<(start + range.upperBound)]) == [1, 2, 3, 4])
  }

  @Test func aFetchRequestWithATaggedClusterIsRead() throws {
    let frame = bytes(
      """
      0001000c000000090006636c69656e7400ffffffff000001f400000001032000000100000000ffffffff02076f7264657273
      02000000020000000500000000000003e800000004ffffffffffffffff00100000000001057765737401000808636c757374
      6572
      """)
    let (_, body) = try read(FetchRequest.self, frame)
    #expect(body.clusterID == "cluster" && body.rackID == "west" && body.maxBytes == 52_428_800)
    let partition = try #require(body.topics.first?.partitions.first)
    #expect(body.topics.first?.topic == "orders" && partition.partition == 2 && partition.fetchOffset == 1000)
    #expect(partition.currentLeaderEpoch == 5 && partition.lastFetchedEpoch == 4 && partition.logStartOffset == -1)
  }

  @Test func aJoinGroupRequestOfAStaticMemberIsRead() throws {
    let frame = bytes(
      """
      000b00050000000a0006636c69656e740001670000afc8000493e0000000087374617469632d310008636f6e73756d657200
      000001000572616e6765000000020001
      """)
    let (_, body) = try read(JoinGroupRequest.self, frame)
    #expect(body.groupID == "g" && body.sessionTimeoutMs == 45_000 && body.rebalanceTimeoutMs == 300_000)
    #expect(body.groupInstanceID == "static-1" && body.protocolType == "consumer" && body.memberID == "")
    #expect(body.protocols.map(\.name) == ["range"] && body.protocols.map(\.metadata) == [[0, 1]])
  }

  @Test func aFetchResponseThatNamesTheNewLeaderIsReadAndWritten() throws {
    let frame = bytes(
      """
      00000000000000000000020102030405060708090a0b0c0d0e0f1002000000010006ffffffffffffffffffffffffffffffff
      ffffffffffffffff00ffffffff000101090000000200000009000001000e0200000002036232000023840000
      """)
    let body = try readResponse(FetchResponse.self, 18, frame)
    #expect(body.responses.map(\.topicID) == [topicID])
    let partition = try #require(body.responses.first?.partitions.first)
    #expect(partition.errorCode == .notLeaderOrFollower && partition.records == .null)
    #expect(partition.currentLeader.leaderID == 2 && partition.currentLeader.leaderEpoch == 9)
    #expect(partition.abortedTransactions == nil && partition.divergingEpoch == .init())
    #expect(body.nodeEndpoints.map(\.host) == ["b2"] && body.nodeEndpoints.map(\.port) == [9092])
  }

  @Test func aMetadataResponseIsReadAndWritten() throws {
    let frame = bytes(
      """
      0000000002000000010362310000238405776573740008636c757374657200000001020000076f7264657273010203040506
      0708090a0b0c0d0e0f1000020000000000000000000100000003030000000100000002020000000102000000020080000000
      00000000
      """)
    let body = try readResponse(MetadataResponse.self, 13, frame)
    #expect(body.brokers.map(\.host) == ["b1"] && body.clusterID == "cluster" && body.controllerID == 1)
    let topic = try #require(body.topics.first)
    #expect(topic.name == "orders" && topic.topicID == topicID && topic.topicAuthorizedOperations == .min)
    let partition = try #require(topic.partitions.first)
    #expect(partition.leaderID == 1 && partition.leaderEpoch == 3 && partition.replicaNodes == [1, 2])
    #expect(partition.isrNodes == [1] && partition.offlineReplicas == [2] && body.errorCode == .none)
  }
}
