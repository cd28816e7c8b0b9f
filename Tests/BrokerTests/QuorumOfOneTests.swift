import ClusterMetadata
import Consensus
import EventLoop
import KafkaProtocol
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

@Suite struct QuorumOfOneTests {
  @Test func aNodeAloneLeadsAndCommitsWhatItAppends() throws {
    let node = try QuorumNode(1)
    try node.start()
    let epoch = try node.recorder.untilLeading()
    #expect(epoch == LeaderEpoch(1))
    let end = try node.append([feature("a"), feature("b", 2)], in: epoch)
    try node.recorder.until(end)
    let quorum = try #require(node.quorum)
    #expect(quorum.image.features == ["a": 1, "b": 2])
    #expect(quorum.appliedOffset == end)
    #expect(quorum.setup.log.syncedOffset >= end, "what is committed is on disk")
    #expect(quorum.leader?.id == NodeID(1))
    #expect(quorum.status.role == "leader")
    #expect(quorum.status.highWatermark == end)
  }

  @Test func whatWasCommittedIsThereAfterARestartInANewerEpoch() throws {
    let node = try QuorumNode(1)
    try node.start()
    var epoch = try node.recorder.untilLeading()
    for level in 1...3 {
      let end = try node.append([feature("level", Int16(level))], in: epoch)
      try node.recorder.until(end)
      node.stop()
      try node.start()
      let next = try node.recorder.untilLeading()
      #expect(next > epoch)
      epoch = next
      #expect(node.quorum?.image.features == ["level": Int16(level)], "a leader knows everything")
    }
  }

  /// Brokers before there was a quorum wrote batches with the epoch 1, no LeaderChange, and no quorum-state.
  @Test func aLogFromBeforeTheQuorumIsTakenOver() throws {
    let node = try QuorumNode(1)
    let log = try QuorumNode.log(node.disk)
    let old = FormerMetadataLog(log: log)
    try old.append([feature("a")])
    try old.append([feature("b", 7), .producerIDsAllocated(NodeID(1), next: ProducerID(2000))])
    log.close()
    try node.start()
    let epoch = try node.recorder.untilLeading()
    #expect(epoch == LeaderEpoch(2))
    let image = try #require(node.quorum).image
    #expect(image.features == ["a": 1, "b": 7])
    #expect(image.nextProducerID == ProducerID(2000))
    let end = try node.append([feature("a", 2)], in: epoch)
    try node.recorder.until(end)
    node.stop()
    try node.start()
    _ = try node.recorder.untilLeading()
    #expect(node.quorum?.image.features == ["a": 2, "b": 7])
  }

  @Test func manyAppendsShareOneFlush() throws {
    let node = try QuorumNode(1)
    try node.start()
    let epoch = try node.recorder.untilLeading()
    let quorum = try #require(node.quorum)
    let done = Events<(Offset, Int)>()
    let disk = node.disk
    quorum.run {
      let before = disk.effects
      var end = Offset.zero
      for level in 1...100 { end = (try? quorum.append([feature("x", Int16(level))], in: epoch)) ?? end }
      done.add((end, disk.effects - before))
    }
    let (end, effects) = try done.next()
    #expect(effects == 100, "each is written, and none is flushed by itself")
    try node.recorder.until(end)
    #expect(quorum.image.features == ["x": 100])
  }

  @Test func anAppendInAnotherEpochIsRefused() throws {
    let node = try QuorumNode(1)
    try node.start()
    let epoch = try node.recorder.untilLeading()
    #expect(throws: Refusal.self) { try node.append([feature("a")], in: LeaderEpoch(epoch.value + 1)) }
    #expect(throws: Refusal.self) { try node.append([feature("a")], in: LeaderEpoch(epoch.value - 1)) }
    #expect(node.quorum?.image.features == [:])
  }

