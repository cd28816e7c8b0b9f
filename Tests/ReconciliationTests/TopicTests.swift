import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

@Suite struct TopicTests {
  /// Three Regions with two brokers each: 100, 101 in a, 200, 201 in b, 300, 301 in c.
  static func situation(_ topics: [WantedTopic], _ present: [TopicFacts] = []) -> TopicSituation {
    var cluster = KafkaCluster()
    cluster.metadata = ObjectMeta(name: "orders", namespace: "kafka")
    cluster.spec.regions = ["a", "b", "c"].map { RegionShare($0, brokers: 2, controllers: 1) }
    let regions = ["a", "b", "c"].map { name in
      var region = Region()
      region.metadata = ObjectMeta(name: name, namespace: "kafka")
      region.spec.sovereignty = name == "c" ? ["US"] : ["EU"]
      return region
    }
    var facts = BrokerFacts()
    facts.leader = NodeID(100)
    for (index, region) in ["a", "b", "c"].enumerated() {
      for ordinal in 0..<2 { facts.brokers.append(.init(NodeID(Int32(100 * (index + 1) + ordinal)), region: region)) }
    }
    facts.topics = present
    var situation = TopicSituation(cluster: cluster, regions: regions, brokers: .seen(facts), now: "now")
    situation.topics = topics
    return situation
  }

  static func wanted(
    _ name: String, partitions: Int = 1, created: String = "2026", status: KafkaTopicStatus = KafkaTopicStatus(),
    _ change: (inout KafkaTopicSpec) -> Void = { _ in }
  ) -> WantedTopic {
    var topic = KafkaTopic()
    topic.metadata = ObjectMeta(name: name, namespace: "kafka")
    topic.spec.cluster.name = "orders"
    topic.spec.partitions = partitions
    change(&topic.spec)
    return WantedTopic(topic, created: created, copies: ["a": .seen(RecordedCopy(generation: 1, status: status))])
  }

  static func present(_ name: String, _ replicas: [[Int32]], _ config: [String: String] = ["min.insync.regions": "2"])
    -> TopicFacts
  {
    TopicFacts(
      name, id: "id-\(name)", config: config,
      partitions: replicas.map { ids in
        let nodes = ids.map { NodeID($0) }
        return PartitionFacts(replicas: nodes, inSync: nodes, leader: nodes.first)
      })
  }

  static func asked(_ situation: TopicSituation) -> [BrokerRequest] {
    TopicReconciliation.plan(situation).plan.steps.compactMap {
      if case .ask(let request) = $0 { request } else { nil }
    }
  }

  static func status(_ situation: TopicSituation, of name: String = "t") -> KafkaTopicStatus? {
    for case .writeStatus(let id, let json, _) in TopicReconciliation.plan(situation).plan.steps where id.name == name {
      var mistakes: [Mistake] = []
      return KafkaTopicStatus(reading: json, at: "status", mistakes: &mistakes)
    }
    return nil
  }

  /// The status of a topic at rest.
  static func settled(_ wanted: WantedTopic, _ present: [TopicFacts]) -> WantedTopic {
    var wanted = wanted
    if let status = status(situation([wanted], present), of: wanted.topic.metadata.name) {
      wanted.copies = ["a": .seen(RecordedCopy(generation: 1, status: status))]
    }
    return wanted
  }

  @Test func aTopicIsMadeAsTheDurabilitySays() {
    let asked = Self.asked(Self.situation([Self.wanted("t", partitions: 4)]))
    guard case .createTopics(let list) = asked.first, let creation = list.first else {
      Issue.record("nothing is created")
      return
    }
    #expect(creation.partitions == 4 && creation.replicationFactor == 3)
    #expect(creation.config == ["min.insync.regions": "2"])
  }

  @Test func atRestATopicCausesNoStep() {
    let present = [Self.present("t", [[100, 200, 300]])]
    let wanted = Self.settled(Self.wanted("t"), present)
    #expect(TopicReconciliation.plan(Self.situation([wanted], present)).plan.steps == [])
  }

