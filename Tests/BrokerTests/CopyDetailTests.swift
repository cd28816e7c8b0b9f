import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

@Suite struct AssignedStateTests {
  private func image(_ racks: [String?]) -> MetadataImage {
    var image = MetadataImage()
    for (index, rack) in racks.enumerated() {
      image.replay(
        .brokerRegistered(
          BrokerRegistration(
            id: NodeID(Int32(index + 1)), epoch: Int64(10 + index), incarnation: UniqueID(high: 1, low: 1),
            endpoints: [], rack: rack, isFenced: index == 1, isShuttingDown: index > 0, logDirectories: [])))
    }
    return image
  }

  private func state(leader: Int32) -> ClusterMetadata.PartitionState {
    var state = ClusterMetadata.PartitionState(
      replicas: [NodeID(3), NodeID(1), NodeID(2)], inSync: [NodeID(3), NodeID(1)], leader: NodeID(leader),
      leaderEpoch: LeaderEpoch(7), partitionEpoch: 9, directories: [.zero, .zero, .zero])
    state.observers = [NodeID(2)]
    return state
  }

  @Test func aCopyIsToldOfLivesRegionsAndObservers() {
    let told = Replication.PartitionState(state(leader: 3), in: image(["eu/1", "us", nil]))
    #expect(told.leader == .elected(NodeID(3), BrokerEpoch(12)))
    #expect(told.leaderEpoch == LeaderEpoch(7))
    #expect(told.partitionEpoch == PartitionEpoch(9))
    #expect(told.inSync == [NodeID(1), NodeID(3)])
    #expect(
      told.members == [
        Member(NodeID(3), in: Region("")), Member(NodeID(1), in: Region("eu")),
        Member(NodeID(2), in: Region("us"), .observer),
      ])
  }

  @Test func nobodyLeadsWhoIsNotKnown() {
    #expect(Replication.PartitionState(state(leader: -1), in: image([nil])).leader == .none)
    #expect(Replication.PartitionState(state(leader: 3), in: image([nil])).leader == .none)
  }

  @Test func whoIsFencedOrStoppingIsSaidToBe() {
    #expect(
      image([nil, nil, nil]).statuses(of: [NodeID(1), NodeID(2), NodeID(3), NodeID(4)]) == [
        BrokerStatus(NodeID(1), epoch: BrokerEpoch(10), .active),
        BrokerStatus(NodeID(2), epoch: BrokerEpoch(11), .fenced),
        BrokerStatus(NodeID(3), epoch: BrokerEpoch(12), .stopping),
      ])
  }
}

@Suite struct CopySessionTests {
  private let workshop: Workshop
  private let partition: Partition

  init() throws {
    workshop = try Workshop()
    partition = try workshop.partition()
  }

  private func orders(_ offsets: [Int32: Int64]) -> [CopyKey: FetchOrder] {
    Dictionary(
      uniqueKeysWithValues: offsets.map { index, offset in
        let ask = Replication.FetchRequest(
          id: FetchID(1), from: NodeID(2), brokerEpoch: BrokerEpoch(1), leaderEpoch: LeaderEpoch(0),
          offset: Offset(offset), lastEpoch: .none, logStart: .zero)
        return (
          CopyKey(topic: Workshop.topicID, partition: index),
          FetchOrder(partition: partition, leader: NodeID(1), ask: ask, generation: 0)
        )
      })
  }

  private func asked(_ request: KafkaProtocol.FetchRequest) -> [Int32: Int64] {
    Dictionary(
      uniqueKeysWithValues: request.topics.flatMap(\.partitions).map { ($0.partition, $0.fetchOffset) })
  }

