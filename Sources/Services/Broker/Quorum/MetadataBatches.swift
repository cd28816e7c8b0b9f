import ClusterMetadata
import Consensus
import KafkaProtocol
import Vocabulary

/// Why bytes are not what a log of the quorum holds.
enum MetadataBatchFault: Error, CustomStringConvertible {
  case malformed(String)
  /// A record of a kind that this version does not know, and may not pass over.
  case unknownRecord(Offset)

  var description: String {
    switch self {
    case .malformed(let words): words
    case .unknownRecord(let offset): "the record at offset \(offset.value) is of a kind that this version does not know"
    }
  }
}

/// Batches of the metadata log: what the quorum needs to know of them, and how its own are written.
enum MetadataBatches {
  typealias Fact = ClusterMetadata.MetadataRecord

  /// The headers of whole batches, and the content of those that are the quorum's own. What is cut off at the end is
  /// left out.
  /// - Returns: the batches, and how many bytes they take.
  static func read(_ bytes: [UInt8]) throws(MetadataBatchFault) -> (batches: [LogBatch], byteCount: Int) {
    do {
      return try bytes.withUnsafeBytes { raw in
        var cursor = RecordBatchCursor(raw)
        var batches: [LogBatch] = []
        while let batch = try cursor.next() {
          guard batch.isChecksumValid else { throw RecordBatchError.wrongChecksum }
          batches.append(try describe(batch, named: UInt64(batches.count)))
        }
        return (batches, cursor.position)
      }
    } catch let fault as MetadataBatchFault {
      throw fault
    } catch {
      throw .malformed("\(error)")
    }
  }

  /// - Parameter name: what a batch of data is called.
  static func describe(_ batch: RecordBatch, named name: UInt64) throws(MetadataBatchFault) -> LogBatch {
    let header = batch.header
    guard header.attributes.compression == Compression.none else {
      throw .malformed("the batch at offset \(header.baseOffset.value) is compressed")
    }
    guard header.lastOffsetDelta < Int32.max, header.partitionLeaderEpoch.value >= 0 else {
      throw .malformed("the batch at offset \(header.baseOffset.value) has an impossible header")
    }
    var content = LogBatch.Content.data(name)
    for record in try control(batch) {
      switch record {
      case .voters(let record): content = .voters(VoterRecords.voters(record))
      case .leaderChange(let change):
        content = .leaderChange(
          NodeID(change.leaderID), voters: change.voters.map { NodeID($0.voterID) },
          grantedBy: change.grantingVoters.map { NodeID($0.voterID) })
      case .kraftVersion, .snapshotHeader, .snapshotFooter: break
      }
    }
    return LogBatch(
      base: header.baseOffset, epoch: header.partitionLeaderEpoch, count: header.lastOffsetDelta + 1, content: content)
  }

  /// The quorum's own records in a batch; none in one of data.
  static func control(_ batch: RecordBatch) throws(MetadataBatchFault) -> [QuorumRecord] {
    guard batch.header.attributes.isControl else { return [] }
    do {
      var found: [QuorumRecord] = []
      var records = batch.records
      while let record = try records.next() {
        guard let key = record.key, let value = record.value else { continue }
        if let known = try QuorumRecord.decode(key: key, value: value) { found.append(known) }
      }
      return found
    } catch {
      throw .malformed("a control record at offset \(batch.header.baseOffset.value) cannot be read: \(error)")
    }
  }

  /// What a batch of data says.
  static func facts(_ batch: RecordBatch) throws(MetadataBatchFault) -> [Fact] {
    guard !batch.header.attributes.isControl else { return [] }
    var facts: [Fact] = []
    var records = batch.records
    do {
      while let record = try records.next() {
        guard let value = record.value, let known = try KafkaProtocol.MetadataRecord.decodeValue(value),
          let fact = MetadataRecordFormat.decode(known)
        else { throw MetadataBatchFault.unknownRecord(record.offset) }
        facts.append(fact)
      }
    } catch let fault as MetadataBatchFault {
      throw fault
    } catch {
      throw .malformed("a record at offset \(batch.header.baseOffset.value) or after it cannot be read: \(error)")
    }
    return facts
  }

  // MARK: Writing

  static func data(_ facts: [Fact], base: Offset, epoch: LeaderEpoch, now: Timestamp) -> [UInt8] {
    var builder = RecordBatchBuilder(baseOffset: base, leaderEpoch: epoch)
    for fact in facts {
      builder.append(timestamp: now, key: nil, value: MetadataRecordFormat.encode(fact).encodeValue())
    }
    return builder.build()
  }

  static func control(_ records: [QuorumRecord], base: Offset, epoch: LeaderEpoch, now: Timestamp) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isControl: true), baseOffset: base, leaderEpoch: epoch)
    for record in records { builder.append(timestamp: now, key: record.encodeKey(), value: record.encodeValue()) }
    return builder.build()
  }

  static func leaderChange(_ leader: NodeID, voters: [NodeID], grantedBy: [NodeID]) -> QuorumRecord {
    var message = LeaderChangeMessage()
    message.leaderID = leader.value
    message.voters = voters.map(named)
    message.grantingVoters = grantedBy.map(named)
    return .leaderChange(message)
  }

  private static func named(_ id: NodeID) -> LeaderChangeMessage.Voter {
    var voter = LeaderChangeMessage.Voter()
    voter.voterID = id.value
    return voter
  }
}

/// Voters as the log and snapshots have them (KIP-853).
enum VoterRecords {
  /// What this version can do: `kraft.version`.
  static let kraftVersions: ClosedRange<Int16> = 0...1

  static func record(_ set: VoterSet) -> VotersRecord {
    var record = VotersRecord()
    record.voters = set.voters.map { voter in
      var entry = VotersRecord.Voter()
      entry.voterID = voter.key.id.value
      entry.voterDirectoryID = voter.key.directory
      entry.endpoints = voter.endpoints.map { endpoint in
        var known = VotersRecord.Endpoint()
        known.name = endpoint.listener
        known.host = endpoint.host
        known.port = endpoint.port
        return known
      }
      entry.kRaftVersionFeature.minSupportedVersion = kraftVersions.lowerBound
      entry.kRaftVersionFeature.maxSupportedVersion = kraftVersions.upperBound
      return entry
    }
    return record
  }

  static func voters(_ record: VotersRecord) -> VoterSet {
    VoterSet(
      record.voters.map { entry in
        Voter(
          ReplicaKey(NodeID(entry.voterID), entry.voterDirectoryID),
          endpoints: entry.endpoints.map { Consensus.Endpoint(listener: $0.name, host: $0.host, port: $0.port) })
      })
  }

  static var kraftVersion: QuorumRecord {
    var record = KRaftVersionRecord()
    record.kRaftVersion = kraftVersions.upperBound
    return .kraftVersion(record)
  }
}
