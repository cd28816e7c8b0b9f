import JSONValue
import KubernetesResources
import Reconciliation
import Testing
import Vocabulary

@Suite struct ClusterTests {
  @Test func threeRegionsComeUpAndThenNothingMoreIsWritten() {
    var world = World.three
    let rounds = world.converge() ?? .max
    #expect(world.broken == [])
    #expect(rounds < 12)
    #expect(world.facts.voters.count == 3)
    #expect(world.members["west"]?.copy?.status.conditions["Ready"]?.status == .yes)
    #expect(world.members["west"]?.copy?.status.conditions["SurvivesRegionLoss"]?.status == .yes)
    #expect(world.plan.steps == [])
  }

  @Test func aPartialViewMakesNoCluster() {
    var world = World.three
    world.members["north"]?.isReachable = false
    world.converge()
    #expect(world.members["west"]?.copy?.status.clusterID == nil)
    #expect(world.members["west"]?.objects.isEmpty == true)
    #expect(world.broken == [])
  }

  @Test func nothingStartsBeforeTheIdIsEverywhere() {
    let world = World.three
    let first = world.plan.steps
    #expect(!first.isEmpty)
    #expect(first.allSatisfy { if case .apply = $0 { false } else { true } })
  }

  @Test func votersFindEachOtherOnceTheyAllHaveAddresses() throws {
    var world = World.three
    world.converge()
    let map = try #require(world.members["west"]?.objects[ObjectID(.configMap, "kafka", "orders-west-0")])
    let text = try #require(map["data"]["server.properties"].string)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("controller.quorum.voters=") })
    #expect(line.split(separator: ",").count == 3)
    #expect(text.contains("node.id=300\n") && text.contains("broker.rack=west\n"))
    #expect(text.contains("process.roles=broker,controller\n"))
  }

  @Test func aPodThatWaitsForItsConfigurationIsToldOnceItIsThere() {
    var world = World.three
    world.converge()
    let told = world.steps.compactMap { if case .tell(let pod, _, _, _) = $0 { pod.name } else { nil } }
    #expect(told.sorted() == ["orders-central-0-0", "orders-north-0-0", "orders-west-0-0"])
  }

  @Test func anUnreachableRegionIsLeftAsItIsAndShownWithItsTime() {
    var world = World.three
    world.converge()
    world.members["north"]?.isReachable = false
    world.steps = []
    world.converge()
    #expect(world.broken == [])
    let status = world.members["west"]?.copy?.status
    #expect(status?.conditions["RegionsReachable"]?.status == .no)
    #expect(status?.regions.first { $0.name == "north" }?.unknownSince == "2026-01-01T00:00:00Z")
    #expect(status?.conditions["Ready"]?.status == .yes, "its brokers still serve")
    #expect(world.plan.steps == [])
  }

  @Test func theSurvivorsRollWhileOneApiServerIsGone() {
    var world = World.three
    world.converge()
    world.members["north"]?.isReachable = false
    world.cluster.spec.image = "new"
    world.converge()
    #expect(world.broken == [])
    #expect(restarts(world) == ["orders-central-0-0", "orders-west-0-0"].sorted())
  }

  @Test func aNewImageRestartsOneNodeAfterTheOtherAndTheActiveControllerLast() {
    var world = World.three
    world.converge()
    world.addTopic("t", [100, 200, 300])
    world.facts.leader = NodeID(100)
    world.steps = []
    world.cluster.spec.image = "new"
    let rounds = world.converge()
    #expect(rounds != nil)
    #expect(world.broken == [])
    #expect(restartOrder(world) == ["orders-north-0-0", "orders-west-0-0", "orders-central-0-0"])
  }

  @Test func aRollWaitsForAPartitionThatIsAtItsMinimum() {
    var world = World.three
    world.converge()
    world.addTopic("t", [100, 200, 300])
    world.facts.topics[0].partitions[0].inSync = [NodeID(100), NodeID(200)]
    world.cluster.spec.image = "new"
    var plan = world.plan
    for step in plan.steps { world.perform(step) }
    plan = world.plan
    #expect(restarts(world) == [])
    #expect(plan.waits.contains { $0.contains("broker 300 is not yet in sync for t-0") })
  }

  @Test func pauseStopsRestarts() {
    var world = World.three
    world.converge()
    world.steps = []
    world.cluster.metadata.annotations[Marks.pause] = "true"
    world.cluster.spec.image = "new"
    world.converge()
    #expect(restarts(world) == [])
  }

  @Test func aPodThatCrashesWithANewRevisionStopsTheRoll() {
    var world = World.three
    world.converge()
    world.facts.leader = NodeID(300)
    world.members["central"]?.isHealthy = false
    world.steps = []
    world.cluster.spec.image = "broken"
    world.converge()
    #expect(restarts(world) == ["orders-central-0-0"])
    let stalled = world.members["west"]?.copy?.status.conditions["Stalled"]
    #expect(stalled?.status == .yes)
    #expect(stalled?.message.contains("orders-central-0-0") == true)
    world.members["central"]?.isHealthy = true
    world.cluster.spec.image = "fixed"
    let rounds = world.converge()
    #expect(rounds != nil)
    #expect(world.broken == [])
    #expect(world.members["west"]?.copy?.status.conditions["Ready"]?.status == .yes)
  }

