import ClusterMetadata
import KafkaProtocol
import LogStorage
import Testing
import Vocabulary

@testable import Broker

@Suite struct MetadataRecordTests {
  typealias Fact = ClusterMetadata.MetadataRecord
  typealias Bytes = KafkaProtocol.MetadataRecord

  private static let topic = UniqueID(high: 1, low: 2)
  private static let orders = TopicName("orders")

  private static let everyKind: [Fact] =
    (orders.map { [.topicCreated($0, topic)] } ?? []) + [
      .brokerRegistered(
        BrokerRegistration(
          id: NodeID(1), epoch: 5, incarnation: UniqueID(high: 3, low: 4),
          endpoints: [
            Endpoint(name: "PLAINTEXT", host: "localhost", port: 9092),
            Endpoint(name: "OUT", host: "example.com", port: 65535),
          ], rack: "r", isFenced: false, logDirectories: [UniqueID(high: 5, low: 6)])),
      .brokerRegistered(
        BrokerRegistration(
          id: NodeID(2), epoch: 0, incarnation: .zero, endpoints: [], rack: nil, isFenced: true, logDirectories: [])),
      .brokerFencing(NodeID(1), epoch: 5, isFenced: true), .brokerFencing(NodeID(1), epoch: 5, isFenced: false),
      .partitionCreated(
        topic: topic, PartitionIndex(7),
        PartitionState(
          replicas: [NodeID(1), NodeID(2)], inSync: [NodeID(1)], leader: NodeID(1), leaderEpoch: LeaderEpoch(3),
          partitionEpoch: 4, directories: [UniqueID(high: 5, low: 6), .zero])),
      .partitionCreated(topic: topic, PartitionIndex(0), everythingSet),
      .partitionChanged(topic: topic, PartitionIndex(0), PartitionChange(leader: NodeID.none, inSync: [NodeID(1)])),
      .partitionChanged(topic: topic, PartitionIndex(0), PartitionChange(leader: NodeID(2))),
      .partitionChanged(topic: topic, PartitionIndex(0), PartitionChange(inSync: [])),
      .partitionChanged(topic: topic, PartitionIndex(0), everythingChanged),
      .partitionChanged(topic: topic, PartitionIndex(0), everythingEmptied),
      .brokerShutdownBegan(NodeID(1), epoch: 5),
      .brokerDirectoriesChanged(NodeID(1), epoch: 5, online: [UniqueID(high: 5, low: 7)]),
      .brokerRegistered(
        BrokerRegistration(
          id: NodeID(3), epoch: 9, incarnation: .zero, endpoints: [], rack: "eu/a", isFenced: false,
          isShuttingDown: true, logDirectories: [])),
      .brokerUnregistered(NodeID(3), epoch: 9),
      .topicRemoved(topic), .configChanged(.topic("orders"), key: "retention.ms", value: "1"),
      .configChanged(.topic("orders"), key: "retention.ms", value: nil),
      .configChanged(.broker(NodeID(1)), key: "log.retention.ms", value: ""),
      .configChanged(.allBrokers, key: "log.retention.ms", value: "\u{e9}"),
      .producerIDsAllocated(NodeID(1), next: ProducerID(1000)), .featureChanged(name: "metadata.version", level: 30),
    ]

  /// Broker 4 observes and is in sync: it was promoted.
  private static var everythingSet: PartitionState {
    var state = PartitionState(
      replicas: [NodeID(1), NodeID(2), NodeID(3), NodeID(4)], inSync: [NodeID(2), NodeID(4)], leader: NodeID(2),
      leaderEpoch: LeaderEpoch(8), partitionEpoch: 20, directories: [])
    state.adding = [NodeID(1)]
    state.removing = [NodeID(2)]
    state.eligible = [NodeID(3)]
    state.observers = [NodeID(4)]
    state.recovery = .recovering
    return state
  }

  private static var everythingChanged: PartitionChange {
    var change = PartitionChange(leader: NodeID(1), inSync: [NodeID(1), NodeID(2)])
    change.eligible = [NodeID(3)]
    change.recovery = .recovering
    change.replicas = [NodeID(1), NodeID(2)]
    change.adding = [NodeID(4)]
    change.removing = [NodeID(5)]
    change.observers = [NodeID(6)]
    change.directories = [.zero, UniqueID(high: 5, low: 6)]
    return change
  }

  /// To become empty is a change, unlike to stay as it was.
  private static var everythingEmptied: PartitionChange {
    var change = PartitionChange()
    change.eligible = []
    change.recovery = .recovered
    change.replicas = []
    change.adding = []
    change.removing = []
    change.observers = []
    change.directories = []
    return change
  }