  @Test func onlyWhatChangedIsSaidAgain() {
    var session = CopySession()
    let all = session.request(for: orders([0: 5, 1: 6, 2: 7]), partitionMaxBytes: 100)
    #expect(all.sessionID == 0)
    #expect(all.sessionEpoch == 0)
    #expect(asked(all) == [0: 5, 1: 6, 2: 7])
    session.answered(sessionID: 44)
    for index: Int32 in [0, 1] { session.changed(CopyKey(topic: Workshop.topicID, partition: index)) }
    // 0 got records, 1 was answered and asks for the same, 2 was not answered.
    let next = session.request(for: orders([0: 9, 1: 6, 2: 7]), partitionMaxBytes: 100)
    #expect(next.sessionID == 44)
    #expect(next.sessionEpoch == 1)
    #expect(asked(next) == [0: 9])
    #expect(next.forgottenTopicsData.isEmpty)
    session.answered(sessionID: 44)
    session.changed(CopyKey(topic: Workshop.topicID, partition: 2))
    let last = session.request(for: orders([0: 9, 1: 6]), partitionMaxBytes: 100)
    #expect(last.sessionEpoch == 2)
    #expect(asked(last) == [:])
    #expect(last.forgottenTopicsData.map(\.partitions) == [[2]])
  }

  @Test func withoutASessionEverythingIsSaidAgain() {
    var session = CopySession()
    _ = session.request(for: orders([0: 5]), partitionMaxBytes: 100)
    session.answered(sessionID: 0)
    let again = session.request(for: orders([0: 5]), partitionMaxBytes: 100)
    #expect(again.sessionEpoch == 0)
    #expect(asked(again) == [0: 5])
  }
}

@Suite struct CopiedBatchesTests {
  private func ask(_ offset: Int64, start: Int64 = 0) -> Replication.FetchRequest {
    Replication.FetchRequest(
      id: FetchID(1), from: NodeID(2), brokerEpoch: BrokerEpoch(1), leaderEpoch: LeaderEpoch(5),
      offset: Offset(offset), lastEpoch: .none, logStart: Offset(start))
  }

  private func stored(_ base: Int64, _ values: [String], epoch: Int32) -> [UInt8] {
    var bytes = batch(values)
    bytes.withUnsafeMutableBytes {
      RecordBatchEdit.setBaseOffset(Offset(base), in: $0)
      RecordBatchEdit.setLeaderEpoch(LeaderEpoch(epoch), in: $0)
    }
    return bytes
  }

  private func check(_ bytes: [UInt8], _ ask: Replication.FetchRequest) -> (FetchOutcome, count: Int) {
    bytes.withUnsafeBytes { CopiedBatches.check($0, for: ask, highWatermark: Offset(1), logStart: .zero) }
  }

  @Test func theEpochsOfWhatCameAreFoundAndACutOffEndIsLeftOut() {
    let whole = stored(10, ["a", "b"], epoch: 1) + stored(12, ["c"], epoch: 1) + stored(20, ["d"], epoch: 4)
    let (outcome, count) = check(whole + stored(21, ["e"], epoch: 4).dropLast(), ask(10))
    #expect(count == whole.count)
    #expect(
      outcome
        == .records(
          Copied(
            from: Offset(10), upTo: Offset(21),
            epochs: [EpochStart(LeaderEpoch(1), at: Offset(10)), EpochStart(LeaderEpoch(4), at: Offset(20))],
            highWatermark: Offset(1), logStart: .zero)))
  }

  @Test func nothingIsTheEndOfTheLog() {
    let (outcome, count) = check([], ask(10))
    #expect(count == 0)
    #expect(
      outcome
        == .records(
          Copied(from: Offset(10), upTo: Offset(10), epochs: [], highWatermark: Offset(1), logStart: .zero)))
  }

  @Test func whatIsNotWholeTrueAndInOrderIsRefused() {
    var damaged = stored(10, ["a"], epoch: 1)
    damaged[damaged.count - 1] ^= 1
    let wrong: [[UInt8]] = [
      damaged, stored(11, ["a"], epoch: 1) + stored(11, ["b"], epoch: 1), stored(9, ["a", "b"], epoch: 1),
      stored(8, ["a"], epoch: 1), stored(10, ["a"], epoch: -1), stored(-5, ["a"], epoch: 1),
      Array(stored(10, ["a"], epoch: 1).dropLast()), Array(repeating: 0xff, count: 100),
    ]
    for bytes in wrong {
      let (outcome, count) = check(bytes, ask(10))
      #expect(outcome == .refused(.corruptMessage))
      #expect(count == 0)
    }
  }

  @Test func anEmptyCopyTakesTheBatchThatHoldsItsStart() {
    let bytes = stored(8, ["a", "b", "c"], epoch: 1)
    let (outcome, count) = check(bytes, ask(10, start: 10))
    #expect(count == bytes.count)
    guard case .records(let copied) = outcome else {
      Issue.record("it was refused")
      return
    }
    #expect(copied.start == Offset(10))
    #expect(copied.end == Offset(11))
  }
}

