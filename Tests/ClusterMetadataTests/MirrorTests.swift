import ClusterMetadata
import Testing
import Vocabulary

@Suite struct MirrorTests {
  private let nothingSet = ConfigResolution(fixed: [:])
  private let defaults = TopicDefaults(partitions: 1, replicationFactor: 1)
  private let mirror = ConfigResource.mirror("eu")
  private let name = TopicName("orders")!
  private let id = UniqueID(high: 3, low: 4)

  /// With the mirror "eu", whose source is known.
  private func cluster() throws -> SmallCluster {
    var cluster = SmallCluster(["a", "b", "c"])
    let asked = cluster.image.alter(
      mirror, [("bootstrap.servers", .set("host:9092")), ("state", .set("running"))], inherited: nothingSet)
    try asked.answer.get()
    cluster.apply(asked.records)
    cluster.apply(cluster.image.adopt("source", by: "eu", chance: 7))
    return cluster
  }

  private func source(_ epochs: [Int32], id: UniqueID? = nil) -> MirroredTopic {
    MirroredTopic(
      name: name, id: id ?? self.id, epochs: epochs.map { LeaderEpoch($0) }, replicationFactor: 3,
      configs: [("retention.ms", "5")])
  }

  private func mirrored(_ epochs: [Int32] = [4, 9]) throws -> SmallCluster {
    var cluster = try cluster()
    let made = cluster.image.createMirrored(source(epochs), by: "eu", path: ["source"], defaults: defaults)
    _ = try made.answer.get()
    cluster.apply(made.records)
    return cluster
  }

  private func ask(_ state: String, _ cluster: inout SmallCluster) throws {
    let decision = cluster.image.alter(mirror, [("state", .set(state))], inherited: nothingSet)
    try decision.answer.get()
    cluster.apply(decision.records)
  }

  @Test func aSourceThatCannotBeClosedHasNoSwitchoverAndIsToldWhatThereIsInstead() throws {
    var cluster = try mirrored()
    cluster.apply(cluster.image.note([(MirrorConfigs.sourceKind, "other")], of: "eu"))
    let decision = cluster.image.alter(mirror, [("state", .set("switchover"))], inherited: nothingSet)
    #expect(decision.records.isEmpty)
    let refusal = #expect(throws: Refusal.self) { try decision.answer.get() }
    let words = try #require(refusal).message
    #expect(words.contains("not Swiftwater") && words.contains("failover"))
    try ask("failover", &cluster)
  }

  @Test func whatASourceIsNobodySaysByHand() throws {
    let cluster = try mirrored()
    let decision = cluster.image.alter(
      mirror, [(MirrorConfigs.sourceKind, .set(MirrorConfigs.ofOurKind))], inherited: nothingSet)
    #expect(decision.records.isEmpty)
  }

  @Test func aMirroredTopicHasTheSourcesNameAndIDAndLaterEpochs() throws {
    let cluster = try mirrored()
    let topic = try #require(cluster.image.topic(named: name))
    #expect(topic.id == id)
    let headroom = MetadataImage.mirrorEpochHeadroom
    #expect(topic.partitions.map(\.leaderEpoch.value) == [4 + headroom, 9 + headroom])
    #expect(topic.partitions.allSatisfy { $0.replicas.count == 3 })
    #expect(cluster.image.topics(mirroredBy: "eu").map(\.id) == [id])
    #expect(cluster.image.configs(of: .topic("orders"))["retention.ms"] == "5")
  }

