import ClusterMetadata
import KafkaProtocol
import LogStorage
import MirrorPlanning
import Replication
import Testing
import Vocabulary

@testable import Broker

/// A partition that a mirror writes: what it takes, from whom, and under which epochs.
@Suite struct MirroredPartitionTests {
  private static let ownEpoch = LeaderEpoch(70_000)
  private static let mirrored = ["mirror.link": "eu"]

  private func settings(_ configs: [String: String]) -> TopicSettings {
    TopicSettings(configs, inherited: ConfigResolution(fixed: [:]), producerExpiry: .seconds(86_400))
  }

  private func partition(_ workshop: Workshop, _ configs: [String: String] = mirrored) throws -> Partition {
    let partition = try workshop.partition("orders", configs)
    partition.lead(in: Self.ownEpoch)
    return partition
  }

  private func stored(_ base: Int64, _ values: [String], epoch: Int32) -> [UInt8] {
    var bytes = batch(values)
    bytes.withUnsafeMutableBytes {
      RecordBatchEdit.setBaseOffset(Offset(base), in: $0)
      RecordBatchEdit.setLeaderEpoch(LeaderEpoch(epoch), in: $0)
    }
    return bytes
  }

  /// Copies a batch to where the copy ends.
  private func copy(
    _ partition: Partition, _ base: Int64, _ values: [String], epoch: Int32, at place: CopyPosition? = nil
  ) throws -> Bool {
    let position = try #require(place ?? partition.mirrorPosition(of: "eu"))
    var bytes = stored(base, values, epoch: epoch)
    return bytes.withUnsafeMutableBytes {
      partition.appendMirrored(
        $0, [EpochRun(LeaderEpoch(epoch), at: position.end)], upTo: Offset(base + Int64(values.count)), at: position,
        of: "eu")
    }
  }

  private func outcome(_ partition: Partition, _ value: String = "mine") throws -> AppendOutcome {
    let outcomes = Events<AppendOutcome>()
    partition.put([value]) { outcomes.add($0) }
    return try outcomes.next()
  }