  @Test func topicsWithoutAResourceAreLeftAlone() {
    #expect(TopicReconciliation.plan(Self.situation([], [Self.present("other", [[100]])])).plan.steps == [])
  }

  @Test func aSettingThatDriftedIsPutBack() {
    let present = [Self.present("t", [[100, 200, 300]], ["min.insync.regions": "2", "retention.ms": "1", "x": "y"])]
    let wanted = Self.wanted("t") { $0.config = ["retention.ms": "7"] }
    let expected: [String: String?] = ["retention.ms": "7", "x": String?.none]
    #expect(
      Self.asked(Self.situation([wanted], present)) == [.alterTopics([TopicAlteration(topic: "t", changes: expected)])])
  }

  @Test func theThrottleThatAnAdministratorSetsStays() {
    let keys = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"]
    var config = ["min.insync.regions": "2"]
    for key in keys { config[key] = "0:100" }
    let present = [Self.present("t", [[100, 200, 300]], config)]
    #expect(Self.asked(Self.situation([Self.wanted("t")], present)) == [])
    let named = Self.wanted("t") { $0.config[keys[0]] = "*" }
    #expect(
      Self.asked(Self.situation([named], present)) == [
        .alterTopics([TopicAlteration(topic: "t", changes: [keys[0]: "*"])])
      ])
  }

  @Test func onlyATopicThatWasThereBeforeIsTakenOver() {
    func events(_ wanted: WantedTopic) -> [String] {
      let present = [Self.present("t", [[100, 200, 300]])]
      return TopicReconciliation.plan(Self.situation([wanted], present)).plan.steps.compactMap {
        if case .event(_, _, let reason, _) = $0 { reason } else { nil }
      }
    }
    #expect(events(Self.wanted("t")) == ["Adopted"])
    let created = Self.settled(Self.wanted("t"), [])
    #expect(created.copies["a"]?.content?.status.conditions["Ready"]?.reason == "BeingCreated")
    #expect(events(created) == [])
  }

  @Test func partitionsAreAddedAndNeverTakenAway() {
    let present = [Self.present("t", [[100, 200, 300], [101, 201, 301]])]
    let fewer = Self.situation([Self.wanted("t", partitions: 1)], present)
    #expect(Self.asked(fewer) == [])
    #expect(Self.status(fewer)?.conditions["Stalled"]?.reason == "FewerPartitions")
    guard case .addPartitions(let list) = Self.asked(Self.situation([Self.wanted("t", partitions: 5)], present)).first
    else {
      Issue.record("nothing is added")
      return
    }
    #expect(list.map(\.partitions) == [5])
  }

  @Test func aNewPlacementMovesOnlyWhatDoesNotFit() {
    let wanted = Self.wanted("t") { $0.placement.replicas = ["a": 1, "b": 2] }
    let asked = Self.asked(Self.situation([wanted], [Self.present("t", [[100, 200, 300]])]))
    guard case .reassign(let moves) = asked.first else {
      Issue.record("nothing moves")
      return
    }
    #expect(Set(moves[0].replicas) == Set([100, 200, 201].map { NodeID($0) }))
    #expect(asked.count == 1, "settings of the placement follow once the replicas are there")
  }

  @Test func onlySoManyPartitionsMoveAtOnce() {
    let wanted = Self.wanted("t", partitions: 100) { $0.placement.replicas = ["a": 1, "b": 1] }
    let present = Self.present("t", Array(repeating: [100, 200, 300], count: 100))
    guard case .reassign(let moves) = Self.asked(Self.situation([wanted], [present])).first else {
      Issue.record("nothing moves")
      return
    }
    #expect(moves.count == ReconciliationLimits.partitionsMovingMax)
  }

  @Test func aPlacementOutsideOfItsSovereigntyIsRefused() {
    let wanted = Self.wanted("t") {
      $0.placement.requires = ["EU"]
      $0.placement.replicas = ["a": 1, "c": 1]
    }
    let situation = Self.situation([wanted])
    #expect(Self.asked(situation) == [])
    #expect(Self.status(situation)?.conditions["Ready"]?.message.contains("names c, which is not EU") == true)
  }

  @Test func theOlderOfTwoResourcesForOneTopicWins() {
    let old = Self.wanted("old", created: "2025") { $0.topicName = "t" }
    let new = Self.wanted("new", created: "2026") { $0.topicName = "t" }
    for order in [[old, new], [new, old]] {
      let situation = Self.situation(order)
      #expect(Self.asked(situation).count == 1)
      #expect(Self.status(situation, of: "new")?.conditions["Stalled"]?.reason == "TopicTaken")
      #expect(Self.status(situation, of: "old")?.conditions["Stalled"]?.status == .no)
    }
  }

  @Test func onlyATopicThatWasItsOwnIsDeletedWithAResource() {
    let present = [Self.present("t", [[100, 200, 300]])]
    var status = KafkaTopicStatus()
    status.topicID = "id-t"
    var wanted = Self.wanted("t", status: status) { $0.deletionPolicy = .delete }
    wanted.topic.metadata.deletionTimestamp = "now"
    guard case .deleteTopics(let list) = Self.asked(Self.situation([wanted], present)).first else {
      Issue.record("nothing is deleted")
      return
    }
    #expect(list.map(\.id) == ["id-t"])
    wanted.copies = ["a": .seen(RecordedCopy(generation: 1, status: KafkaTopicStatus()))]
    #expect(Self.asked(Self.situation([wanted], present)) == [])
    wanted.topic.spec.deletionPolicy = .retain
    #expect(TopicReconciliation.plan(Self.situation([wanted], present)).gone == [wanted.id])
  }

  @Test func aPausedTopicIsNotDeletedAndSaysSoUntilItIsRetained() {
    let present = [Self.present("t", [[100, 200, 300]])]
    var status = KafkaTopicStatus()
    status.topicID = "id-t"
    var wanted = Self.wanted("t", status: status) { $0.deletionPolicy = .delete }
    wanted.topic.metadata.deletionTimestamp = "now"
    wanted.topic.metadata.annotations[Marks.pause] = "true"
    let paused = TopicReconciliation.plan(Self.situation([wanted], present))
    #expect(paused.gone == [] && paused.plan.steps == [])
    #expect(paused.waitsFor[wanted.id]?.first?.contains("\(Marks.pause) is true") == true)
    wanted.topic.spec.deletionPolicy = .retain
    #expect(TopicReconciliation.plan(Self.situation([wanted], present)).gone == [wanted.id])
  }

  @Test func aDeletionThatBrokersDoNotAnswerSaysSo() {
    var wanted = Self.wanted("t") { $0.deletionPolicy = .delete }
    wanted.topic.metadata.deletionTimestamp = "now"
    var situation = Self.situation([wanted])
    situation.brokers = .unknown(since: "t", why: "no answer")
    #expect(TopicReconciliation.plan(situation).waitsFor[wanted.id]?.first?.contains("once the brokers answer") == true)
  }

  @Test func nothingIsAskedWhileTheBrokersDoNotAnswer() {
    var situation = Self.situation([Self.wanted("t")])
    situation.brokers = .unknown(since: "t", why: "no answer")
    #expect(Self.asked(situation) == [])
    #expect(Self.status(situation)?.conditions["Ready"]?.status == .unknown)
  }

  @Test func twentyThousandTopicsAtRestCauseNoStep() {
    let names = (0..<20_000).map { "t\($0)" }
    let present = names.map { Self.present($0, [[100, 200, 300]]) }
    let one = Self.settled(Self.wanted("t0"), [present[0]])
    guard case .seen(var copy)? = one.copies["a"] else { return }
    let topics = names.map { name in
      var wanted = Self.wanted(name)
      copy.status.topicName = name
      copy.status.topicID = "id-\(name)"
      wanted.copies = ["a": .seen(copy)]
      return wanted
    }
    #expect(TopicReconciliation.plan(Self.situation(topics, present)).plan.steps == [])
    let fresh = Self.asked(Self.situation(topics, []))
    #expect(fresh.count == 1, "all of them are one request")
  }
}