  /// A switch without a default, so that a new kind of fact does not compile without being tested here.
  private static func kind(_ fact: Fact) -> Int {
    switch fact {
    case .brokerRegistered: 0
    case .brokerFencing: 1
    case .topicCreated: 2
    case .partitionCreated: 3
    case .partitionChanged: 4
    case .topicRemoved: 5
    case .configChanged: 6
    case .producerIDsAllocated: 7
    case .featureChanged: 8
    case .brokerShutdownBegan: 9
    case .brokerDirectoriesChanged: 10
    case .brokerUnregistered: 11
    }
  }

  @Test func everyKindIsAmongThose() {
    #expect(Set(Self.everyKind.map(Self.kind)) == Set(0...11))
  }

  @Test(arguments: everyKind) func aFactComesBackAsItWasWritten(fact: Fact) throws {
    let bytes = MetadataRecordFormat.encode(fact).encodeValue()
    let read = try bytes.withUnsafeBytes { try Bytes.decodeValue($0) }
    #expect(read.flatMap(MetadataRecordFormat.decode) == fact)
  }

  /// What a node does not know it may not pass over: it would decide as if it had never been.
  @Test(arguments: [
    Bytes.noOp(NoOpRecord()), .clientQuota(ClientQuotaRecord()),
    .accessControlEntry(AccessControlEntryRecord()), .removeAccessControlEntry(RemoveAccessControlEntryRecord()),
    .userScramCredential(UserScramCredentialRecord()),
    .removeUserScramCredential(RemoveUserScramCredentialRecord()), .beginTransaction(BeginTransactionRecord()),
    .endTransaction(EndTransactionRecord()), .abortTransaction(AbortTransactionRecord()),
    .registerController(RegisterControllerRecord()),
    // These change nothing, or more than a record of this version does.
    .brokerRegistrationChange(BrokerRegistrationChangeRecord()), .partitionChange(PartitionChangeRecord()),
    .partitionChange(withLastKnown), .brokerRegistrationChange(twoChanges), .topic(TopicRecord()),
  ]) func aRecordThatIsNotKnownIsRefused(record: Bytes) {
    #expect(MetadataRecordFormat.decode(record) == nil)
  }

  /// Kafka's own controllers write this when a partition has nobody in sync.
  private static var withLastKnown: PartitionChangeRecord {
    var record = PartitionChangeRecord()
    record.leader = -1
    record.lastKnownElr = [1]
    return record
  }

  private static var twoChanges: BrokerRegistrationChangeRecord {
    var record = BrokerRegistrationChangeRecord()
    record.fenced = 1
    record.inControlledShutdown = 1
    return record
  }

  private func reload(_ records: [[UInt8]?]) throws -> MetadataImage {
    let workshop = try Workshop()
    let log = try workshop.log("__cluster_metadata")
    var builder = RecordBatchBuilder()
    for value in records { builder.append(timestamp: Timestamp(milliseconds: 1), key: nil, value: value) }
    var batch = builder.build()
    let outcome = try batch.withUnsafeMutableBytes {
      try log.append($0, origin: .coordinator, leaderEpoch: LeaderEpoch(1), now: Timestamp(milliseconds: 1))
    }
    _ = try outcome.get()
    return try FormerMetadataLog(log: log).load()
  }

  @Test func aLogWithARecordThatIsNotKnownIsNotLoaded() throws {
    let known = MetadataRecordFormat.encode(.featureChanged(name: "f", level: 1)).encodeValue()
    #expect(try reload([known]).features == ["f": 1])
    #expect(throws: (any Error).self) { try reload([known, Bytes.noOp(NoOpRecord()).encodeValue()]) }
    #expect(throws: (any Error).self) { try reload([known, [1, 99, 0, 0]]) }
    #expect(throws: (any Error).self) { try reload([known, [1, 99]]) }
    #expect(throws: (any Error).self) { try reload([nil]) }
  }

  @Test func whatWasAppendedIsThereAfterARestart() throws {
    let workshop = try Workshop()
    let log = try workshop.log("__cluster_metadata")
    let metadata = FormerMetadataLog(log: log)
    var image = MetadataImage()
    for fact in Self.everyKind {
      try metadata.append([fact])
      image.replay(fact)
    }
    let again = try FormerMetadataLog(log: log).load()
    #expect(again.brokers == image.brokers)
    #expect(again.topics == image.topics)
    #expect(again.configs == image.configs)
    #expect(again.nextProducerID == image.nextProducerID)
    #expect(again.features == image.features)
    #expect(log.syncedOffset == log.endOffset, "what append returned from is on disk")
  }
}
