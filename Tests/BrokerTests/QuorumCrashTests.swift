import ClusterMetadata
import Consensus
import EventLoop
import KafkaProtocol
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// What a node finds after a crash, wherever it happened.
@Suite struct QuorumCrashTests {
  /// The power fails at some effect of the disk: what was committed is there afterwards, also across snapshots.
  @Test(arguments: 0..<60) func whatWasCommittedSurvivesAnyLossOfPower(effect: Int) throws {
    let node = try QuorumNode(Int32(effect))
    try node.start { $0.snapshotInterval = ByteCount(300) }
    let epoch = try node.recorder.untilLeading()
    node.disk.cutPower(atEffect: node.disk.effects + effect)
    var committed: Int16 = 0
    for level in 1...12 as ClosedRange<Int16> {
      guard let end = try? node.append([feature("x", level)], in: epoch) else { break }
      let isCommitted = try node.recorder.first { told -> Bool? in
        switch told {
        case .committed(_, let applied) where applied >= end: true
        case .trouble(let words) where words.contains("has stopped"): false
        default: nil
        }
      }
      guard isCommitted else { break }
      committed = level
    }
    node.disk.cutPower(atEffect: nil)
    node.disk.cutPower()
    node.stop()
    node.disk.restorePower()
    try node.start()
    let next = try node.recorder.untilLeading()
    #expect(next > epoch, "what it promised in its epoch it has not forgotten")
    #expect(node.quorum?.image.features["x"] ?? 0 >= committed)
  }

  private static func batch(_ level: Int16, at base: Int64, _ epoch: Int32) -> [UInt8] {
    MetadataBatches.data(
      [feature("x", level)], base: Offset(base), epoch: LeaderEpoch(epoch), now: Timestamp(milliseconds: 1))
  }

  /// A log of one record an offset, and a snapshot beside it, as a crash between the two may leave them.
  private func node(records: Int64, epoch: Int32, snapshot: SnapshotID) throws -> QuorumNode {
    let node = try QuorumNode(1)
    let log = try QuorumNode.log(node.disk)
    for base in 0..<records {
      var bytes = Self.batch(Int16(base + 1), at: base, epoch)
      _ = try bytes.withUnsafeMutableBytes {
        try log.append($0, origin: .replica, leaderEpoch: LeaderEpoch(0), now: Timestamp(milliseconds: 1))
      }.get()
    }
    log.close()
    var image = MetadataImage()
    image.replay(feature("snapshot"))
    let time = Timestamp(milliseconds: 1)
    _ = try SnapshotFile(disk: node.disk, folder: QuorumNode.folder).write(
      snapshot, SnapshotFile.Content(image: image, voters: VoterSet([node.voter])), lastTimestamp: time, now: time)
    return node
  }

  @Test func aSnapshotBeyondTheLogTakesItsPlace() throws {
    let node = try node(
      records: 3, epoch: 1, snapshot: SnapshotID(end: Offset(50), epoch: LeaderEpoch(4)))
    try node.start()
    let epoch = try node.recorder.untilLeading()
    #expect(epoch == LeaderEpoch(5), "the epoch of the snapshot is known, too")
    #expect(node.quorum?.image.features == ["snapshot": 1])
    #expect(try node.append([feature("y")], in: epoch).value > 50)
  }

  @Test func aLogThatPartsFromTheSnapshotIsGone() throws {
    let node = try node(
      records: 9, epoch: 1, snapshot: SnapshotID(end: Offset(5), epoch: LeaderEpoch(2)))
    try node.start()
    _ = try node.recorder.untilLeading()
    #expect(node.quorum?.image.features == ["snapshot": 1])
    #expect(node.quorum?.setup.log.startOffset == Offset(5))
  }

  @Test func whatFollowsTheSnapshotInTheSameLogStays() throws {
    let node = try node(
      records: 9, epoch: 1, snapshot: SnapshotID(end: Offset(5), epoch: LeaderEpoch(1)))
    try node.start()
    _ = try node.recorder.untilLeading()
    #expect(node.quorum?.image.features == ["snapshot": 1, "x": 9])
    #expect(node.quorum?.setup.log.startOffset == Offset(5))
  }

  @Test func aDamagedSnapshotIsNotBelieved() throws {
    let id = SnapshotID(end: Offset(5), epoch: LeaderEpoch(1))
    let node = try node(records: 9, epoch: 1, snapshot: id)
    node.disk.damage("\(QuorumNode.folder)/\(SnapshotFile.name(id))") { $0[100] ^= 1 }
    #expect(throws: StorageError.self) { try node.start() }
  }

  /// Three nodes, one of which stops and comes back again and again while records are appended.
  @Test(arguments: 0..<3 as Range<UInt64>) func whoeverStopsAndComesBackNothingIsLost(seed: UInt64) throws {
    let cluster = try QuorumNodes(3)
    let nodes = cluster.all
    for node in nodes { try cluster.start(node) { $0.snapshotInterval = ByteCount(2000) } }
    var random = SeededRandom(seed: seed)
    var committed: Int16 = 0
    for round in 1...6 as ClosedRange<Int16> {
      // Whoever stops was perhaps the leader: the others elect one.
      let stopped = nodes[Int(random.next() % 3)]
      stopped.stop()
      let running = nodes.filter { $0.id != stopped.id }
      let (leader, epoch) = try cluster.leader(of: running)
      #expect(leader.quorum?.image.features["x"] ?? 0 >= committed, "a leader knows everything")
      for step in 1...10 as ClosedRange<Int16> {
        let level = round * 100 + step
        guard let end = try? leader.append([feature("x", level)], in: epoch) else { break }
        let isCommitted = try leader.recorder.first { told -> Bool? in
          switch told {
          case .committed(_, let applied) where applied >= end: true
          case .leadsNoLonger: false
          default: nil
          }
        }
        guard isCommitted else { break }
        committed = level
      }
      try cluster.start(stopped) { $0.snapshotInterval = ByteCount(2000) }
    }
    // Whoever leads may lose it to another while the last one comes back.
    let end = try cluster.until { () -> Offset? in
      let (last, epoch) = try cluster.leader(of: nodes)
      guard let end = try? last.append([feature("end")], in: epoch) else { return nil }
      return try cluster.until { () -> Bool? in
        if last.quorum?.leader?.epoch != epoch { return false }
        return (last.quorum?.appliedOffset ?? .zero) >= end ? true : nil
      } ? end : nil
    }
    try cluster.until { nodes.allSatisfy { $0.quorum?.appliedOffset ?? .zero >= end } ? () : nil }
    let images = nodes.map { $0.quorum?.image }
    #expect(images[0] == images[1] && images[1] == images[2])
    #expect(images[0]?.features["x"] ?? 0 >= committed)
    #expect(nodes.allSatisfy { $0.quorum?.failure == nil })
  }
}