  @Test func aBrokerLeavesOnlyAfterItsPartitionsAndItsVoteHaveMoved() {
    var world = World([
      RegionShare("a", brokers: 2, controllers: 2), RegionShare("b", brokers: 2, controllers: 2),
      RegionShare("c", brokers: 2, controllers: 2),
    ])
    world.converge()
    world.addTopic("t", [100, 201, 301])
    world.addTopic("u", [301, 200, 101])
    world.cluster.spec.regions[2].brokers = 1
    world.cluster.spec.regions[2].controllers = 1
    world.steps = []
    let rounds = world.converge()
    #expect(rounds != nil)
    #expect(world.broken == [])
    #expect(!world.facts.brokers.contains { $0.id == NodeID(301) })
    #expect(!world.facts.voters.contains { $0.id == NodeID(301) })
    #expect(world.facts.topics[0].partitions[0].replicas == [100, 201, 300].map { NodeID($0) })
    let claim = ObjectID(.claim, "kafka", "data-orders-c-1")
    #expect(world.members["c"]?.objects[claim] != nil, "volumes stay")
  }

  @Test func aRegionThatIsAddedGetsIdsBehindAllOthersAndOneThatComesBackItsOwn() {
    var world = World.three
    world.converge()
    world.cluster.spec.regions.removeAll { $0.name == "north" }
    world.cluster.spec.durability.survive = .broker
    world.cluster.spec.regions.append(RegionShare("aa", brokers: 1, controllers: 0))
    var region = Region()
    region.metadata = ObjectMeta(name: "aa", namespace: "kafka")
    world.regions.append(region)
    world.members["aa"] = World.Member()
    let rounds = world.converge()
    #expect(rounds != nil)
    #expect(world.facts.brokers.map(\.id).sorted() == [100, 300, 400].map { NodeID($0) })
    world.cluster.spec.regions.append(RegionShare("north", brokers: 1, controllers: 1))
    let again = world.converge()
    #expect(again != nil)
    #expect(world.facts.brokers.map(\.id).sorted() == [100, 200, 300, 400].map { NodeID($0) })
    #expect(world.broken == [])
  }

  @Test func aLostRegionIsReplacedAndItsBrokerIsForgottenOnceTheRegionIsDeleted() {
    var world = World.three
    world.converge()
    world.addTopic("t", [100, 200, 300])
    world.members["west"]?.isReachable = false
    world.setFenced(NodeID(300), true)
    var south = Region()
    south.metadata = ObjectMeta(name: "south", namespace: "kafka")
    world.regions.append(south)
    world.members["south"] = World.Member()
    world.cluster.spec.regions = ["central", "north", "south"].map { RegionShare($0, brokers: 1, controllers: 1) }
    #expect(world.converge() != nil)
    #expect(world.broken == [])
    #expect(world.facts.voters.map(\.id.value).sorted() == [100, 200, 400])
    #expect(world.facts.topics[0].partitions.allSatisfy { $0.replicas.map(\.value).sorted() == [100, 200, 400] })
    #expect(world.facts.brokers.contains { $0.id == NodeID(300) }, "what cannot be seen may still be there")
    world.regions.removeAll { $0.metadata.name == "west" }
    world.members["west"] = nil
    world.converge()
    #expect(world.broken == [])
    #expect(world.facts.brokers.map(\.id.value).sorted() == [100, 200, 400])
    #expect(world.plan.steps == [])
  }

  private static let goneRecord = ObjectID(.configMap, "kafka", "orders-gone")

  @Test func brokersHearThatTheirClusterGoesBeforeAnythingOfItDoes() throws {
    var world = World.three
    world.converge()
    world.cluster.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    let steps = world.plan.steps
    let first = try #require(steps.first)
    #expect(first == .ask(.setHandingOver(false)))
    #expect(BrokerRequest.setHandingOver(false).comesFirst)
    // What says that it is gone is there before anything is.
    let records = steps.dropFirst().prefix { if case .apply = $0 { true } else { false } }
    #expect(records.count == 3 && records.allSatisfy { $0.object == Self.goneRecord })
    let deletions = steps.dropFirst(1 + records.count)
    #expect(deletions.allSatisfy { if case .delete = $0 { true } else { false } })
    #expect(!deletions.isEmpty, "nothing waits for an answer that may never come")
    world.perform(first)
    #expect(!world.plan.steps.contains(first), "once is enough")
  }

