import ClusterMetadata
import Testing
import Vocabulary

@Suite struct ConfigTests {
  let nothingSet = ConfigResolution(fixed: [:])

  func image() -> MetadataImage {
    var image = MetadataImage()
    image.replay(.topicCreated(.consumerOffsets, UniqueID(high: 1, low: 1)))
    return image
  }
  let topic = ConfigResource.topic("__consumer_offsets")

  @Test func everyDefaultIsAValueThatItsKeyTakes() {
    for known in TopicConfigs.all.map(\.definition) + BrokerConfigs.all.map(\.definition) {
      if let value = known.defaultValue { #expect(known.kind.complaint(about: value) == nil, "\(known.name)") }
    }
  }

  @Test func everyBrokerKeyIsThereOnceAndEveryTopicKeyHasItsBrokerKeys() {
    let names = BrokerConfigs.all.map(\.name)
    #expect(Set(names).count == names.count)
    for topic in TopicConfigs.all {
      for key in topic.brokerKeys { #expect(BrokerConfigs.byName[key.name] != nil, "\(key.name)") }
    }
  }

  @Test func anUnknownKeyOrABadValueChangesNothing() {
    for (key, value) in [
      ("no.such.key", "1"), ("retention.ms", "soon"), ("cleanup.policy", "burn"), ("segment.bytes", "1"),
    ] {
      let decision = image().alter(topic, [("retention.bytes", .set("5")), (key, .set(value))], inherited: nothingSet)
      #expect(refusal(of: decision.answer) == .invalidConfig, "\(key)")
      #expect(decision.records.isEmpty)
    }
  }

  @Test func appendAddsToAListOnceAndSubtractTakesAway() {
    let appended = image().alter(topic, [("cleanup.policy", .append("compact"))], inherited: nothingSet)
    #expect(appended.records == [.configChanged(topic, key: "cleanup.policy", value: "delete,compact")])
    let subtracted = image().alter(topic, [("cleanup.policy", .subtract("delete"))], inherited: nothingSet)
    #expect(refusal(of: subtracted.answer) == .invalidConfig, "an empty policy is not a policy")
  }

  @Test func theOldAlterConfigsPutsBackWhatItDoesNotName() {
    var image = image()
    image.replay(.configChanged(topic, key: "retention.ms", value: "7"))
    let decision = image.replace(topic, with: [("segment.ms", "9")], inherited: nothingSet)
    #expect(
      decision.records == [
        .configChanged(topic, key: "segment.ms", value: "9"), .configChanged(topic, key: "retention.ms", value: nil),
      ])
  }

  @Test func aKeyThatIsReadAtTheStartCannotBeAlteredLater() {
    let decision = image().alter(.allBrokers, [("listeners", .set("PLAINTEXT://:1"))], inherited: nothingSet)
    #expect(refusal(of: decision.answer) == .invalidConfig)
  }

  @Test func hoursInTheFileBecomeMillisecondsOfTheTopicUnlessMillisecondsAreSet() throws {
    let retention = try #require(TopicConfigs.byName["retention.ms"])
    let hours = ConfigResolution(fixed: ["log.retention.hours": "2"])
    #expect(hours.resolve(retention, own: [:]).effective.value == "7200000")
    #expect(hours.resolve(retention, own: [:]).effective.source == .staticBroker)
    let both = ConfigResolution(fixed: ["log.retention.hours": "2", "log.retention.ms": "5"])
    #expect(both.resolve(retention, own: [:]).effective.value == "5")
    #expect(both.resolve(retention, own: ["retention.ms": "-1"]).effective.source == .dynamicTopic)
    #expect(nothingSet.resolve(retention, own: [:]).effective.value == "604800000")
    #expect(ConfigResolution(fixed: ["log.retention.hours": "-1"]).resolve(retention, own: [:]).effective.value == "-1")
  }
}
