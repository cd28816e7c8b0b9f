import Consensus
import LogStorage
import Vocabulary

/// `quorum-state`: the epoch, the vote and the leader that a node must not forget, in Kafka's JSON (KIP-595, KIP-853).
///
/// Versions 0 and 1 are read, 1 is written.
enum ElectionFile {
  static let name = "quorum-state"
  /// Larger files are not ours.
  static let bytesMax = 1 << 20

  /// Nil where there is none yet. Throws one sentence for a file that cannot be believed: a node that forgot its vote
  /// could give it twice.
  static func read(_ disk: any Disk, _ folder: String) throws -> ElectionRecord? {
    let path = "\(folder)/\(name)"
    guard let bytes = try disk.contents(of: path, limit: bytesMax) else { return nil }
    do throws(StateFault) {
      return try decode(bytes)
    } catch {
      throw StartRefusal(
        description: "\(path) cannot be read: \(error.words). It says how this node voted, and nothing may take its "
          + "place; restore it, or make this node a new replica with an empty folder")
    }
  }

  static func write(_ record: ElectionRecord, _ disk: any Disk, _ folder: String) throws(StorageError) {
    try disk.replace("\(folder)/\(name)", with: encode(record), in: folder)
  }

  static func encode(_ record: ElectionRecord) -> [UInt8] {
    let vote = record.votedFor ?? ReplicaKey(.none)
    let text = """
      {"leaderId":\((record.leader ?? .none).value),"leaderEpoch":\(record.epoch.value),\
      "votedId":\(vote.id.value),"votedDirectoryId":"\(vote.directory)","data_version":1}
      """
    return Array(text.utf8)
  }

  struct StateFault: Error {
    let words: String
  }

  static func decode(_ bytes: [UInt8]) throws(StateFault) -> ElectionRecord {
    guard let fields = FlatJSON.read(bytes) else { throw StateFault(words: "it is not a JSON object") }
    guard let version = fields["data_version"], version == .number(0) || version == .number(1) else {
      throw StateFault(words: "its data_version is neither 0 nor 1")
    }
    let epoch = try int32(fields, "leaderEpoch")
    guard epoch >= 0 else { throw StateFault(words: "its leaderEpoch \(epoch) is negative") }
    let leader = try int32(fields, "leaderId")
    let voted = try int32(fields, "votedId")
    var directory = UniqueID.zero
    if version == .number(1) {
      guard case .text(let text)? = fields["votedDirectoryId"], let id = UniqueID(text) else {
        throw StateFault(words: "it has no votedDirectoryId")
      }
      directory = id
    }
    return ElectionRecord(
      epoch: LeaderEpoch(epoch), votedFor: voted < 0 ? nil : ReplicaKey(NodeID(voted), directory),
      leader: leader < 0 ? nil : NodeID(leader))
  }

  private static func int32(_ fields: [String: FlatJSON.Value], _ name: String) throws(StateFault) -> Int32 {
    guard case .number(let number)? = fields[name], let value = Int32(exactly: number) else {
      throw StateFault(words: "it has no \(name)")
    }
    return value
  }
}
