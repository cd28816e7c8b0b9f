import Coordination
import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

@Suite struct GroupRecordTests {
  private static let group = GroupID("gr\u{fc}ppe")
  private static let member = MemberID("m-1")
  private static let time = Timestamp(milliseconds: 1_700_000_000_000)
  private static let one = UniqueID(high: 1, low: 2)
  private static let two = UniqueID(high: 3, low: 4)
  private static let orders = TopicName("orders")
  private static let some = Assignment([
    TopicIDPartition(one, PartitionIndex(0)), TopicIDPartition(one, PartitionIndex(5)),
    TopicIDPartition(two, PartitionIndex(1)),
  ])

  private static func offsets(_ topic: TopicName) -> [GroupRecord] {
    let place = TopicPartition(topic, PartitionIndex(3))
    let plain = CommittedOffset(
      offset: Offset(42), leaderEpoch: LeaderEpoch(7), metadata: "n\u{f6}te", committedAt: time)
    // Version 1 of the value, which alone can say when an offset expires, has no room for a leader's epoch.
    let expiring = CommittedOffset(
      offset: Offset(.max), leaderEpoch: .none, metadata: "", committedAt: time,
      expiresAt: Timestamp(milliseconds: 1_700_000_000_500))
    return [.offset(group, place, plain), .offset(group, place, expiring), .offset(group, place, nil)]
  }

  private static func classic(_ topic: TopicName) -> [GroupRecord] {
    var subscription = ConsumerProtocolSubscription()
    subscription.topics = [topic.text]
    let members = [
      ClassicGroupRecord.Member(
        member: member, instance: InstanceID("static"), client: ClientIdentity(id: "c", host: "/10.0.0.1"),
        rebalanceTimeout: .milliseconds(300_000), sessionTimeout: .milliseconds(45_000),
        subscription: subscription.encode(version: 1), subscribedTopics: [topic], assignment: [1, 2, 3]),
      ClassicGroupRecord.Member(
        member: MemberID("m-2"), instance: nil, client: ClientIdentity(id: "", host: "/::1"),
        rebalanceTimeout: .milliseconds(1), sessionTimeout: .milliseconds(2), subscription: [],
        subscribedTopics: nil, assignment: []),
    ]
    let stable = ClassicGroupRecord(
      protocolType: "consumer", generation: Generation(9), protocolName: "range", leader: member, stateSince: time,
      members: members)
    let empty = ClassicGroupRecord(
      protocolType: "", generation: Generation(0), protocolName: nil, leader: nil, stateSince: time, members: [])
    return [.classicGroup(group, stable), .classicGroup(group, empty), .classicGroup(group, nil)]
  }

  private static func consumer(_ topic: TopicName) -> [GroupRecord] {
    let pattern = SubscriptionPattern("orders-.*")
    let full = ConsumerMemberRecord(
      instance: InstanceID("i"), rack: "r", client: ClientIdentity(id: "c", host: "/h"),
      subscribedTopics: ["a", "b"], subscribedPattern: pattern, rebalanceTimeout: .milliseconds(1000),
      assignor: "range")
    let bare = ConsumerMemberRecord(
      instance: nil, rack: nil, client: ClientIdentity(id: "", host: ""), subscribedTopics: [],
      subscribedPattern: nil, rebalanceTimeout: .milliseconds(0), assignor: nil)
    let states: [MemberState] = [.stable, .unrevokedPartitions, .unreleasedPartitions]
    let current = states.map { state in
      GroupRecord.consumerCurrent(
        group, member,
        CurrentAssignmentRecord(
          epoch: MemberEpoch(4), previousEpoch: MemberEpoch(3), state: state, assigned: some,
          pendingRevocation: Assignment([TopicIDPartition(two, PartitionIndex(9))])))
    }
    return [
      .consumerGroup(group, MemberEpoch(4)), .consumerGroup(group, nil),
      .consumerTopics(group, [KnownTopic(name: topic, id: one, partitions: 6)]), .consumerTopics(group, []),
      .consumerTopics(group, nil),
      .consumerPattern(group, pattern, PatternTopics(topics: [topic], version: 12, evaluatedAt: time)),
      .consumerPattern(group, pattern, nil), .consumerMember(group, member, full),
      .consumerMember(group, member, bare), .consumerMember(group, member, nil),
      .consumerTargetEpoch(group, MemberEpoch(4)), .consumerTargetEpoch(group, nil),
      .consumerTarget(group, member, some), .consumerTarget(group, member, Assignment()),
      .consumerTarget(group, member, nil), .consumerCurrent(group, member, nil),
    ] + current
  }

