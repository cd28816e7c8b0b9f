import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

/// What was refused is said in conditions, for a person to act, and not waited for.
@Suite struct RefusalTests {
  /// The plan for one topic after what it asks for was refused, with the status that comes of it.
  private func refused(_ wanted: WantedTopic, _ present: [TopicFacts] = []) -> (TopicSituation, KafkaTopicStatus?) {
    var situation = TopicTests.situation([wanted], present)
    for step in TopicReconciliation.plan(situation).plan.steps.flatMap(\.parts) {
      if case .ask = step { situation.refused.words[step] = "t: INVALID_CONFIG: abc is no number" }
    }
    return (situation, TopicTests.status(situation))
  }

  @Test func aTopicThatBrokersRefuseToMakeIsStalledAndSaysWhy() throws {
    let wanted = TopicTests.wanted("t") { $0.config = ["retention.ms": "abc"] }
    let (situation, found) = refused(wanted)
    let status = try #require(found)
    #expect(status.conditions["Stalled"]?.status == .yes && status.conditions["Stalled"]?.reason == "Refused")
    #expect(status.conditions["Ready"]?.status == .no)
    #expect(status.conditions["Reconciling"]?.status == .no, "nobody waits for it")
    #expect(status.conditions["Ready"]?.message.contains("INVALID_CONFIG: abc is no number") == true)
    // Said once: what is asked for again is all that is left.
    var said = situation
    said.topics[0].copies = ["a": .seen(RecordedCopy(generation: 1, status: status))]
    #expect(TopicTests.status(said) == nil)
    #expect(TopicTests.asked(said).count == 1)
    // What is accepted in the end was made here, and not taken over.
    said = TopicTests.situation(said.topics, [TopicTests.present("t", [[100, 200, 300]])])
    let events = TopicReconciliation.plan(said).plan.steps.filter { if case .event = $0 { true } else { false } }
    #expect(events == [])
  }

  @Test func aTopicThatIsCorrectedIsNotStalledBeforeItIsTried() {
    var (situation, _) = refused(TopicTests.wanted("t") { $0.config = ["retention.ms": "abc"] })
    situation.topics = [TopicTests.wanted("t") { $0.config = ["retention.ms": "7"] }]
    #expect(TopicTests.status(situation)?.conditions["Stalled"]?.status == .no)
    #expect(TopicTests.status(situation)?.conditions["Reconciling"]?.status == .yes)
  }

  @Test func settingsThatBrokersRefuseAreNamedWithTheirValues() {
    let wanted = TopicTests.wanted("t") { $0.config = ["retention.ms": "abc"] }
    let (_, status) = refused(wanted, [TopicTests.present("t", [[100, 200, 300]])])
    #expect(status?.conditions["Stalled"]?.message.contains("retention.ms=abc") == true)
    #expect(status?.conditions["Stalled"]?.message.contains("correct spec.config") == true)
    #expect(status?.topicID == "id-t")
  }

  @Test func partitionsAndMovesThatBrokersRefuseStallATopic() {
    let more = refused(TopicTests.wanted("t", partitions: 9), [TopicTests.present("t", [[100, 200, 300]])]).1
    #expect(more?.conditions["Stalled"]?.message.contains("9 partitions") == true)
    let moved = TopicTests.wanted("t") { $0.placement.replicas = ["a": 1, "b": 2] }
    let status = refused(moved, [TopicTests.present("t", [[100, 200, 300]])]).1
    #expect(status?.conditions["Stalled"]?.message.contains("move replicas") == true)
  }

  @Test func oneTopicThatIsRefusedDoesNotStallAnother() {
    let (bad, good) = (TopicTests.wanted("bad"), TopicTests.wanted("good"))
    var situation = TopicTests.situation([bad, good])
    for step in TopicReconciliation.plan(TopicTests.situation([bad])).plan.steps.flatMap(\.parts) {
      situation.refused.words[step] = "bad: POLICY_VIOLATION"
    }
    #expect(TopicTests.status(situation, of: "bad")?.conditions["Stalled"]?.status == .yes)
    #expect(TopicTests.status(situation, of: "good")?.conditions["Stalled"]?.status == .no)
  }