  @Test func anObserverMayAppendFromItsCallback() throws {
    final class Eager: MetadataQuorumObserver {
      let quorum: MetadataQuorum
      let ends = Events<Offset>()
      let appended = Events<Offset>()
      init(_ quorum: MetadataQuorum) { self.quorum = quorum }
      func committed(_ records: [ClusterMetadata.MetadataRecord], _ image: MetadataImage, upTo: Offset) {
        ends.add(upTo)
      }
      func replaced(by image: MetadataImage, upTo: Offset) {}
      func becameLeader(_ epoch: LeaderEpoch) {
        for name in ["a", "b"] {
          if let end = try? quorum.append([feature(name)], in: epoch) { appended.add(end) }
        }
      }
      func lostLeadership(_ epoch: LeaderEpoch) {}
      func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch) {}
    }
    let node = try QuorumNode(1)
    let quorum = try MetadataQuorum(try node.setup())
    let eager = Eager(quorum)
    quorum.start(eager)
    let first = try eager.appended.next()
    let second = try eager.appended.next()
    #expect(second == first + 1)
    while try eager.ends.next() < second {}
    #expect(quorum.image.features == ["a": 1, "b": 1])
    quorum.stop()
  }

  @Test func aSnapshotTakesThePlaceOfTheLog() throws {
    let node = try QuorumNode(1)
    try node.start { $0.snapshotInterval = ByteCount(1) }
    let epoch = try node.recorder.untilLeading()
    var end = Offset.zero
    for level in 1...40 {
      end = try node.append([feature("x", Int16(level))], in: epoch)
      try node.recorder.until(end)
    }
    let quorum = try #require(node.quorum)
    // The pool ends the snapshot that is under way; what follows from it comes to the thread after that.
    let taken = Events<Offset>()
    node.pool.run { quorum.run { taken.add(quorum.setup.log.startOffset) } }
    #expect(try taken.next() > .zero)
    #expect(quorum.setup.log.segmentCount <= 3, "segments that a snapshot holds are removed")
    node.stop()
    let files = try SnapshotFile(disk: node.disk, folder: QuorumNode.folder).list()
    #expect(files.count <= 2, "older ones are removed")
    try node.start()
    #expect(node.quorum?.image.features["x"] ?? 0 > 0, "a start begins with the snapshot")
    let next = try node.recorder.untilLeading()
    #expect(node.quorum?.image.features == ["x": 40])
    #expect(next > epoch)
    #expect(node.quorum?.status.voters.voters.map(\.key) == [ReplicaKey(NodeID(1), node.directory)])
  }

  @Test func aFailedFlushStopsTheReplicaBeforeAnythingIsCommitted() throws {
    let node = try QuorumNode(1)
    try node.start()
    let epoch = try node.recorder.untilLeading()
    node.disk.failNextSync()
    _ = try node.append([feature("lost")], in: epoch)
    let reason = try node.recorder.first { if case .trouble(let reason) = $0 { reason } else { nil } }
    #expect(reason.contains("stopped"))
    #expect(try node.recorder.first { if case .leadsNoLonger(let epoch) = $0 { epoch } else { nil } } == epoch)
    #expect(node.quorum?.image.features == [:])
    #expect(node.quorum?.failure != nil)
    #expect(node.quorum?.leader == nil)
  }

  @Test func aRecordThatIsNotKnownStopsTheReplica() throws {
    let node = try QuorumNode(1)
    let log = try QuorumNode.log(node.disk)
    var builder = RecordBatchBuilder(leaderEpoch: LeaderEpoch(1))
    builder.append(
      timestamp: Timestamp(milliseconds: 1), key: nil,
      value: KafkaProtocol.MetadataRecord.noOp(NoOpRecord()).encodeValue())
    var bytes = builder.build()
    _ = try bytes.withUnsafeMutableBytes {
      try log.append($0, origin: .replica, leaderEpoch: LeaderEpoch(1), now: Timestamp(milliseconds: 1))
    }.get()
    log.close()
    try node.start()
    let reason = try node.recorder.first { if case .trouble(let reason) = $0 { reason } else { nil } }
    #expect(reason.contains("the record at offset 0 is of a kind that this version does not know"))
  }

  @Test func aFormattedQuorumBeginsWithItsVoters() throws {
    let node = try QuorumNode(1)
    try QuorumBootstrap.write(
      voters: VoterSet([node.voter]), folder: QuorumNode.folder, disk: node.disk, now: Timestamp(milliseconds: 1))
    try node.start { $0.bootstrapServers = [node.address] }
    _ = try node.recorder.untilLeading()
    #expect(node.quorum?.status.voters == VoterSet([node.voter]))
  }

  @Test func aControllerThatIsToFindOthersDoesNotLeadByItself() throws {
    let node = try QuorumNode(1)
    try node.start { $0.bootstrapServers = [node.address] }
    let quorum = try #require(node.quorum)
    #expect(quorum.status.voters.count == 0)
    #expect(quorum.status.role == "observer")
    #expect(quorum.leader == nil)
  }

  @Test func aVoterThatIsNoControllerDoesNotStart() throws {
    let node = try QuorumNode(1)
    #expect(throws: StartRefusal.self) {
      try node.start { setup in
        setup.isController = false
        setup.configuredVoters = [(node.id, node.address)]
      }
    }
  }

  @Test func aLogWhoseBeginningIsGoneIsNotBelieved() throws {
    let node = try QuorumNode(1)
    let log = try QuorumNode.log(node.disk)
    try FormerMetadataLog(log: log).append([feature("a"), feature("b")])
    try FormerMetadataLog(log: log).append([feature("c")])
    _ = try log.deleteRecords(before: Offset(2))
    log.close()
    #expect(throws: StartRefusal.self) { try node.start() }
  }
}
