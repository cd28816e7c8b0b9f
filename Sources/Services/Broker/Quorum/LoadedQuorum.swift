import ClusterMetadata
import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import Vocabulary

/// What a node finds on its disk when it starts, in order: `quorum-state`, the newest snapshot, and the log after it.
struct LoadedQuorum {
  let election: ElectionRecord
  let index: LogIndex
  let image: MetadataImage
  /// What the image holds.
  let applied: Offset

  init(_ setup: MetadataQuorum.Setup, _ snapshots: SnapshotFile) throws {
    try self.init(setup.log, snapshots, configured: Self.configured(setup))
    guard setup.isController || !index.voters.contains(setup.local.key) else {
      throw StartRefusal(
        description:
          "node.id \(setup.local.key.id.value) is a voter of the metadata quorum, but process.roles does not "
          + "say controller; add it, or remove the voter first")
    }
  }

  /// - Parameter configured: who votes where neither a snapshot nor the log says it.
  init(_ log: PartitionLog, _ snapshots: SnapshotFile, configured: VoterSet) throws {
    try snapshots.removeParts()
    let saved = try ElectionFile.read(snapshots.disk, log.directory)
    let newest = try snapshots.list().last
    if let newest, newest.end > .zero { try Self.begin(log, at: newest) }
    guard log.startOffset == (newest?.end ?? .zero) else {
      throw StartRefusal(
        description: "\(log.directory) begins at offset \(log.startOffset.value), and there is no snapshot of what was "
          + "before it; restore its .checkpoint files, or make this node a new replica with an empty folder")
    }
    // Whatever a crash left in memory alone counts as kept from here on.
    try log.flush()
    var content = SnapshotFile.Content(image: MetadataImage(), voters: nil)
    if let newest { content = try snapshots.read(newest) }
    // What a new quorum begins with are its voters alone: other records would be known to this node and nobody else.
    image = newest?.end ?? .zero > .zero ? content.image : MetadataImage()
    applied = log.startOffset
    var snapshot: Snapshot?
    if let newest, newest.end > .zero { snapshot = Snapshot(newest, size: try snapshots.size(of: newest)) }
    let found = try Self.scan(log)
    index = LogIndex(
      start: log.startOffset, startEpoch: newest?.epoch ?? LeaderEpoch(0), epochs: found.epochs, end: log.endOffset,
      snapshot: snapshot, voters: content.voters ?? configured, entries: found.voters)
    // Logs that were written before there was a quorum have epochs, and no quorum-state beside them.
    if let saved, saved.epoch >= index.lastEpoch {
      election = saved
    } else {
      election = ElectionRecord(epoch: index.lastEpoch)
    }
  }

  /// Who votes where neither a snapshot nor the log says it.
  private static func configured(_ setup: MetadataQuorum.Setup) -> VoterSet {
    guard setup.configuredVoters.isEmpty else {
      let listener = setup.controllerListener ?? "CONTROLLER"
      return VoterSet(
        setup.configuredVoters.map { id, address in
          Voter(
            ReplicaKey(id), endpoints: [Consensus.Endpoint(listener: listener, host: address.host, port: address.port)])
        })
    }
    // A controller that nobody told of others is a quorum of its own.
    return VoterSet(setup.isController && setup.bootstrapServers.isEmpty ? [setup.local] : [])
  }

  /// Makes the log begin where the newest snapshot ends, as a crash may have prevented.
  private static func begin(_ log: PartitionLog, at snapshot: SnapshotID) throws {
    if log.startOffset == snapshot.end { return }
    if log.startOffset < snapshot.end, log.endOffset >= snapshot.end,
      log.leaderEpochs.epoch(at: Offset(snapshot.end.value - 1)) == snapshot.epoch
    {
      _ = try log.deleteRecords(before: snapshot.end)
    } else if log.startOffset < snapshot.end {
      // What is there parts from what is committed, or does not reach it.
      try log.restart(at: snapshot.end, now: wallClockNow())
    }
  }

  private static func scan(_ log: PartitionLog) throws -> (epochs: [EpochStart], voters: [VotersEntry]) {
    var epochs: [EpochStart] = []
    var voters: [VotersEntry] = []
    var end = log.startOffset
    do {
      try log.forEachBatch(from: log.startOffset, upTo: log.endOffset) { batch in
        let known = try MetadataBatches.describe(batch, named: 0)
        guard known.base == end, known.epoch >= epochs.last?.epoch ?? known.epoch else {
          throw MetadataBatchFault.malformed(
            "the batch at offset \(known.base.value) does not follow the one before it")
        }
        if epochs.last?.epoch != known.epoch { epochs.append(EpochStart(epoch: known.epoch, start: known.base)) }
        if case .voters(let set) = known.content { voters.append(VotersEntry(offset: known.base, voters: set)) }
        end = known.end
      }
    } catch let fault as MetadataBatchFault {
      throw StartRefusal(description: "\(log.directory) cannot be read: \(fault)")
    }
    guard end == log.endOffset else {
      throw StartRefusal(
        description: "\(log.directory) cannot be read beyond offset \(end.value), but ends at \(log.endOffset.value)")
    }
    return (epochs, voters)
  }
}

extension PartitionLog {
  /// How much is read at a time.
  private static var chunkBytes: Int { 1 << 20 }

  /// Every batch from one that begins at `from` up to those that end at `end`.
  func forEachBatch(from: Offset, upTo end: Offset, _ body: (RecordBatch) throws -> Void) throws {
    var next = from
    while next < end {
      guard
        case .slice(let slice) = try read(from: next, maxBytes: Self.chunkBytes, upTo: end, minimum: .oneBatch)
      else { return }
      let start = next
      try slice.bytes().withUnsafeBytes { raw in
        var batches = RecordBatchCursor(raw)
        while let batch = try batches.next() {
          // The place that a read finds may lie before what was asked for.
          guard batch.header.baseOffset >= next else { continue }
          guard batch.header.nextOffset <= end else { return }
          try body(batch)
          next = batch.header.nextOffset
        }
      }
      // Batches always move on; a log in which they do not would hold us for ever.
      guard next > start else { return }
    }
  }
}