  @Test func brokersHearThatTheirClusterGoesAlsoWhenTheyAnswerLate() {
    var world = World.three
    world.converge()
    world.cluster.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    world.brokersAnswer = false
    #expect(!world.plan.steps.isEmpty)
    #expect(!world.plan.steps.contains(.ask(.setHandingOver(false))))
    for case .apply(let object, let member) in world.plan.steps { world.perform(.apply(object, member: member)) }
    for (member, content) in world.members {
      world.members[member]?.objects = content.objects.filter { $0.key == Self.goneRecord }
    }
    world.brokersAnswer = true
    #expect(world.plan.steps == [.ask(.setHandingOver(false))], "their pods are still stopping")
    for member in world.members.keys { world.members[member]?.pods = [:] }
    #expect(world.plan.steps == [])
  }

  @Test func aDeletedClusterIsGoneWithItsLastProcess() {
    func pod(_ phase: String, _ state: JSON, isDeleted: Bool = true) -> Pod {
      var pod: JSON = ["metadata": ["name": "orders-west-0-0", "uid": "u"]]
      if isDeleted { pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
      pod["status"] = ["phase": .string(phase), "containerStatuses": [["name": "swiftwater", "state": state]]]
      return Pod(pod)
    }
    let ended: JSON = ["terminated": ["exitCode": 0]]
    var situation = World.three.situation
    situation.cluster.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    var known = MemberObjects()
    known.objects[Self.goneRecord] = [
      "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "orders-gone", "namespace": "kafka"],
    ]
    for member in situation.members.keys { situation.members[member] = .seen(known) }
    func isGone(_ pod: Pod) -> Bool {
      var objects = known
      objects.pods = [pod]
      situation.members["west"] = .seen(objects)
      return ClusterReconciliation.isGone(situation)
    }
    #expect(!isGone(pod("Running", ["running": [:]])))
    #expect(isGone(pod("Running", ended)))
    #expect(isGone(pod("Running", ["waiting": ["reason": "ContainerCreating"]])), "it ran, and was removed")
    #expect(!isGone(pod("Pending", ["waiting": ["reason": "ContainerCreating"]])), "it may be about to start")
    #expect(!isGone(pod("Running", ended, isDeleted: false)), "it is started again")
    #expect(!isGone(pod("Running", [:])))
    situation.members["west"] = .seen(MemberObjects())
    #expect(!ClusterReconciliation.isGone(situation), "one member does not say that it is gone")
  }

  @Test func aClusterOnTheVolumesOfADeletedOneWaitsBeforeItStopsAgain() {
    var world = World.three
    world.converge()
    world.facts.handOver = false
    #expect(world.plan.steps.first == .ask(.setHandingOver(true)))
    world.converge()
    #expect(world.facts.handOver)
    #expect(world.plan.steps == [])
  }

  /// What a deletion left, and a new object of the same name.
  private func applied(again world: World) -> World {
    var world = world
    world.isStarted = false
    world.cluster.status = KafkaClusterStatus()
    for (name, member) in world.members {
      var left = member
      left.objects = member.objects.filter { $0.key.kind == .claim }
      left.pods = [:]
      left.copy?.status = KafkaClusterStatus()
      world.members[name] = left
    }
    return world
  }

  @Test func aClusterThatIsAppliedAgainGoesOnWithItsVolumes() {
    var world = World.three
    world.converge()
    let before = world.members["west"]?.copy?.status
    var again = applied(again: world)
    // The Regions are named in another order, and another one is the first.
    again.cluster.spec.regions.reverse()
    again.members["north"]?.isReachable = false
    again.converge()
    #expect(again.members["west"]?.copy?.status.clusterID == nil, "ids of a Region that is not seen are not guessed")
    again.members["north"]?.isReachable = true
    again.steps = []
    again.converge()
    let after = again.members["west"]?.copy?.status
    #expect(after?.clusterID == before?.clusterID && after?.clusterID != nil)
    #expect(after?.nodeIDBlocks == before?.nodeIDBlocks && after?.initialVoters == before?.initialVoters)
    #expect(again.steps.contains { if case .event(_, _, "VolumesFound", _) = $0 { true } else { false } })
    #expect(again.broken == [])
  }

  @Test func withoutAVolumeThatWasLeftAClusterIsANewOne() {
    var world = World.three
    world.converge()
    var again = applied(again: world)
    for member in again.members.keys { again.members[member]?.objects = [:] }
    again.converge()
    let ids = [world, again].map { $0.members["west"]?.copy?.status.clusterID }
    #expect(ids[0] != ids[1] && !ids.contains(nil))
    #expect(!again.steps.contains { if case .event(_, _, "VolumesFound", _) = $0 { true } else { false } })
  }

  @Test func nothingButADeletionStopsBrokersFromWaiting() {
    var world = World.three
    world.converge()
    world.cluster.spec.image = "swiftwater:next"
    world.converge()
    world.members["north"]?.isReachable = false
    world.converge()
    #expect(!world.steps.contains(.ask(.setHandingOver(false))))
  }

  func restarts(_ world: World) -> [String] { restartOrder(world).sorted() }
  func restartOrder(_ world: World) -> [String] {
    world.steps.compactMap { if case .restart(let pod, _, _, _) = $0 { pod.name } else { nil } }
  }
}