  @Test func whatIsCopiedKeepsItsOffsetsHolesAndEpochs() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a", "b"], epoch: 3))
    #expect(try copy(partition, 7, ["c"], epoch: 5))
    #expect(partition.log.endOffset == Offset(8))
    #expect(partition.highWatermark == Offset(8))
    #expect(partition.mirrorPosition(of: "eu")?.lastEpoch == LeaderEpoch(5))
    #expect(partition.endOffset(ofEpoch: LeaderEpoch(4)) == (LeaderEpoch(3), Offset(2)))
  }

  @Test func clientsAreToldWhoWrites() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try outcome(partition).refusal == .policyViolation)
    #expect(partition.log.endOffset == .zero)
    #expect(partition.clientRefusal?.message.contains("'eu'") == true)
  }

  @Test func whatComesLateIsNotAppended() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    let place = try #require(partition.mirrorPosition(of: "eu"))
    #expect(try copy(partition, 0, ["a"], epoch: 3))
    // Of the place before, of an earlier term, and of another mirror.
    #expect(try !copy(partition, 0, ["b"], epoch: 3, at: place))
    let now = try #require(partition.mirrorPosition(of: "eu"))
    partition.lead(in: LeaderEpoch(70_001))
    #expect(try !copy(partition, 1, ["c"], epoch: 3, at: now))
    #expect(partition.mirrorPosition(of: "us") == nil)
    #expect(partition.log.endOffset == Offset(1))
  }

  @Test func aPartitionTakesWritesFromTheNextEpochOn() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a"], epoch: 3))
    let place = try #require(partition.mirrorPosition(of: "eu"))
    partition.update(settings: settings([:]))
    #expect(try outcome(partition).refusal == .notLeaderOrFollower)
    #expect(try !copy(partition, 1, ["late"], epoch: 3, at: place))
    partition.lead(in: LeaderEpoch(70_001))
    #expect(try outcome(partition).isKept)
    #expect(partition.endOffset(ofEpoch: LeaderEpoch(3)) == (LeaderEpoch(3), Offset(1)))
  }

  /// Brokers read the metadata at their own pace: a follower may fetch in the new epoch before the leader has read of it.
  @Test func aFollowerThatIsAheadKeepsNobodyFromWriting() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    let next = LeaderEpoch(70_001)
    let ask = Replication.FetchRequest(
      id: FetchID(1), from: Workshop.node, brokerEpoch: BrokerEpoch(1), leaderEpoch: next, offset: .zero,
      lastEpoch: .none, logStart: .zero)
    _ = partition.answer(ask, isNew: true)
    #expect(partition.leaderEpoch == next)
    partition.update(settings: settings([:]))
    partition.lead(in: next)
    #expect(try outcome(partition).isKept)
  }

  @Test func whileAnotherClusterTakesOverProducersTryAgain() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop, [:])
    #expect(try outcome(partition).isKept)
    partition.update(settings: settings(["mirror.fence": "other:1"]))
    #expect(try outcome(partition).refusal == .notEnoughReplicas)
    partition.update(settings: settings([:]))
    #expect(try outcome(partition).isKept)
  }

  /// Whoever takes over asks for the end once it has heard that the partition is closed.
  @Test func whatWasLetInBeforeTheFenceIsCountedWhenItIsThere() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop, ["flush.messages": "1"])
    workshop.disk.close()
    let outcomes = Events<AppendOutcome>()
    partition.put(["a", "b"]) { outcomes.add($0) }
    #expect(try workshop.disk.began.next() == 1)
    partition.put(["c"]) { outcomes.add($0) }
    for _ in 0..<4 { workshop.disk.permitOne() }
    partition.update(settings: settings(["flush.messages": "1", "mirror.fence": "other:1"]))
    #expect(partition.endOffset(ofEpoch: Self.ownEpoch).1 == Offset(3))
    for _ in 0..<2 { #expect(try outcomes.next().isKept) }
  }

  @Test func behindAGapTheCopyBeginsAnew() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a"], epoch: 3))
    let place = try #require(partition.mirrorPosition(of: "eu"))
    #expect(partition.restartMirrored(at: Offset(40), at: place, of: "eu"))
    #expect(partition.log.startOffset == Offset(40) && partition.highWatermark == Offset(40))
    #expect(try copy(partition, 40, ["b"], epoch: 3))
    #expect(partition.log.endOffset == Offset(41))
  }

  @Test func whatTheSourceRemovedIsRemovedHereAsFarAsItIsCommitted() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a", "b", "c"], epoch: 3))
    let place = try #require(partition.mirrorPosition(of: "eu"))
    partition.removeMirrored(before: Offset(2), at: place, of: "eu")
    #expect(partition.log.startOffset == Offset(2))
  }

  @Test func whatTheSourceDoesNotHaveIsKeptInAFileAndThenCutOff() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a", "b"], epoch: 3))
    #expect(try copy(partition, 2, ["c", "d", "e"], epoch: 4))
    let place = try #require(partition.mirrorPosition(of: "eu"))
    guard case .kept(let kept) = try partition.log.keep(from: Offset(2), as: "test", bytesMax: 1 << 20) else {
      Issue.record("it is not kept")
      return
    }
    #expect(kept.records == 3 && kept.start == Offset(2) && kept.end == Offset(5))
    #expect(try partition.log.lastBatches(below: Offset(2), within: 1 << 20).map(\.baseOffset) == [Offset(0)])
    #expect(partition.truncateMirrored(to: Offset(2), at: place, of: "eu"))
    #expect(partition.log.endOffset == Offset(2) && partition.highWatermark == Offset(2))
    // Of the log before, and for another mirror.
    #expect(!partition.truncateMirrored(to: Offset(1), at: place, of: "eu"))
    #expect(try copy(partition, 2, ["x"], epoch: 6))
    #expect(partition.highWatermark == Offset(3))
  }

  @Test func moreThanMayBeKeptIsNotKept() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop)
    #expect(try copy(partition, 0, ["a", "b"], epoch: 3))
    guard case .tooMuch = try partition.log.keep(from: .zero, as: "test", bytesMax: 10) else {
      Issue.record("it is kept")
      return
    }
    #expect(partition.log.endOffset == Offset(2))
  }

  /// What was let in and is not on the disk yet counts as well: the copy goes on behind it, or sets it aside.
  @Test func aTopicThatIsGivenUpIsCopiedFromWhereItEnds() throws {
    let workshop = try Workshop()
    let partition = try partition(workshop, ["flush.messages": "1"])
    workshop.disk.close()
    let outcomes = Events<AppendOutcome>()
    partition.put(["a", "b"]) { outcomes.add($0) }
    #expect(try workshop.disk.began.next() == 1)
    partition.put(["c"]) { outcomes.add($0) }
    for _ in 0..<4 { workshop.disk.permitOne() }
    partition.update(settings: settings(["flush.messages": "1", "mirror.link": "eu"]))
    #expect(partition.mirrorPosition(of: "eu")?.end == Offset(3))
    #expect(partition.endOffset(ofEpoch: Self.ownEpoch).1 == Offset(3))
    for _ in 0..<2 { #expect(try outcomes.next().isKept) }
    #expect(try outcome(partition).refusal == .policyViolation)
  }
}