  @Test(arguments: [("1", true), ("9223372036854775807", true), ("0", false), ("-1", false), ("fast", false)])
  func aLimitIsAWholeNumberOfBytesAndAtLeastOne(value: String, isTaken: Bool) throws {
    let cluster = try cluster()
    let decision = cluster.image.alter(mirror, [(MirrorConfigs.throttledRate, .set(value))], inherited: nothingSet)
    #expect(decision.records.isEmpty == !isTaken)
    if !isTaken { #expect(throws: Refusal.self) { try decision.answer.get() } }
  }

  @Test func whatWasKnownOfATopicSaysNothingOfAnotherOneOfThatName() throws {
    var cluster = try mirrored()
    cluster.apply(
      cluster.image.note(
        [
          ("known.orders-0", "at=1,source.end=9,source.start=0"), ("known.orders-late-0", "at=1"),
          ("aside.orders-0", "x"),
        ],
        of: "eu"))
    cluster.apply(cluster.image.delete(.name("orders")).records)
    let again = cluster.image.createMirrored(
      source([0, 0], id: UniqueID(high: 5, low: 6)), by: "eu", path: ["source"], defaults: defaults)
    _ = try again.answer.get()
    cluster.apply(again.records)
    let kept = cluster.image.configs(of: mirror)
    #expect(kept["known.orders-0"] == nil)
    #expect(kept["known.orders-late-0"] != nil && kept["aside.orders-0"] != nil)
  }

  @Test func aPartitionThatIsAddedAfterAFailoverBeginsAboveTheEpochsOfTheOldOwner() throws {
    var cluster = try mirrored()
    try ask("failover", &cluster)
    let headroom = MetadataImage.mirrorEpochHeadroom
    cluster.apply(
      cluster.image.promote("eu", generation: 2, reports: [:], at: Timestamp(milliseconds: 1)).records)
    let added = cluster.image.addPartitions(to: "orders", total: 3, assigned: nil)
    try added.answer.get()
    cluster.apply(added.records)
    #expect(cluster.image.topic(named: name)?.partitions.last?.leaderEpoch.value == headroom)
  }

  @Test func anIDThatAnotherTopicHasIsRefused() throws {
    let cluster = try mirrored()
    let other = MirroredTopic(
      name: TopicName("payments")!, id: id, epochs: [LeaderEpoch(0)], replicationFactor: 1, configs: [])
    let made = cluster.image.createMirrored(other, by: "eu", path: [], defaults: defaults)
    #expect(made.records.isEmpty)
    #expect(throws: Refusal.self) { try made.answer.get() }
  }

  @Test func anEpochIsRaisedOnlyWhereTheSourceHasCaughtUp() throws {
    var cluster = try mirrored()
    let before = try #require(cluster.image.topics[id]).partitions
    #expect(cluster.image.raiseMirrored(id, above: [LeaderEpoch(5), LeaderEpoch(10)]).isEmpty)
    let high = LeaderEpoch(before[1].leaderEpoch.value + 1)
    cluster.apply(cluster.image.raiseMirrored(id, above: [LeaderEpoch(5), high]))
    let after = try #require(cluster.image.topics[id]).partitions
    #expect(after[0] == before[0])
    #expect(after[1].leaderEpoch.value == high.value + MetadataImage.mirrorEpochHeadroom)
    #expect(after[1].partitionEpoch == before[1].partitionEpoch + 1)
  }

  @Test func whatTheMirrorSetsNobodySetsByHand() throws {
    let cluster = try mirrored()
    for (resource, key) in [
      (ConfigResource.topic("orders"), "mirror.link"), (.topic("orders"), "mirror.path"), (mirror, "generation"),
      (mirror, "source.cluster.id"), (mirror, "producer.ids.from"), (mirror, "promoted"),
    ] {
      let decision = cluster.image.alter(resource, [(key, .set("1"))], inherited: nothingSet)
      #expect(refusal(of: decision.answer) == .invalidConfig, "\(key)")
    }
    // Nor does a tool take it away that replaces all settings.
    let replaced = cluster.image.replace(.topic("orders"), with: [("segment.ms", "9")], inherited: nothingSet)
    try replaced.answer.get()
    #expect(!replaced.records.contains(.configChanged(.topic("orders"), key: "mirror.link", value: nil)))
    #expect(replaced.records.contains(.configChanged(.topic("orders"), key: "retention.ms", value: nil)))
  }

  @Test func aMirrorBeginsWithItsSource() {
    let image = SmallCluster(["a"]).image
    #expect(
      refusal(of: image.alter(mirror, [("state", .set("running"))], inherited: nothingSet).answer) == .invalidRequest)
    #expect(
      refusal(
        of: image.alter(.mirror("no/name"), [("bootstrap.servers", .set("h:1"))], inherited: nothingSet).answer)
        == .invalidRequest)
  }

  @Test func aFailoverMakesTheTopicsOurOwnInANewGenerationAndEpoch() throws {
    var cluster = try mirrored()
    let before = try #require(cluster.image.topics[id]).partitions
    #expect(
      refusal(of: cluster.image.promote("eu", generation: 2, reports: [:], at: Timestamp(milliseconds: 5)).answer)
        == .invalidRequest)
    try ask("failover", &cluster)
    let promotion = cluster.image.promote(
      "eu", generation: 2, reports: [name: "report"], at: Timestamp(milliseconds: 5))
    try promotion.answer.get()
    cluster.apply(promotion.records)
    let configs = cluster.image.configs(of: .topic("orders"))
    #expect(configs["mirror.link"] == nil && configs["mirror.path"] == "source" && configs["mirror.report"] == "report")
    #expect(cluster.image.configs(of: mirror)["generation"] == "2")
    let after = try #require(cluster.image.topics[id]).partitions
    #expect(configs["mirror.opened"] == after.map { "\($0.leaderEpoch.value)" }.joined(separator: ","))
    for (old, new) in zip(before, after) { #expect(new.leaderEpoch.value == old.leaderEpoch.value + 1) }
    // Once is enough, and there is no way back.
    #expect(
      cluster.image.promote("eu", generation: 3, reports: [:], at: Timestamp(milliseconds: 9)).records.isEmpty)
    #expect(throws: Refusal.self) { try ask("running", &cluster) }
  }

  @Test func anAttemptThatWasGivenUpPromotesNothing() throws {
    var cluster = try mirrored()
    try ask("switchover", &cluster)
    try ask("running", &cluster)
    func promote(_ attempt: Int32) -> Decision<Result<Void, Refusal>> {
      cluster.image.promote(
        "eu", generation: 2, attempt: attempt, reports: [:], at: Timestamp(milliseconds: 5))
    }
    #expect(promote(1).records.isEmpty)
    try ask("switchover", &cluster)
    #expect(promote(1).records.isEmpty)
    #expect(!promote(2).records.isEmpty)
  }

  @Test func aMirrorIsDeletedOnceItWritesNothing() throws {
    var cluster = try mirrored()
    func delete() -> Decision<Result<Void, Refusal>> {
      cluster.image.alter(mirror, [("bootstrap.servers", .delete)], inherited: nothingSet)
    }
    #expect(throws: Refusal.self) { try delete().answer.get() }
    #expect(delete().records.isEmpty)
    try ask("failover", &cluster)
    cluster.apply(cluster.image.promote("eu", generation: 2, reports: [:], at: Timestamp(milliseconds: 5)).records)
    let before = cluster.image.nextProducerID
    // Who leaves the servers out by mistake does not mean that.
    let replaced = cluster.image.replace(mirror, with: [("topics", "a")], inherited: nothingSet)
    #expect(throws: Refusal.self) { try replaced.answer.get() }
    try delete().answer.get()
    cluster.apply(delete().records)
    #expect(cluster.image.mirrors.isEmpty && cluster.image.configs(of: mirror).isEmpty)
    #expect(cluster.image.topic(named: name) != nil)
    // Producers of the source stay told apart from those here.
    #expect(cluster.image.nextProducerID == before)
  }

  @Test func producersHereGetIDsThatTheSourceDoesNotHave() throws {
    let cluster = try cluster()
    let least = cluster.image.leastProducerID
    #expect(least.value >= 1 << 32)
    #expect(cluster.image.allocateProducerIDs(for: NodeID(1), count: 1000).answer.lowerBound >= least.value)
  }

  @Test func aSnapshotHasTheMirrorsAsWell() throws {
    let cluster = try mirrored()
    var copy = MetadataImage()
    copy.replay(all: cluster.image.records)
    #expect(copy.mirrors == ["eu"])
    #expect(copy.configs(of: mirror) == cluster.image.configs(of: mirror))
    #expect(copy.topics(mirroredBy: "eu").map(\.id) == [id])
  }

  // MARK: Failing back

  /// A cluster with a topic of its own, and a mirror that was asked to fail back.
  private func oldOwner(_ configs: [String: String] = [:]) throws -> SmallCluster {
    var cluster = try cluster()
    let creation = TopicCreation(
      name: name.text, layout: .counted(partitions: 2, replicationFactor: 3), configs: [], id: id)
    cluster.apply(cluster.image.create(creation, defaults: defaults).records)
    cluster.apply(configs.map { .configChanged(.topic(name.text), key: $0.key, value: $0.value) })
    try ask("failback", &cluster)
    return cluster
  }

  private func giveUp(_ cluster: SmallCluster) -> Decision<Result<Void, Refusal>> {
    cluster.image.giveUp(
      name, to: "eu", path: ["source"], generation: 4, above: [LeaderEpoch(70_000), LeaderEpoch(70_001)],
      shared: [1: Offset(30)])
  }

  @Test func aTopicThatIsGivenUpIsWrittenByTheMirrorAndInLaterEpochs() throws {
    var cluster = try oldOwner(["mirror.fence": "source:1", "mirror.fence.commits": "source:1"])
    #expect(cluster.image.isClosedToCommits(name))
    let decision = giveUp(cluster)
    try decision.answer.get()
    cluster.apply(decision.records)
    let configs = cluster.image.configs(of: .topic("orders"))
    #expect(configs["mirror.link"] == "eu" && configs["mirror.path"] == "source" && configs["mirror.fence"] == nil)
    #expect(configs["mirror.fence.commits"] == nil && !cluster.image.isClosedToCommits(name))
    let kept = cluster.image.configs(of: mirror)
    #expect(kept["generation"] == "4")
    #expect(kept["shared.orders-1"] == "end=30,epoch=0" && kept["shared.orders-0"] == nil)
    let headroom = MetadataImage.mirrorEpochHeadroom
    let after = try #require(cluster.image.topics[id]).partitions
    #expect(after.map(\.leaderEpoch.value) == [70_000 + headroom, 70_001 + headroom])
    #expect(after.allSatisfy { $0.leader != .none })
    // Once is enough.
    #expect(throws: Refusal.self) { try giveUp(cluster).answer.get() }
    cluster.apply(cluster.image.endFailBack("eu"))
    #expect(cluster.image.configs(of: mirror)["shared.orders-1"] == nil)
  }

  @Test func groupsCommitAsLongAsNoFenceHoldsForBoth() throws {
    for (writes, commits, isClosed) in [
      ("a:1", "", false), ("", "a:1", false), ("a:2", "a:1", false), ("a:1", "a:1", true), ("b:4,a:1", "c:1,a:1", true),
    ] {
      let cluster = try oldOwner(["mirror.fence": writes, "mirror.fence.commits": commits])
      #expect(cluster.image.isClosedToCommits(name) == isClosed, "\(writes) and \(commits)")
    }
    // Whoever reads a copy commits where it is read.
    let copy = try oldOwner(["mirror.fence": "a:1", "mirror.fence.commits": "a:1", "mirror.link": "eu"])
    #expect(!copy.image.isClosedToCommits(name))
  }

  @Test func anEpochHereThatIsLaterThanThoseThereRisesAllTheSame() throws {
    var cluster = try oldOwner()
    cluster.apply(cluster.image.raiseMirrored(id, above: [LeaderEpoch(200_000), LeaderEpoch(200_000)]))
    let before = try #require(cluster.image.topics[id]).partitions
    cluster.apply(giveUp(cluster).records)
    let after = try #require(cluster.image.topics[id]).partitions
    for (old, new) in zip(before, after) { #expect(new.leaderEpoch.value == old.leaderEpoch.value + 1) }
  }

  @Test func nothingIsGivenUpUnlessItWasAskedFor() throws {
    var cluster = try oldOwner()
    try ask("running", &cluster)
    #expect(giveUp(cluster).records.isEmpty)
    #expect(throws: Refusal.self) { try giveUp(cluster).answer.get() }
  }

  @Test func aMirrorThatTookOverIsAMirrorAgainAfterAFailBack() throws {
    var cluster = try mirrored()
    try ask("failover", &cluster)
    #expect(throws: Refusal.self) { try ask("failback", &cluster) }
    cluster.apply(cluster.image.note([("known.orders-0", "at=1"), ("aside.orders-0", "kept")], of: "eu"))
    cluster.apply(
      cluster.image.promote("eu", generation: 2, reports: [:], at: Timestamp(milliseconds: 5)).records)
    let promoted = cluster.image.configs(of: mirror)
    #expect(promoted["promoted"] != nil && promoted["known.orders-0"] == nil && promoted["aside.orders-0"] == "kept")
    try ask("failback", &cluster)
    #expect(cluster.image.configs(of: mirror)["promoted"] == nil)
    #expect(throws: Refusal.self) { try ask("switchover", &cluster) }
    cluster.apply(cluster.image.endFailBack("eu"))
    #expect(cluster.image.configs(of: mirror)["state"] == "running")
    #expect(cluster.image.endFailBack("eu").isEmpty)
  }

  @Test func afterACutThePartitionGetsOneNewEpoch() throws {
    var cluster = try mirrored()
    let place = TopicPartition(name, PartitionIndex(1))
    let epoch = try #require(cluster.image.topics[id]).partitions[1].leaderEpoch
    let records = cluster.image.renewMirrored(place, after: epoch, by: "eu")
    cluster.apply(records)
    #expect(cluster.image.topics[id]?.partitions[1].leaderEpoch.value == epoch.value + 1)
    #expect(cluster.image.renewMirrored(place, after: epoch, by: "eu").isEmpty)
    #expect(cluster.image.renewMirrored(place, after: LeaderEpoch(epoch.value + 1), by: "other").isEmpty)
  }

  @Test func whatIsFoundOutAboutPartitionsIsNobodysToSet() throws {
    var cluster = try mirrored()
    let first = cluster.image.note([("known.orders-0", "at=1"), ("aside.orders-0", "x")], of: "eu")
    cluster.apply(first)
    #expect(cluster.image.note([("known.orders-0", "at=1")], of: "eu").isEmpty)
    #expect(cluster.image.note([("known.orders-0", "at=1")], of: "nobody").isEmpty)
    for key in ["known.orders-0", "aside.orders-0"] {
      let decision = cluster.image.alter(mirror, [(key, .set("1"))], inherited: nothingSet)
      #expect(throws: Refusal.self) { try decision.answer.get() }
    }
    let shown = MirrorConfigs.resolve(cluster.image.configs(of: mirror))
    #expect(shown.contains { $0.definition.name == "aside.orders-0" && $0.isReadOnly })
  }
}
