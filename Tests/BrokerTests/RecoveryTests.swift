import ClusterMetadata
import Consensus
import KafkaProtocol
import LogStorage
import SimulatedWorld
import Testing
import Vocabulary

@testable import Broker

/// Two of five voters are left, on one disk: node 1, which has an older epoch, and node 2.
private struct Remains {
  static let cluster = "lost-cluster"
  static let voters = VoterSet((1...5).map { voter($0) })
  let disk: SimulatedDisk

  static func voter(_ id: Int32) -> Voter {
    Voter(
      ReplicaKey(NodeID(id), UniqueID(high: 5, low: UInt64(id))),
      endpoints: [Consensus.Endpoint(listener: "CONTROLLER", host: "node\(id)", port: 9093)])
  }

  init(seed: UInt64 = 1) throws {
    disk = SimulatedDisk(seed: seed)
    try write(1, epoch: 1, levels: 9)
    try write(2, epoch: 4, levels: 6)
  }

  func folder(_ id: Int32) -> String { "node\(id)" }
  func metadata(_ id: Int32) -> String { "\(folder(id))/\(MetadataLog.folder)" }

  func write(_ id: Int32, epoch: Int32, levels: Int16) throws {
    try disk.createDirectory(folder(id))
    let directory = try LogDirectory.open(
      disk: disk, openFiles: OpenFiles(), path: folder(id),
      expected: DirectoryIdentity(
        clusterID: Self.cluster, nodeID: NodeID(id), directoryID: Self.voter(id).key.directory))
    let log = try directory.openMetadataLog(now: Timestamp(milliseconds: 1))
    let epoch = LeaderEpoch(epoch)
    let now = Timestamp(milliseconds: 1)
    var batches = [
      MetadataBatches.control([.voters(VoterRecords.record(Self.voters))], base: .zero, epoch: epoch, now: now)
    ]
    for level in 1...levels {
      batches.append(
        MetadataBatches.data([feature("x", level)], base: Offset(Int64(level)), epoch: epoch, now: now))
    }
    for var bytes in batches {
      _ = try bytes.withUnsafeMutableBytes {
        try log.append($0, origin: .replica, leaderEpoch: epoch, now: now)
      }.get()
    }
    log.close()
    try ElectionFile.write(ElectionRecord(epoch: LeaderEpoch(7)), disk, metadata(id))
    try directory.markClean(epoch: 12)
    directory.release()
  }

  func recovery(_ ids: [Int32] = [1, 2], reports: [String] = []) throws -> QuorumRecovery {
    try QuorumRecovery(folders: ids.map(folder), reports: reports, disk: disk)
  }

  func recover(_ ids: [Int32] = [1, 2], reports: [String] = []) throws {
    let recovery = try recovery(ids, reports: reports)
    _ = try recovery.perform(try recovery.decide())
    try recovery.release()
  }

  func loaded(_ id: Int32) throws -> LoadedQuorum {
    let directory = try LogDirectory.open(
      disk: disk, openFiles: OpenFiles(), path: folder(id),
      expected: DirectoryIdentity(clusterID: Self.cluster, nodeID: NodeID(id), directoryID: .zero))
    try RecoveryJournal.checkFinished(directory)
    return try LoadedQuorum(
      try directory.openMetadataLog(now: Timestamp(milliseconds: 1)), SnapshotFile(disk: disk, folder: metadata(id)),
      configured: Self.voters)
  }

  func expectRecovered() throws {
    let alone = VoterSet([Self.voter(2)])
    let seed = try loaded(2)
    #expect(seed.index.voters == alone)
    #expect(seed.index.lastEpoch == LeaderEpoch(8), "7 was seen")
    #expect(seed.election.epoch == LeaderEpoch(8))
    #expect(seed.index.end == Offset(9), "seven records, and the two that the recovery adds")
    let other = try loaded(1)
    #expect(other.index.voters == alone, "it looks for the seed, and votes no longer")
    #expect(other.index.end == .zero)
  }

  func journal(_ id: Int32) throws -> RecoveryJournal? { try RecoveryJournal.read(disk, folder(id)) }

  func write(_ path: String, _ text: String) throws {
    try disk.create(path).write(Array(text.utf8), at: 0)
  }
}

@Suite struct RecoveryTests {
  @Test func theSeedVotesAloneAndTheOthersBeginAgain() throws {
    let remains = try Remains()
    let recovery = try remains.recovery()
    let decision = try recovery.decide()
    #expect(decision.clusterID == Remains.cluster)
    #expect(decision.explanation.contains("The seed is node 2"))
    #expect(decision.explanation.contains("only the voters who are gone (3, 4, 5) had"))
    #expect(try remains.journal(1) == nil, "nothing is written before it is agreed to")
    let said = try recovery.perform(decision)
    try recovery.release()
    #expect(said.contains("node2: node 2 is the only voter, from epoch 8 on"))
    #expect(said.contains("node1: node 1 begins again as an observer; its old log is __cluster_metadata-0."))
    try remains.expectRecovered()
  }