  private static let everyKind: [GroupRecord] = orders.map { offsets($0) + classic($0) + consumer($0) } ?? []

  /// A switch without a default, so that a new kind of record does not compile without being tested here.
  private static func kind(_ record: GroupRecord) -> Int {
    switch record {
    case .offset: 0
    case .classicGroup: 1
    case .consumerGroup: 2
    case .consumerTopics: 3
    case .consumerPattern: 4
    case .consumerMember: 5
    case .consumerTargetEpoch: 6
    case .consumerTarget: 7
    case .consumerCurrent: 8
    }
  }

  private func read(_ bytes: [UInt8]) throws -> [GroupRecord?] {
    try bytes.withUnsafeBytes { raw in
      var found: [GroupRecord?] = []
      var records = try RecordBatch(raw).records
      while let record = try records.next() { found.append(try GroupRecordFormat.decode(record)) }
      return found
    }
  }

  @Test func everyKindIsAmongThose() {
    #expect(Set(Self.everyKind.map(Self.kind)) == Set(0...8))
  }

  @Test(arguments: everyKind) func aRecordComesBackAsItWasWritten(record: GroupRecord) throws {
    #expect(try read(GroupRecordFormat.batch([record], by: .coordinator, at: Self.time)) == [record])
  }

  @Test func oneBatchHoldsAllOfThemInTheirOrder() throws {
    let bytes = GroupRecordFormat.batch(Self.everyKind, by: .coordinator, at: Self.time)
    #expect(try read(bytes) == Self.everyKind)
  }

  @Test func recordsOfATransactionCarryItsProducer() throws {
    let bytes = GroupRecordFormat.batch(
      [.consumerGroup(Self.group, nil)], by: .transaction(ProducerID(5), ProducerEpoch(2)), at: Self.time)
    try bytes.withUnsafeBytes { raw in
      let header = try RecordBatch(raw).header
      #expect(header.attributes.isTransactional)
      #expect(header.producer.id == ProducerID(5))
      #expect(header.producer.epoch == ProducerEpoch(2))
    }
  }

  private func batch(key: [UInt8]?, value: [UInt8]?) -> [UInt8] {
    var builder = RecordBatchBuilder()
    builder.append(timestamp: Self.time, key: key, value: value)
    return builder.build()
  }

  /// Share and streams groups write types of their own; a broker that goes back to an older release meets them.
  @Test(arguments: [UInt8(9), 10, 15, 17, 100]) func aKindThatIsNotKnownIsPassedOver(type: UInt8) throws {
    #expect(try read(batch(key: [0, type, 0, 1, 65], value: [0, 0, 1, 2])) == [nil])
  }

  @Test func aRecordWithoutAKeyIsPassedOver() throws {
    #expect(try read(batch(key: nil, value: [1])) == [nil])
  }

  @Test func anOffsetOfWhatCannotBeATopicIsPassedOver() throws {
    let key = GroupRecordKey.offsetCommit(group: "g", topic: "no/topic", partition: 0).encode()
    #expect(try read(batch(key: key, value: nil)) == [nil])
  }

  @Test func aValueThatIsCutOffIsAnError() throws {
    let key = GroupRecordKey.groupMetadata(group: "g").encode()
    #expect(throws: (any Error).self) { try self.read(self.batch(key: key, value: [0, 3, 0])) }
  }

  /// The hashes are those that Java's String.hashCode gives.
  @Test(arguments: [
    ("test", Int32(3_556_498)), ("", 0), ("a", 97), ("hello", 99_162_322), ("my-group", -1_906_497_762),
    ("gr\u{fc}ppe", -1_233_264_812), ("\u{1F600}", 1_772_899), ("polygenelubricants", .min),
  ]) func aGroupFallsIntoThePartitionThatKafkaGivesIt(name: String, hash: Int32) {
    for count in [1, 2, 3, 50] {
      // Kafka's absolute value of the smallest number is 0; taking only the sign bit away would differ for negatives.
      let expected = hash == .min ? 0 : abs(Int(hash)) % count
      #expect(Groups.partition(of: name, among: count) == expected, "\(name) among \(count)")
    }
  }
}
