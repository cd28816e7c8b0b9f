import ClusterMetadata
import KafkaProtocol
import LogStorage
import Replication
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// Brokers that copy from each other over loopback, under a controller that does what a test says.
@Suite(.serialized) struct CopyingTests {
  @Test func whatIsAcknowledgedToAllIsOnEveryCopy() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2, 3])
    let leader = try rig.node(1).partition()
    for round in 0..<20 {
      #expect(try leader.write(["value \(round)", "and more"], acks: .allInSync).next().isKept)
      let wanted = try leader.bytes()
      for copy: Int32 in [2, 3] { #expect(try rig.node(copy).partition().bytes() == wanted) }
      #expect(leader.highWatermark == leader.log.endOffset)
    }
    for copy: Int32 in [2, 3] {
      let partition = try rig.node(copy).partition()
      try partition.until(rig.node(copy)) { $0.highWatermark == Offset(40) }
    }
    #expect(rig.inSync == [1, 2, 3])
  }

  @Test func aWriteToAllWaitsForACopyUntilItLeavesTheInSyncSet() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2, 3])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    try rig.node(3).replication.fetchers.stop()
    let outcome = leader.write(["b"], acks: .allInSync)
    #expect(try leader.write(["c"], acks: .leader).next().isKept, "who asks for less is told at once")
    #expect(try outcome.next().isKept)
    #expect(rig.inSync == [1, 2])
    #expect(try rig.node(3).partition().log.endOffset < leader.log.endOffset)
  }

  @Test func withoutTheMinimumNothingIsAcknowledged() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2, 3], ["min.insync.replicas": "3"])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    try rig.node(3).replication.fetchers.stop()
    #expect(try leader.write(["b"], acks: .allInSync).next().refusal == .notEnoughReplicasAfterAppend)
    #expect(try leader.write(["c"], acks: .allInSync).next().refusal == .notEnoughReplicas)
    #expect(try leader.write(["d"], acks: .leader).next().isKept)
    #expect(leader.highWatermark == Offset(1), "it stands still while too few are in sync")
  }

  @Test func aProducerIsToldWhenItsTimeIsUp() throws {
    let rig = try ClusterRig(["replica.lag.time.max.ms": "60000"])
    try rig.create(replicas: [1, 2])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    try rig.node(2).replication.fetchers.stop()
    #expect(
      try leader.write(["b"], acks: .allInSync, timeout: .milliseconds(30)).next().refusal == .requestTimedOut)
  }

  @Test func aMinimumOfRegionsIsNotMetWithinOne() throws {
    let rig = try ClusterRig(racks: ["eu/1", "eu/2", "us/1"])
    try rig.create(replicas: [1, 2, 3], ["min.insync.replicas": "2", "min.insync.regions": "2"])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    try rig.node(3).replication.fetchers.stop()
    #expect(try leader.write(["b"], acks: .allInSync).next().refusal == .notEnoughReplicasAfterAppend)
    #expect(rig.inSync == [1, 2])
    #expect(try leader.write(["c"], acks: .allInSync).next().refusal == .notEnoughReplicas)
  }

  @Test func anObserverCopiesAndIsNotWaitedFor() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2, 3], observers: [3])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    let observer = try rig.node(3).partition()
    try observer.until(rig.node(3)) { $0.highWatermark == Offset(1) }
    try rig.node(3).replication.fetchers.stop()
    #expect(try leader.write(["b"], acks: .allInSync).next().isKept)
    #expect(rig.inSync == [1, 2])
  }

  @Test func aWriteThatWaitsIsRefusedWhenTheLeaderChanges() throws {
    let rig = try ClusterRig(["replica.lag.time.max.ms": "60000"])
    try rig.create(replicas: [1, 2])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    try rig.node(2).replication.fetchers.stop()
    let outcome = leader.write(["b"], acks: .allInSync)
    try rig.elect(2)
    #expect(try outcome.next().refusal == .notLeaderOrFollower)
    #expect(try leader.write(["c"], acks: .leader).next().refusal == .notLeaderOrFollower)
  }

  /// With `flush.messages=1` the old leader's log ends with what it has synced by then: the new one finds it longer.
  @Test(arguments: ["1", "9223372036854775807"])
  func anOldLeaderCutsOffWhatTheNewOneDoesNotHave(flushMessages: String) throws {
    let rig = try ClusterRig(["replica.lag.time.max.ms": "60000"])
    try rig.create(replicas: [1, 2], ["flush.messages": flushMessages])
    let old = try rig.node(1).partition()
    #expect(try old.write(["both"], acks: .allInSync).next().isKept)
    rig.die(2)
    for value in ["alone", "again"] { #expect(try old.write([value], acks: .leader).next().isKept) }
    rig.die(1)
    try rig.start(2)
    try rig.elect(2)
    let new = try rig.node(2).partition()
    #expect(try new.write(["after"], acks: .leader).next().isKept)
    try rig.start(1)
    let follower = try rig.node(1).partition()
    try follower.until(rig.node(1)) { $0.log.endOffset == Offset(2) && $0.leaderEpoch == LeaderEpoch(1) }
    #expect(try new.write(["all"], acks: .allInSync).next().isKept)
    #expect(try follower.bytes() == new.bytes())
    #expect(follower.endOffset(ofEpoch: LeaderEpoch(0)) == (LeaderEpoch(0), Offset(1)))
  }

  @Test func aCopyThatComesBackKnowsWhatIsCommitted() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2, 3])
    let leader = try rig.node(1).partition()
    for value in ["a", "b", "c"] { #expect(try leader.write([value], acks: .allInSync).next().isKept) }
    let copy = try rig.node(2)
    try copy.partition().until(copy) { $0.highWatermark == Offset(3) }
    copy.storage.saveCheckpoints()
    rig.die(2)
    #expect(try leader.write(["d"], acks: .leader).next().isKept)
    // Nobody is there to be copied from, so that it knows what it has written down and nothing else.
    rig.die(1)
    try rig.start(2)
    #expect(try rig.node(2).partition().highWatermark == Offset(3))
    #expect(try rig.node(2).storage.directories.home.highWatermarks.values.sorted() == [Offset(3)])
  }

  @Test func aCopyThatWasCutOffCatchesUpAndJoinsAgain() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    rig.die(2)
    for round in 0..<50 { #expect(try leader.write(["\(round)"], acks: .leader).next().isKept) }
    try rig.until { $0.inSync == [1] }
    try rig.start(2)
    try rig.until { $0.inSync == [1, 2] }
    #expect(try leader.write(["z"], acks: .allInSync).next().isKept)
    #expect(try rig.node(2).partition().bytes() == leader.bytes())
  }

  @Test func aPartitionThatMovesAwayIsClosed() throws {
    let rig = try ClusterRig()
    try rig.create(replicas: [1, 2])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    var change = PartitionChange(inSync: [NodeID(1)])
    change.replicas = [NodeID(1), NodeID(3)]
    change.directories = [.zero, .zero]
    try rig.controller.apply([.partitionChanged(topic: ClusterRig.topic, PartitionIndex(0), change)])
    let held = try #require(rig.node(2).storage.table.topic(ClusterRig.topic))
    #expect(held.partition(0) == nil)
    #expect(held.absence(of: 0) == .notLeaderOrFollower)
    #expect(held.absence(of: 1) == .unknownTopicOrPartition)
    try rig.until { $0.inSync == [1, 3] }
    #expect(try rig.node(3).partition().bytes() == leader.bytes())
  }

  @Test func aConsumerReadsFromACopyWhatIsCommitted() throws {
    let rig = try ClusterRig(racks: ["eu", "us"])
    try rig.create(replicas: [1, 2])
    let leader = try rig.node(1).partition()
    #expect(try leader.write(["a"], acks: .allInSync).next().isKept)
    let copy = try rig.node(2)
    try copy.partition().until(copy) { $0.highWatermark == Offset(1) }
    var ask = KafkaProtocol.FetchRequest.Partition()
    ask.partitionMaxBytes = 1 << 20
    let item = FetchItem(key: FetchKey(topic: .id(ClusterRig.topic), partition: 0), ask: ask)
    func read(_ node: RigNode, version: Int16, region: Region? = nil) -> FetchedPartition? {
      FetchPlan(
        items: [item], version: version, maxBytes: 1 << 20, source: .consumer(region: region)
      ).read(from: node.storage.table).items.first?.fetched
    }
    let fetched = try #require(read(copy, version: 13))
    #expect(try fetched.records?.bytes() == leader.bytes())
    #expect(read(copy, version: 10)?.answer.errorCode == .notLeaderOrFollower)
    let sent = try #require(read(rig.node(1), version: 13, region: Region("us")))
    #expect(sent.answer.preferredReadReplica == 2)
    #expect(sent.records == nil)
    #expect(try read(rig.node(1), version: 13, region: Region("eu"))?.answer.preferredReadReplica == -1)
  }

  /// With thousands of quiet partitions in a session, only those with news become part of an answer.
  @Test func whatAFollowerKnowsIsNoPartOfItsAnswer() throws {
    let rig = try ClusterRig(racks: ["a", "b"])
    try rig.create(replicas: [1, 2])
    let node = try rig.node(1)
    #expect(try node.partition().write(["a"], acks: .allInSync).next().isKept)
    let life = try #require(rig.controller.image.brokers[NodeID(2)]?.epoch)
    func read(_ told: FetchItem.Told, offset: Int64) -> FetchResult {
      var ask = KafkaProtocol.FetchRequest.Partition()
      ask.fetchOffset = offset
      ask.logStartOffset = 0
      ask.partitionMaxBytes = 1 << 20
      let item = FetchItem(key: FetchKey(topic: .id(ClusterRig.topic), partition: 0), ask: ask, told: told)
      return FetchPlan(
        items: [item], version: 17, maxBytes: 1 << 20,
        source: .follower(NodeID(2), BrokerEpoch(life))
      ).read(from: node.storage.table)
    }
    let quiet = read(.these(highWatermark: 1, logStart: 0, lastStable: 1), offset: 1)
    #expect(quiet.items.isEmpty)
    #expect(quiet.quiet.map(\.seen) == [Offset(1)])
    #expect(read(.these(highWatermark: 0, logStart: 0, lastStable: 0), offset: 1).items.count == 1)
    #expect(read(.these(highWatermark: 1, logStart: 0, lastStable: 1), offset: 0).items.first?.fetched.records != nil)
    #expect(read(.nothing, offset: 1).items.count == 1)
  }

  /// Leaders move and processes die while producers write: what was acknowledged is there once, in every copy.
  @Test(arguments: [UInt64(1), 2, 3], ["1", "9223372036854775807"])
  func nothingThatWasAcknowledgedIsLost(seed: UInt64, flushMessages: String) throws {
    var random = SeededRandom(seed: seed)
    // However slow the disk is, nobody leaves the set but the dead.
    let rig = try ClusterRig(["replica.lag.time.max.ms": "60000"])
    try rig.create(replicas: [1, 2, 3], ["min.insync.replicas": "2", "flush.messages": flushMessages])
    var waiting: [(value: String, outcome: Events<AppendOutcome>)] = []
    var acknowledged: [String] = []
    for step in 0..<60 {
      let leads = try #require(rig.controller.image.topics[ClusterRig.topic]?.partitions.first?.leader.value)
      for write in 0..<Int.random(in: 0...4, using: &random) {
        let value = "step \(step) write \(write)"
        waiting.append((value, try rig.node(leads).partition().write([value], acks: .allInSync)))
      }
      let drawn = Int32.random(in: 1...3, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: try rig.elect(without: Set([1, 2, 3]).subtracting(rig.nodes.keys).first, preferring: drawn)
      case 1 where rig.nodes.count == 3 && rig.inSync.count > 1:
        rig.die(drawn)
        try rig.elect(without: drawn, preferring: leads)
        // Whom a dead process has not told is told nothing.
        if drawn == leads {
          for (value, outcome) in waiting where outcome.count > 0 {
            if try outcome.next().isKept { acknowledged.append(value) }
          }
          waiting = []
        }
      case 2: for id: Int32 in [1, 2, 3] where rig.nodes[id] == nil { try rig.start(id) }
      case 3:
        for (value, outcome) in waiting { if try outcome.next().isKept { acknowledged.append(value) } }
        waiting = []
      default: break
      }
    }
    for id: Int32 in [1, 2, 3] where rig.nodes[id] == nil { try rig.start(id) }
    try rig.until { $0.inSync == [1, 2, 3] }
    let state = try #require(rig.controller.image.topics[ClusterRig.topic]?.partitions.first)
    let leader = try rig.node(state.leader.value).partition()
    #expect(try leader.write(["the last"], acks: .allInSync).next().isKept)
    let wanted = try leader.bytes()
    for id: Int32 in [1, 2, 3] { #expect(try rig.node(id).partition().bytes() == wanted) }
    let values = try Self.values(leader)
    #expect(Set(values).count == values.count)
    for (value, outcome) in waiting { if try outcome.next().isKept { acknowledged.append(value) } }
    #expect(Set(acknowledged).subtracting(values).isEmpty)
  }

  private static func values(_ partition: Partition) throws -> [String] {
    var values: [String] = []
    try partition.log.replay(upTo: partition.log.endOffset) { record in
      values.append(String(decoding: record.value ?? UnsafeRawBufferPointer(start: nil, count: 0), as: UTF8.self))
    }
    return values
  }
}
