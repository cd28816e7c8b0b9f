import KafkaProtocol
import Testing
import Vocabulary
import Wire

@Suite struct RecordTests {
  static let seeds: ClosedRange<UInt64> = 1...25

  private func check<Body: MetadataRecordBody>(_ wrap: (Body) -> MetadataRecord) throws {
    for version in Body.versions {
      for seed in Self.seeds {
        let (body, _) = try Body.filled(version: version, flexibleSince: 0, seed: seed)
        let bytes = wrap(body).encodeValue(version: version)
        let read = try MetadataRecord.decodeValue(bytes)
        #expect(read == wrap(body), "\(Body.self) v\(version)")
      }
    }
  }

  @Test func everyMetadataRecordOfEveryVersionReadsBackAsItWasWritten() throws {
    try check(MetadataRecord.registerBroker)
    try check(MetadataRecord.unregisterBroker)
    try check(MetadataRecord.topic)
    try check(MetadataRecord.partition)
    try check(MetadataRecord.config)
    try check(MetadataRecord.partitionChange)
    try check(MetadataRecord.removeTopic)
    try check(MetadataRecord.featureLevel)
    try check(MetadataRecord.clientQuota)
    try check(MetadataRecord.producerIDs)
    try check(MetadataRecord.brokerRegistrationChange)
    try check(MetadataRecord.accessControlEntry)
    try check(MetadataRecord.removeAccessControlEntry)
    try check(MetadataRecord.noOp)
    try check(MetadataRecord.userScramCredential)
    try check(MetadataRecord.removeUserScramCredential)
    try check(MetadataRecord.beginTransaction)
    try check(MetadataRecord.endTransaction)
    try check(MetadataRecord.abortTransaction)
    try check(MetadataRecord.registerController)
  }

  @Test func aTopicRecordHasTheBytesThatKafkaWrites() {
    let record = MetadataRecord.topic(
      TopicRecord {
        $0.name = "foo"
        $0.topicID = UniqueID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
      })
    // Frame version 1, type 2, version 0, the compact name, the id, no tagged fields.
    #expect(
      record.encodeValue() == [1, 2, 0, 4] + Array("foo".utf8) + [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0,
      ])
  }

  @Test func aMetadataRecordThatIsNotKnownIsNamedAndNotRead() throws {
    for bytes: [UInt8] in [[1, 99, 0, 0], [1, 2, 5, 0]] {
      #expect(try MetadataRecord.decodeValue(bytes) == nil)
      let opening = try bytes.withUnsafeBytes { try MetadataRecord.peek($0) }
      #expect(opening.type == UInt32(bytes[1]) && opening.version == UInt32(bytes[2]))
    }
    let newFrame: [UInt8] = [2, 2, 0, 0]
    #expect(throws: WireError.invalidValue("metadata frame version")) { try MetadataRecord.decodeValue(newFrame) }
  }

  private func check<Record: VersionedRecord>(_: Record.Type) throws {
    for version in Record.versions {
      for seed in Self.seeds {
        let (record, _) = try Record.filled(version: version, flexibleSince: Record.flexibleSince, seed: seed)
        let bytes = record.encode(version: version)
        #expect(try Record.decode(bytes) == record, "\(Record.self) v\(version)")
      }
    }
    #expect(Record.versions.contains(Record.written))
  }

  @Test func everyGroupAndTransactionRecordOfEveryVersionReadsBackAsItWasWritten() throws {
    try check(OffsetCommitValue.self)
    try check(GroupMetadataValue.self)
    try check(ConsumerGroupMetadataValue.self)
    try check(ConsumerGroupPartitionMetadataValue.self)
    try check(ConsumerGroupMemberMetadataValue.self)
    try check(ConsumerGroupRegularExpressionValue.self)
    try check(ConsumerGroupTargetAssignmentMetadataValue.self)
    try check(ConsumerGroupTargetAssignmentMemberValue.self)
    try check(ConsumerGroupCurrentMemberAssignmentValue.self)
    try check(ConsumerProtocolSubscription.self)
    try check(ConsumerProtocolAssignment.self)
    try check(TransactionLogKey.self)
    try check(TransactionLogValue.self)
  }

  @Test func everyGroupRecordKeyReadsBackAsItWasWritten() throws {
    let keys: [GroupRecordKey] = [
      .offsetCommit(group: "g", topic: "t", partition: 7), .groupMetadata(group: "g"),
      .consumerGroupMetadata(group: "g"), .consumerGroupPartitionMetadata(group: "g"),
      .consumerGroupMemberMetadata(group: "g", member: "m"), .consumerGroupTargetAssignmentMetadata(group: "g"),
      .consumerGroupTargetAssignmentMember(group: "g", member: "m"),
      .consumerGroupCurrentMemberAssignment(group: "g", member: "m"),
      .consumerGroupRegularExpression(group: "g", regularExpression: "a.*"),
    ]
    for key in keys {
      let read = try GroupRecordKey.decode(key.encode())
      #expect(read == key)
    }
    #expect(keys[0].encode() == [0, 1, 0, 1, 0x67, 0, 1, 0x74, 0, 0, 0, 7])
    #expect(keys[8].encode() == [0, 16, 0, 1, 0x67, 0, 3, 0x61, 0x2e, 0x2a])
  }

  @Test func theOldTypeOfOffsetKeyIsTheSameKey() throws {
    let old: [UInt8] = [0, 0, 0, 1, 0x67, 0, 1, 0x74, 0, 0, 0, 7]
    let read = try GroupRecordKey.decode(old)
    #expect(read == .offsetCommit(group: "g", topic: "t", partition: 7))
  }

  @Test func aGroupRecordKeyOfAnUnknownTypeIsNoError() throws {
    let shareGroup: [UInt8] = [0, 11, 0, 1, 0x67]
    #expect(try GroupRecordKey.decode(shareGroup) == nil)
  }

  @Test func aSubscriptionOfALaterVersionIsReadAsTheLastKnownOne() throws {
    let subscription = ConsumerProtocolSubscription { $0.topics = ["a", "b"] }
    var bytes = subscription.encode()
    bytes[1] = 9
    bytes += [1, 2, 3]
    #expect(try ConsumerProtocolSubscription.decode(bytes) == subscription)
    bytes[0] = 0xff
    #expect(throws: WireError.invalidValue("version")) { try ConsumerProtocolSubscription.decode(bytes) }
  }

  private func check<Body: QuorumRecordBody>(_ wrap: (Body) -> QuorumRecord) throws {
    for version in Body.versions {
      for seed in Self.seeds {
        var (body, _) = try Body.filled(version: version, flexibleSince: 0, seed: seed)
        body.version = version
        let record = wrap(body)
        let read = try QuorumRecord.decode(key: record.encodeKey(), value: record.encodeValue())
        #expect(read == record, "\(Body.self) v\(version)")
      }
    }
  }

  @Test func everyQuorumRecordOfEveryVersionReadsBackAsItWasWritten() throws {
    try check(QuorumRecord.leaderChange)
    try check(QuorumRecord.snapshotHeader)
    try check(QuorumRecord.snapshotFooter)
    try check(QuorumRecord.kraftVersion)
    try check(QuorumRecord.voters)
  }
}