  @Test func aCleanStopStaysOne() throws {
    let remains = try Remains()
    try remains.recover()
    for id in [1, 2] as [Int32] {
      let directory = try LogDirectory.open(
        disk: remains.disk, openFiles: OpenFiles(), path: remains.folder(id),
        expected: DirectoryIdentity(clusterID: Remains.cluster, nodeID: NodeID(id), directoryID: .zero))
      #expect(directory.previousEpoch == 12)
    }
  }

  /// The power fails at some effect of the disk, once in the first attempt and once in the second: then it is brought to
  /// its end, and until then no node starts from what is half done.
  @Test(arguments: 0..<90) func aRecoveryIsBroughtToItsEndAfterACrashAnywhere(effect: Int) throws {
    let remains = try Remains(seed: UInt64(effect) + 1)
    let disk = remains.disk
    for attempt in 0..<2 {
      disk.cutPower(atEffect: disk.effects + (attempt == 0 ? effect : effect * 7 % 60))
      _ = try? remains.recover()
      disk.cutPower(atEffect: nil)
      disk.cutPower()
      disk.restorePower()
      for id in [1, 2] as [Int32] where try remains.journal(id).map({ $0.step != .finished }) ?? false {
        #expect(throws: StartRefusal.self) { try remains.loaded(id) }
      }
    }
    let journals = [try remains.journal(1), try remains.journal(2)]
    if journals.contains(where: { $0?.step != .finished }) { try remains.recover() }
    try remains.expectRecovered()
  }

  @Test func survivorsOnDifferentMachinesComeToTheSamePlanByReports() throws {
    let remains = try Remains()
    let lines = ([1, 2] as [Int32]).map { id in
      Result {
        let recovery = try remains.recovery([id])
        defer { try? recovery.release() }
        return recovery.reportLines.joined()
      }
    }
    try remains.write("reports", try lines.map { try $0.get() }.joined(separator: "\n") + "\n")
    try remains.recover([1], reports: ["reports"])
    try remains.recover([2], reports: ["reports"])
    try remains.expectRecovered()
  }

  @Test func aReportComesBackAsItWasWritten() throws {
    let survivor = Survivor(
      Remains.voter(1).key, epoch: LeaderEpoch(7), lastEpoch: LeaderEpoch(4), end: Offset(12), voters: Remains.voters)
    let report = SurvivorReport(clusterID: "a \"b\"", survivor)
    #expect(SurvivorReport(Array(report.text.utf8)) == report)
    #expect(SurvivorReport(Array(report.text.utf8.dropLast(3))) == nil)
    #expect(SurvivorReport([]) == nil)
  }

  @Test func aResumedRecoveryRefusesAnotherSeed() throws {
    let remains = try Remains()
    // It was begun on the machine of node 1 alone.
    let alone = try remains.recovery([1])
    let decision = try alone.decide()
    try decision.journal.write(remains.disk, remains.folder(1))
    try alone.release()
    let error = #expect(throws: StartRefusal.self) { try remains.recovery().decide() }
    #expect(error?.description.contains("node 2, which has more, would be another seed") == true)
    #expect(try remains.journal(2) == nil)
    // Without it, what was begun comes to its end.
    try remains.recover([1])
    #expect(try remains.loaded(1).index.voters == VoterSet([Remains.voter(1)]))
  }

  @Test func aMajorityThatIsThereIsNotOverruled() throws {
    let remains = try Remains()
    try remains.write(3, epoch: 4, levels: 6)
    let error = #expect(throws: StartRefusal.self) { try remains.recovery([1, 2, 3]).decide() }
    #expect(error?.description.contains("3 of the 5 voters (1, 2, 3, 4, 5) are there") == true)
  }

  @Test func aNodeThatRunsIsLeftAlone() throws {
    let remains = try Remains()
    let directory = try LogDirectory.open(
      disk: remains.disk, openFiles: OpenFiles(), path: remains.folder(1),
      expected: DirectoryIdentity(clusterID: Remains.cluster, nodeID: NodeID(1), directoryID: .zero))
    let error = #expect(throws: DirectoryRefusal.self) { try remains.recovery() }
    #expect(error?.description.contains("in use by another process") == true)
    directory.release()
  }

  @Test func aJournalThatCannotBeReadIsNotPassedOver() throws {
    let remains = try Remains()
    try remains.write("node1/\(RecoveryJournal.name)", "{}")
    #expect(throws: StartRefusal.self) { try remains.recovery() }
    #expect(throws: StartRefusal.self) { try remains.loaded(1) }
  }
}