/// What is appended with `flush.messages=1` and not yet synced when the leader's term ends.
@Suite struct UnsyncedTermTests {
  @Test func whatIsNotSyncedYetIsSyncedAndRefusedWhenTheTermEnds() throws {
    let workshop = try Workshop()
    let partition = try workshop.partition("orders", ["flush.messages": "1"])
    workshop.disk.close()
    let outcomes = Events<AppendOutcome>()
    partition.put(["a", "b"]) { outcomes.add($0) }
    #expect(try workshop.disk.began.next() == 1)
    partition.put(["c"]) { outcomes.add($0) }
    #expect(outcomes.count == 0)
    for _ in 0..<4 { workshop.disk.permitOne() }
    let other = NodeID(2)
    partition.assign(
      Replication.PartitionState(
        leader: .elected(other, BrokerEpoch(2)), leaderEpoch: LeaderEpoch(1), partitionEpoch: PartitionEpoch(1),
        inSync: [other], members: [Member(Workshop.node, in: Region("")), Member(other, in: Region(""))]),
      brokers: [])
    // Whoever wanted no other copy was told the truth: the records are on the disk of the leader that took them.
    for _ in 0..<2 { #expect(try outcomes.next().isKept) }
    #expect(partition.log.syncedOffset == Offset(3))
    // The new leader's log is shorter: what was appended last goes, although no sync had told of it.
    partition.put(["d"]) { outcomes.add($0) }
    #expect(try outcomes.next().refusal == .notLeaderOrFollower)
  }

  @Test func aFailedLogAnswersNobodyAndIsReportedOnce() throws {
    let workshop = try Workshop()
    let settings = TopicSettings(
      [:], inherited: ConfigResolution(fixed: [:]), producerExpiry: .seconds(86_400))
    let failures = Events<String>()
    var world = ReplicaWorld(node: Workshop.node, brokerEpoch: BrokerEpoch(1))
    world.storageFailed = { error, partition in failures.add("\(partition.name)") }
    let partition = Partition(
      log: try workshop.log("full"), checkpointed: .zero, settings: settings, world: world, pool: workshop.pool)
    partition.lead(in: LeaderEpoch(0))
    partition.put("before")
    workshop.disk.inner.limitSpace(to: 10)
    let outcomes = Events<AppendOutcome>()
    for value in ["one", "two"] { partition.put([value]) { outcomes.add($0) } }
    for _ in 0..<2 { #expect(try outcomes.next().isFailed) }
    #expect(try failures.next() == "full-0")
    partition.tick(at: monotonicNow(), calm: .zero)
    #expect(failures.count == 0)
    #expect(partition.leadership == nil)
    let ask = Replication.FetchRequest(
      id: FetchID(0), from: NodeID(2), brokerEpoch: BrokerEpoch(1), leaderEpoch: .none, offset: .zero,
      lastEpoch: .none, logStart: .zero)
    #expect(partition.answer(ask, isNew: true) == .refused(.kafkaStorageError))
  }
}
