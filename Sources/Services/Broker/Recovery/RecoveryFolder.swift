import Consensus
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

/// The data folder of a stopped node, held against every other process while a quorum is recovered.
struct RecoveryFolder {
  let directory: LogDirectory
  let report: SurvivorReport
  let journal: RecoveryJournal?

  var path: String { directory.path }
  private var metadata: String { directory.folder(of: MetadataLog.partition) }

  /// Reads the log as a start would: what a crash left torn at its end is cut off.
  init(_ path: String, disk: any Disk) throws {
    guard let cluster = try LogDirectory.clusterID(disk: disk, path: path), let node = try Self.node(disk, path) else {
      throw StartRefusal(description: "\(path) is no data folder of a node: it has no meta.properties")
    }
    directory = try LogDirectory.open(
      disk: disk, openFiles: OpenFiles(), path: path,
      expected: DirectoryIdentity(clusterID: cluster, nodeID: node, directoryID: .zero))
    guard directory.identity.directoryID != .zero else {
      throw StartRefusal(
        description: "\(path)/meta.properties has no directory.id; start this version's broker there once")
    }
    journal = try RecoveryJournal.read(disk, path)
    let folder = directory.folder(of: MetadataLog.partition)
    let key = ReplicaKey(node, directory.identity.directoryID)
    guard try disk.size(of: folder) != nil else {
      guard journal != nil else {
        throw StartRefusal(
          description: "\(path) has no \(MetadataLog.folder): the node there has never been part of a quorum")
      }
      report = SurvivorReport(
        clusterID: cluster,
        Survivor(key, epoch: LeaderEpoch(0), lastEpoch: LeaderEpoch(0), end: .zero, voters: VoterSet()), folder: path)
      return
    }
    let log = try directory.openMetadataLog(now: wallClockNow())
    let loaded = try LoadedQuorum(log, SnapshotFile(disk: disk, folder: folder), configured: VoterSet())
    try Self.close(log)
    report = SurvivorReport(
      clusterID: cluster,
      Survivor(
        key, epoch: loaded.election.epoch, lastEpoch: loaded.index.lastEpoch, end: loaded.index.end,
        voters: loaded.index.voters), folder: path)
  }

  private static func node(_ disk: any Disk, _ path: String) throws -> NodeID? {
    let bytes = try disk.contents(of: "\(path)/meta.properties", limit: 64 << 10) ?? []
    let values = try PropertiesFile.parse(String(decoding: bytes, as: UTF8.self), named: "\(path)/meta.properties")
    return values["node.id"].flatMap { Int32($0) }.map { NodeID($0) }
  }

  private static func close(_ log: PartitionLog) throws {
    if case .unclean(let error) = log.close() { throw error }
  }

  // MARK: What becomes of it

  /// Makes the replica here the only voter, in a new epoch: as if it had been elected and had changed the voters, with
  /// nobody left to ask. What its log holds stays, committed or not, as under every new leader.
  func plant(_ decided: RecoveryJournal) throws {
    var journal = begun(decided)
    if journal.step == .decided {
      let log = try directory.openMetadataLog(now: wallClockNow())
      try Self.append(journal, to: log)
      try Self.close(log)
      journal.step = .logged
      try journal.write(directory.disk, path)
    }
    if journal.step == .logged {
      // Who votes again after the epoch's records are there takes the next one.
      try ElectionFile.write(ElectionRecord(epoch: journal.epoch), directory.disk, metadata)
      journal.step = .finished
      try journal.write(directory.disk, path)
    }
  }

  private static func append(_ journal: RecoveryJournal, to log: PartitionLog) throws {
    let now = wallClockNow()
    let leader = journal.seed.id
    let parts = [
      MetadataBatches.leaderChange(leader, voters: [leader], grantedBy: [leader]),
      .voters(VoterRecords.record(VoterSet([journal.voter]))),
    ]
    for (place, record) in parts.enumerated() {
      let base = journal.end + Int64(place)
      // A crash may have left the first of them, or both.
      guard log.endOffset <= base else { continue }
      guard log.endOffset == base else {
        throw StartRefusal(
          description: "\(log.directory) ends at offset \(log.endOffset.value), where \(base.value) was expected: "
            + "something wrote to it since the recovery began")
      }
      var bytes = MetadataBatches.control([record], base: base, epoch: journal.epoch, now: now)
      let result = try bytes.withUnsafeMutableBytes { raw in
        try log.append(raw, origin: .replica, leaderEpoch: journal.epoch, now: now)
      }
      if case .failure(let refusal) = result {
        throw StorageError(.append, log.directory, .invalid(refusal.message))
      }
    }
    try log.flush()
  }

  /// Takes the log here out of the way, without deleting anything of it. In its place comes one that is empty and names
  /// the seed as the only voter: the node finds it, and follows.
  func setAside(_ decided: RecoveryJournal) throws {
    var journal = begun(decided)
    let disk = directory.disk
    if journal.step == .decided {
      let aside = "\(path)/\(asideName(journal))"
      if try disk.size(of: aside) == nil, try disk.size(of: metadata) != nil {
        // The checkpoints know partitions by name alone: what they say must not be taken for the new log's.
        try directory.forget([MetadataLog.partition])
        try disk.rename(metadata, to: aside)
        try disk.syncDirectory(path)
      }
      journal.step = .logged
      try journal.write(disk, path)
    }
    if journal.step == .logged {
      try QuorumBootstrap.write(
        voters: VoterSet([journal.voter]), folder: metadata, disk: disk, now: wallClockNow())
      journal.step = .finished
      try journal.write(disk, path)
    }
  }

  /// No partition's name, so that no start takes it for one; and it does not end like what is deleted later.
  func asideName(_ journal: RecoveryJournal) -> String { "\(MetadataLog.folder).\(journal.mark)-stray" }

  /// What this folder's journal says of the recovery: as it is there, or as it will begin.
  private func begun(_ decided: RecoveryJournal) -> RecoveryJournal {
    journal.flatMap { $0.isSame(as: decided) ? $0 : nil } ?? decided
  }

  /// Notes in the folder what has been decided, if that is not noted yet.
  func begin(_ decided: RecoveryJournal) throws {
    if journal?.isSame(as: decided) ?? false { return }
    try decided.write(directory.disk, path)
  }

  /// Lets the folder go. A clean stop is one again.
  func release() throws {
    if directory.wasStoppedCleanly { try directory.markClean(epoch: directory.previousEpoch ?? -1) }
    directory.release()
  }
}
