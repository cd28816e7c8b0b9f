import ClusterMetadata
import Testing
import Vocabulary

@Suite struct ThrottleConfigTests {
  @Test func aListNamesPartitionsOnBrokers() throws {
    let list = try #require(ThrottledReplicas("0:1, 0:2 ,12:100"))
    #expect(list.contains(PartitionIndex(0), on: NodeID(1)))
    #expect(list.contains(PartitionIndex(0), on: NodeID(2)))
    #expect(list.contains(PartitionIndex(12), on: NodeID(100)))
    #expect(!list.contains(PartitionIndex(1), on: NodeID(0)))
    #expect(!list.contains(PartitionIndex(12), on: NodeID(1)))
  }

  @Test func aStarIsEveryReplicaAndNothingIsNone() throws {
    #expect(try #require(ThrottledReplicas("*")).contains(PartitionIndex(7), on: NodeID(7)))
    #expect(try !#require(ThrottledReplicas("")).contains(PartitionIndex(0), on: NodeID(0)))
  }

  @Test(arguments: ["0", "0:", ":1", "0:1:2", "a:1", "0:b", "-1:1", "+1:1", "0:1,*", "*,*", "0:99999999999", "0 : 1"])
  func whatIsNoSuchListIsRefusedInOneSentence(text: String) throws {
    for key in ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"] {
      let refusal = try #require(TopicConfigs.check(key, text))
      #expect(refusal.code == .invalidConfig)
      #expect(refusal.message.contains("partition:broker"))
    }
  }

  @Test func replicasCanBeAddedToTheListAndTakenFromIt() {
    var image = MetadataImage()
    image.replay(.topicCreated(.consumerOffsets, UniqueID(high: 1, low: 1)))
    let topic = ConfigResource.topic("__consumer_offsets")
    let key = "leader.replication.throttled.replicas"
    let nothingSet = ConfigResolution(fixed: [:])
    for (change, value) in [
      (ConfigChange.append("0:1"), "0:1"), (.append("1:1,0:1"), "0:1,1:1"), (.subtract("0:1"), "1:1"),
    ] {
      let decision = image.alter(topic, [(key, change)], inherited: nothingSet)
      #expect(decision.records == [.configChanged(topic, key: key, value: value)])
      for record in decision.records { image.replay(record) }
    }
    let refused = image.alter(topic, [(key, .append("*"))], inherited: nothingSet)
    #expect(refusal(of: refused.answer) == .invalidConfig)
  }

  @Test func theRateOfABrokerCanBeSetForAllAndForOne() throws {
    let key = "leader.replication.throttled.rate"
    let known = try #require(BrokerConfigs.byName[key])
    #expect(known.effect == .dynamic)
    #expect(known.definition.kind.complaint(about: "-1") != nil)
    let configs = ConfigResolution(fixed: [:], broker: [key: "5"], allBrokers: [key: "7"])
    #expect(configs.resolve(brokerKey: known).effective.value == "5")
  }
}