  @Test func movesThatAreRefusedKeepNoRoomFromOthers() {
    let many = ReconciliationLimits.partitionsMovingMax + 5
    let bad = TopicTests.wanted("bad", partitions: many) { $0.placement.replicas = ["a": 1, "b": 2] }
    let present = TopicTests.present("bad", Array(repeating: [100, 200, 300], count: many))
    let good = TopicTests.wanted("good") { $0.placement.replicas = ["a": 1, "b": 2] }
    var situation = TopicTests.situation([bad], [present])
    // Each look finds out about as many as may be moved at one time.
    for _ in 0..<2 {
      for step in TopicReconciliation.plan(situation).plan.steps.flatMap(\.parts) {
        if case .ask(.reassign) = step { situation.refused.words[step] = "bad: INVALID_REPLICA_ASSIGNMENT" }
      }
    }
    let words = situation.refused
    situation = TopicTests.situation([bad, good], [present, TopicTests.present("good", [[100, 200, 300]])])
    situation.refused = words
    let moved = TopicTests.asked(situation).flatMap { request -> [String] in
      if case .reassign(let moves) = request { moves.map(\.topic) } else { [] }
    }
    #expect(moved.contains("good"))
  }

  @Test func aRefusedStatusIsTheSameStepWheneverItIsWritten() {
    let id = ObjectID(.kafkaCluster, "kafka", "orders")
    let (one, two) = (Step.writeStatus(id, ["a": 1], member: "a"), Step.writeStatus(id, ["a": 2], member: "a"))
    #expect(one.kept == two.kept && one.parts == two.parts)
    #expect(one.kept != Step.writeStatus(id, ["a": 1], member: "b").kept)
    var refused = RefusedSteps()
    refused.words[one.kept] = "no"
    var plan = Plan()
    plan.steps = [two]
    #expect(refused.words(of: plan) == ["no"])
  }

  @Test func restartsDoNotWaitForMovesThatBrokersRefuse() {
    var world = World([
      RegionShare("central", brokers: 3, controllers: 1), RegionShare("north", brokers: 1, controllers: 1),
      RegionShare("west", brokers: 1, controllers: 1),
    ])
    world.converge()
    world.addTopic("__consumer_offsets", [100, 101, 102])
    world.cluster.spec.config["message.max.bytes"] = "2000000"
    world.cluster.metadata.generation += 1
    var refused = RefusedSteps()
    var (restarts, asked) = (0, 0)
    for _ in 0..<40 {
      var situation = world.situation
      situation.refused = refused
      for step in ClusterReconciliation.plan(situation).steps {
        if case .restart = step { restarts += 1 }
        guard case .ask(.reassign) = step else {
          world.perform(step)
          continue
        }
        asked += 1
        for part in step.parts { refused.words[part] = "__consumer_offsets-0: INVALID_REPLICA_ASSIGNMENT" }
      }
      world.settle()
    }
    #expect(asked > 0)
    #expect(restarts >= 5, "every node has the new setting")
    #expect(world.broken == [])
  }

  @Test func aCopyOfATopicThatAMemberRefusesIsSaid() {
    let present = [TopicTests.present("t", [[100, 200, 300]])]
    var wanted = TopicTests.settled(TopicTests.wanted("t"), present)
    wanted.refused = ["b: may not patch kafkatopics kafka/t: Forbidden (403): no"]
    let status = TopicTests.status(TopicTests.situation([wanted], present))
    #expect(status?.conditions["Stalled"]?.message.contains("Forbidden (403)") == true)
    #expect(status?.conditions["Ready"]?.status == .yes, "the topic itself is as it should be")
  }

