import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Testing
import Vocabulary

@testable import Broker

/// Copies that catch up under a limit (KIP-73), between brokers on loopback.
@Suite(.serialized) struct ThrottlingTests {
  /// Which side has the limit.
  enum Side: String, CaseIterable {
    case leader, follower

    var rateKey: String { "\(rawValue).replication.throttled.rate" }
    var listKey: String { "\(rawValue).replication.throttled.replicas" }
    /// The replica of partition 0 that is throttled when 1 leads and 2 catches up.
    var list: String { self == .leader ? "0:1" : "0:2" }
  }

  private static let other = UniqueID(high: 6, low: 6)

  private func rig(_ side: Side, rate: String, list: String? = nil) throws -> ClusterRig {
    let rig = try ClusterRig(
      racks: ["a", "b"], ["replica.lag.time.max.ms": "60000", "replica.socket.timeout.ms": "120000"])
    try set(rate: rate, side, rig)
    try rig.create(replicas: [1], [side.listKey: list ?? side.list])
    return rig
  }

  private func set(rate: String?, _ side: Side, _ rig: ClusterRig) throws {
    try rig.controller.apply([.configChanged(.allBrokers, key: side.rateKey, value: rate)])
  }

  private func fill(_ partition: Partition, batches: Int, of size: Int) throws {
    let value = String(repeating: "x", count: size)
    for _ in 0..<batches { #expect(try partition.write([value], acks: .leader).next().isKept) }
  }

  @Test(arguments: Side.allCases)
  func aCopyThatIsHeldBackHoldsUpNoOther(side: Side) throws {
    let rig = try rig(side, rate: "0")
    try rig.create("u", id: Self.other, replicas: [1, 2], [side.listKey: "*"])
    try fill(rig.node(1).partition(), batches: 3, of: 1000)
    let other = try rig.node(1).partition("u")
    #expect(try other.write(["a"], acks: .allInSync).next().isKept)
    try rig.add(replica: 2)
    // It is in sync, so that it is not throttled although it is listed.
    for round in 0..<50 { #expect(try other.write(["\(round)"], acks: .allInSync).next().isKept) }
    #expect(try rig.node(2).partition().log.endOffset == .zero)
    #expect(rig.inSync == [1])
    try set(rate: nil, side, rig)
    try rig.until { $0.inSync == [1, 2] }
    #expect(try rig.node(2).partition().bytes() == rig.node(1).partition().bytes())
    #expect(try rig.node(1).partition().write(["b"], acks: .allInSync).next().isKept)
  }

  @Test(arguments: Side.allCases)
  func whoIsNotListedIsNotHeldBack(side: Side) throws {
    let rig = try rig(side, rate: "0", list: side == .leader ? "0:2,1:1" : "0:1,1:2")
    try fill(rig.node(1).partition(), batches: 3, of: 1000)
    try rig.add(replica: 2)
    try rig.until { $0.inSync == [1, 2] }
  }

  @Test(arguments: Side.allCases, ["rate", "list"])
  func aThrottleThatIsTakenAwayLetsTheCopyFinish(side: Side, what: String) throws {
    let rig = try rig(side, rate: "0")
    try fill(rig.node(1).partition(), batches: 3, of: 1000)
    try rig.add(replica: 2)
    #expect(rig.inSync == [1])
    if what == "rate" {
      try set(rate: "1000000000", side, rig)
    } else {
      try rig.controller.apply([.configChanged(.topic("t"), key: side.listKey, value: "")])
    }
    try rig.until { $0.inSync == [1, 2] }
    #expect(try rig.node(2).partition().bytes() == rig.node(1).partition().bytes())
  }

  /// 4 MB at 2 MB a second: one second's worth comes at once, and one answer is paid for when nobody waits any more.
  @Test(arguments: Side.allCases)
  func aCopyTakesAtLeastTheTimeThatItsRateSays(side: Side) throws {
    let rig = try rig(side, rate: "2000000")
    try fill(rig.node(1).partition(), batches: 16, of: 250_000)
    let start = monotonicNow()
    try rig.add(replica: 2)
    try rig.until { $0.inSync == [1, 2] }
    #expect(monotonicNow() - start >= .milliseconds(450))
    let (leader, copy) = (try rig.node(1).partition(), try rig.node(2).partition())
    #expect(copy.log.endOffset == leader.log.endOffset)
    #expect(copy.log.size == leader.log.size)
  }

  @Test func whatIsSetForOneBrokerWinsOverWhatIsSetForAll() throws {
    let rig = try rig(.follower, rate: "0")
    try rig.controller.apply([.configChanged(.broker(NodeID(2)), key: Side.follower.rateKey, value: "\(Int64.max)")])
    try fill(rig.node(1).partition(), batches: 3, of: 1000)
    try rig.add(replica: 2)
    try rig.until { $0.inSync == [1, 2] }
  }
}

/// What a leader does with one fetch of a follower that is catching up.
@Suite struct ThrottledFetchTests {
  private let rig: ClusterRig
  private let life: Int64

  /// Node 2 copies nothing by itself, and is not in sync.
  init() throws {
    rig = try ClusterRig(racks: ["a", "b"], ["replica.lag.time.max.ms": "60000"])
    try rig.node(2).replication.fetchers.stop()
    for (name, id) in [("t", ClusterRig.topic), ("u", Self.other)] {
      try rig.create(name, id: id, replicas: [1], ["leader.replication.throttled.replicas": "*"])
      let partition = try rig.node(1).partition(name)
      #expect(try partition.write([String(repeating: "x", count: 1000)], acks: .leader).next().isKept)
      try rig.add(replica: 2, to: id)
    }
    life = try #require(rig.controller.image.brokers[NodeID(2)]?.epoch)
  }
  private static let other = UniqueID(high: 6, low: 6)

  private func read(rate: Int64?, offset: Int64 = 0) throws -> FetchResult {
    let throttle = ReplicationThrottle()
    _ = throttle.set(rate: rate)
    var ask = KafkaProtocol.FetchRequest.Partition()
    ask.fetchOffset = offset
    ask.logStartOffset = 0
    ask.partitionMaxBytes = 1 << 20
    let items = [ClusterRig.topic, Self.other].map {
      FetchItem(key: FetchKey(topic: .id($0), partition: 0), ask: ask)
    }
    return FetchPlan(
      items: items, version: 17, maxBytes: 1 << 20, source: .follower(NodeID(2), BrokerEpoch(life)),
      throttle: throttle
    ).read(from: try rig.node(1).storage.table)
  }

  @Test func whatIsHeldBackIsAnsweredWithoutRecordsAndNotWaitedFor() throws {
    let result = try read(rate: 0)
    #expect(result.isHeldBack)
    #expect(result.bytes == 0)
    #expect(result.items.map(\.fetched.answer.errorCode) == [.none, .none])
    #expect(result.items.allSatisfy { $0.fetched.partition == nil }, "it would wake the wait at once, for ever")
    #expect(!result.isUrgent)
  }

  @Test func oneAnswerStopsWhereItUsesUpWhatThereIs() throws {
    let result = try read(rate: 500)
    #expect(result.items.map { $0.fetched.records != nil } == [true, false])
    #expect(result.isHeldBack)
    #expect(result.throttledBytes == result.bytes)
  }

  @Test func withoutALimitNothingIsCounted() throws {
    let result = try read(rate: nil)
    #expect(result.items.map { $0.fetched.records != nil } == [true, true])
    #expect(!result.isHeldBack)
    #expect(result.throttledBytes == 0)
  }

  @Test func aFollowerThatHasEverythingWaitsForMore() throws {
    let result = try read(rate: 0, offset: 1)
    #expect(!result.isHeldBack)
    #expect(result.items.allSatisfy { $0.fetched.partition != nil })
  }

  /// Producers wait for whoever is in sync, and for whoever will be when the controller has said so.
  @Test func whoIsInSyncIsNotThrottled() throws {
    try rig.elect(1, inSync: [1, 2])
    let result = try read(rate: 0)
    #expect(result.items.map { $0.fetched.records != nil } == [true, false])
    #expect(result.throttledBytes == 0)
  }
}

@Suite struct ThrottledCopyTests {
  @Test func aCopyThatComesIntoTheInSyncSetIsLookedAtAgain() throws {
    let workshop = try Workshop()
    let lifted = Events<Void>()
    var world = ReplicaWorld(node: Workshop.node, brokerEpoch: BrokerEpoch(1))
    world.throttleLifted = { lifted.add(()) }
    let settings = TopicSettings(
      ["follower.replication.throttled.replicas": "*"], inherited: ConfigResolution(fixed: [:]),
      producerExpiry: .seconds(86_400))
    let partition = Partition(
      log: try workshop.log("orders"), checkpointed: .zero, settings: settings, world: world, pool: workshop.pool)
    func follow(_ epoch: Int32, inSync: NodeSet) {
      let leader = NodeID(2)
      partition.assign(
        Replication.PartitionState(
          leader: .elected(leader, BrokerEpoch(2)), leaderEpoch: LeaderEpoch(1),
          partitionEpoch: PartitionEpoch(epoch), inSync: inSync,
          members: [Member(leader, in: Region("")), Member(Workshop.node, in: Region(""))]),
        brokers: [])
    }
    follow(1, inSync: [NodeID(2)])
    #expect(partition.copiesThrottled)
    #expect(lifted.count == 0)
    follow(2, inSync: [NodeID(2), Workshop.node])
    #expect(!partition.copiesThrottled)
    #expect(lifted.count == 1)
    follow(3, inSync: [NodeID(2)])
    #expect(partition.copiesThrottled)
  }
}
