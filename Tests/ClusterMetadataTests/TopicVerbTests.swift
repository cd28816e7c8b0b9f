import ClusterMetadata
import Testing
import Vocabulary

@Suite struct TopicVerbTests {
  let defaults = TopicDefaults(partitions: 3, replicationFactor: 1)

  func cluster(of brokers: Int32 = 1) -> MetadataImage {
    var image = MetadataImage()
    for id in 1...brokers {
      let registration = BrokerRegistration(
        id: NodeID(id), epoch: 0, incarnation: UniqueID(high: 0, low: UInt64(id)), endpoints: [], rack: nil,
        isFenced: false, logDirectories: [UniqueID(high: 9, low: UInt64(id))])
      image.replay(all: image.register(registration, after: .clean))
    }
    return image
  }

  func creation(_ name: String, _ layout: TopicCreation.Layout = .counted(partitions: nil, replicationFactor: nil))
    -> TopicCreation
  {
    TopicCreation(name: name, layout: layout, configs: [], id: UniqueID(high: 1, low: UInt64(name.utf8.count)))
  }

  @Test func aTopicThatDoesNotSayGetsTheDefaults() throws {
    var image = cluster()
    let decision = image.create(creation("orders"), defaults: defaults)
    image.replay(all: decision.records)
    #expect(try decision.answer.get().partitionCount == 3)
    let name = try #require(TopicName("orders"))
    let topic = try #require(image.topic(named: name))
    #expect(topic.partitions.map(\.leader) == [NodeID(1), NodeID(1), NodeID(1)])
  }

  @Test func aNameIsTakenOnlyOnce() throws {
    var image = cluster()
    image.replay(all: image.create(creation("orders"), defaults: defaults).records)
    let again = image.create(creation("orders"), defaults: defaults)
    #expect(again.records.isEmpty)
    #expect(refusal(of: again.answer) == .topicAlreadyExists)
  }

  @Test(arguments: ["", ".", "..", "a/b", "a b", "ä", String(repeating: "x", count: 250)])
  func anIllegalNameIsRefusedAndNothingIsWritten(name: String) {
    let decision = cluster().create(creation(name), defaults: defaults)
    #expect(refusal(of: decision.answer) == .invalidTopicException)
    #expect(decision.records.isEmpty)
  }

  @Test func moreReplicasThanBrokersAreRefused() {
    let decision = cluster().create(
      creation("t", .counted(partitions: 1, replicationFactor: 2)), defaults: defaults)
    #expect(refusal(of: decision.answer) == .invalidReplicationFactor)
  }

  @Test func leadersAreSpreadOverTheBrokers() {
    var image = cluster(of: 3)
    image.replay(
      all: image.create(creation("t", .counted(partitions: 6, replicationFactor: 2)), defaults: defaults).records)
    let leaders = image.topicsByName[0].partitions.map(\.leader.value)
    #expect(leaders.sorted() == [1, 1, 2, 2, 3, 3])
  }

  @Test(
    arguments: [
      [0: [NodeID(1)], 2: [NodeID(1)]], [0: []], [0: [NodeID(1), NodeID(1)]], [0: [NodeID(7)]], [:],
    ] as [[Int32: [NodeID]]])
  func aManualAssignmentThatCannotBeIsRefused(assignment: [Int32: [NodeID]]) {
    let decision = cluster().create(creation("t", .assigned(assignment)), defaults: defaults)
    #expect(refusal(of: decision.answer) == .invalidReplicaAssignment)
  }

  @Test func partitionsOnlyBecomeMore() {
    var image = cluster()
    image.replay(all: image.create(creation("t"), defaults: defaults).records)
    #expect(refusal(of: image.addPartitions(to: "t", total: 3, assigned: nil).answer) == .invalidPartitions)
    #expect(refusal(of: image.addPartitions(to: "t", total: 2, assigned: nil).answer) == .invalidPartitions)
    image.replay(all: image.addPartitions(to: "t", total: 5, assigned: nil).records)
    #expect(image.topicsByName[0].partitions.count == 5)
  }

  @Test func aDeletedTopicLeavesNeitherItsNameNorItsConfigs() {
    var image = cluster()
    image.replay(all: image.create(creation("t"), defaults: defaults).records)
    image.replay(.configChanged(.topic("t"), key: "retention.ms", value: "1"))
    image.replay(all: image.delete(.name("t")).records)
    #expect(image.topicIDs.isEmpty && image.configs(of: .topic("t")).isEmpty)
    #expect(refusal(of: image.delete(.name("t")).answer) == .unknownTopicOrPartition)
    #expect(refusal(of: image.delete(.id(UniqueID(high: 1, low: 1))).answer) == .unknownTopicId)
  }

  @Test func theLeaderEpochRisesAfterACrashAndStaysAfterACleanEnd() throws {
    var image = cluster()
    image.replay(all: image.create(creation("t"), defaults: defaults).records)
    let broker = try #require(image.brokers[NodeID(1)])
    image.replay(all: image.register(broker, after: .clean))
    #expect(image.topicsByName[0].partitions[0].leaderEpoch == LeaderEpoch(0))
    image.replay(all: image.register(broker, after: .crash))
    #expect(image.topicsByName[0].partitions[0].leaderEpoch == LeaderEpoch(1))
    #expect(image.brokers[NodeID(1)]?.epoch == 3)
  }

  @Test func aProducerIDIsGivenOutOnce() {
    var image = cluster()
    let first = image.allocateProducerIDs(for: NodeID(1), count: 1000)
    image.replay(all: first.records)
    let second = image.allocateProducerIDs(for: NodeID(1), count: 1000)
    #expect(first.answer == 0..<1000 && second.answer == 1000..<2000)
  }
}

extension MetadataImage {
  mutating func replay(all records: [MetadataRecord]) { for record in records { replay(record) } }
}

func refusal<T>(of answer: Result<T, Refusal>) -> ErrorCode? {
  if case .failure(let refusal) = answer { refusal.code } else { nil }
}