  @Test func aCopyOfARegionThatAMemberRefusesIsSaid() {
    var region = Region()
    region.metadata = ObjectMeta(name: "a", namespace: "kafka")
    var situation = RegionSituation(
      region, copies: ["a": .seen(RecordedCopy(generation: 1, status: RegionStatus()))],
      contact: .reached(member: "a", version: "v1.33.1", roundTripMilliseconds: 1), now: "now")
    situation.refused = ["b: may not patch regions kafka/a: Forbidden (403): no"]
    let status = RegionReconciliation.plan(situation).steps.compactMap { step -> RegionStatus? in
      guard case .writeStatus(_, let json, _) = step else { return nil }
      var ignored: [Mistake] = []
      return RegionStatus(reading: json, at: "status", mistakes: &ignored)
    }.first
    #expect(status?.conditions["Stalled"]?.reason == "Refused")
  }

  // MARK: Clusters

  /// A cluster whose volumes shall grow, and may not in one member.
  private var grown: (World, ClusterSituation) {
    var world = World.three
    world.converge()
    world.cluster.spec.regions = world.cluster.spec.regions.map { share in
      var share = share
      if share.name == "west" { share.storage.size = "900Gi" }
      return share
    }
    var situation = world.situation
    for case .apply(let object, let member) in world.plan.steps where ObjectID(object)?.kind == .claim {
      situation.refused.words[.apply(object, member: member)] = "west: may not patch it: Forbidden (403): no"
    }
    return (world, situation)
  }

  private static func status(in plan: Plan) -> KafkaClusterStatus? {
    for case .writeStatus(_, let json, _) in plan.steps {
      var ignored: [Mistake] = []
      return KafkaClusterStatus(reading: json, at: "status", mistakes: &ignored)
    }
    return nil
  }

  @Test func aClusterWhoseObjectsAreRefusedIsStalledAndSaysWhyOnce() throws {
    var (_, situation) = grown
    let plan = ClusterReconciliation.plan(situation)
    let status = try #require(Self.status(in: plan))
    #expect(status.conditions["Stalled"]?.reason == "Refused")
    #expect(status.conditions["Stalled"]?.message == "west: may not patch it: Forbidden (403): no.")
    #expect(status.conditions["Reconciling"]?.status == .no)
    #expect(status.conditions["Ready"]?.status == .yes, "its brokers serve as before")
    for member in situation.copies.keys {
      situation.copies[member] = .seen(RecordedCopy(generation: 1, status: status))
    }
    let next = ClusterReconciliation.plan(situation)
    #expect(next.steps.count == 1 && Self.status(in: next) == nil, "only what was refused is left")
  }

  @Test func aVolumeThatMayNotGrowHoldsUpNothingAndOneThatIsMissingHoldsUpItsNode() {
    let claim: JSON = [
      "apiVersion": "v1", "kind": "PersistentVolumeClaim",
      "metadata": ["name": "data-orders-a-0", "namespace": "kafka"],
    ]
    let step = Step.apply(claim, member: "a")
    #expect(step.dependants(present: claim) == .none)
    #expect(step.dependants(present: nil) == .group("orders-a-0"))
    let set = Step.delete(ObjectID(.statefulSet, "kafka", "orders-a-0"), uid: nil, member: "a")
    #expect(set.group == "orders-a-0")
    let restart = Step.restart(
      pod: ObjectID(.pod, "kafka", "orders-a-0-0"), uid: "u", node: NodeID(100), member: "a")
    #expect(restart.group == "orders-a-0")
  }

  @Test func nothingGoesWithoutTheRecordThatItGoes() {
    let record: JSON = [
      "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "orders-gone", "namespace": "kafka"],
    ]
    #expect(Step.apply(record, member: "a").dependants(present: nil) == .all)
    let id = ObjectID(.kafkaCluster, "kafka", "orders")
    #expect(Step.setFinalizers(id, [Marks.finalizer], member: "a").dependants(present: [:]) == .all)
  }
}
