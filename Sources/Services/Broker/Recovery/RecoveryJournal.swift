import Consensus
import LogStorage
import Vocabulary

/// How far a recovery of the quorum has come in one data folder: a file beside `meta.properties`, durable before the step
/// that it names is begun. A node whose folder has one that is not finished does not start.
struct RecoveryJournal: Equatable {
  static let name = "quorum-recovery"
  static let bytesMax = 64 << 10

  /// What has been done; each case comes after the one before.
  enum Step: String, CaseIterable {
    /// It is decided what becomes of this folder, and nothing in it has changed.
    case decided
    /// The log says the new voters, or lies aside.
    case logged
    case finished
  }

  let clusterID: String
  /// The only voter of the quorum as it will be.
  let seed: ReplicaKey
  let listener: String
  let host: String
  let port: UInt16
  /// What the seed's log was when it was chosen.
  let lastEpoch: LeaderEpoch
  let end: Offset
  /// The seed's new epoch.
  let epoch: LeaderEpoch
  /// What the folder that is set aside has in its name.
  let mark: UniqueID
  var step: Step

  init(_ plan: RecoveryPlan, clusterID: String, mark: UniqueID) {
    self.clusterID = clusterID
    seed = plan.seed.key
    let endpoint = plan.voter.endpoints.first
    listener = endpoint?.listener ?? ""
    host = endpoint?.host ?? ""
    port = endpoint?.port ?? 0
    lastEpoch = plan.seed.lastEpoch
    end = plan.seed.end
    epoch = plan.epoch
    self.mark = mark
    step = .decided
  }

  var voter: Voter {
    Voter(seed, endpoints: host.isEmpty ? [] : [Consensus.Endpoint(listener: listener, host: host, port: port)])
  }

  /// Whether both are about the same recovery.
  func isSame(as other: RecoveryJournal) -> Bool {
    clusterID == other.clusterID && seed == other.seed && epoch == other.epoch
  }

  // MARK: On disk

  func write(_ disk: any Disk, _ folder: String) throws(StorageError) {
    try disk.replace("\(folder)/\(Self.name)", with: encoded, in: folder)
  }

  /// Nil where no recovery was begun.
  static func read(_ disk: any Disk, _ folder: String) throws -> RecoveryJournal? {
    let path = "\(folder)/\(name)"
    guard let bytes = try disk.contents(of: path, limit: bytesMax) else { return nil }
    guard let journal = RecoveryJournal(bytes) else {
      throw StartRefusal(
        description: "\(path) cannot be read: it says how far a recovery of the quorum has come; restore it")
    }
    return journal
  }

  /// What half a recovery leaves may not vote, nor lead.
  static func checkFinished(_ directory: LogDirectory) throws {
    guard let journal = try read(directory.disk, directory.path), journal.step != .finished else { return }
    throw StartRefusal(
      description:
        "\(directory.path): a recovery of the quorum with node \(journal.seed.id.value) as its seed is under way; "
        + "finish it with swiftwater quorum recover --folder \(directory.path)")
  }

  private var encoded: [UInt8] {
    let text = """
      {"version":1,"clusterId":\(QuotedText.json(clusterID)),"seedId":\(seed.id.value),"seedDirectoryId":"\(seed.directory)",\
      "listener":\(QuotedText.json(listener)),"host":\(QuotedText.json(host)),"port":\(port),\
      "lastEpoch":\(lastEpoch.value),"endOffset":\(end.value),"epoch":\(epoch.value),"mark":"\(mark)",\
      "step":"\(step.rawValue)"}

      """
    return Array(text.utf8)
  }

  private init?(_ bytes: [UInt8]) {
    guard let fields = FlatJSON.read(bytes), fields["version"] == .number(1),
      case .text(let cluster)? = fields["clusterId"], case .number(let id)? = fields["seedId"],
      let node = Int32(exactly: id), case .text(let directoryText)? = fields["seedDirectoryId"],
      let directory = UniqueID(directoryText), case .text(let listener)? = fields["listener"],
      case .text(let host)? = fields["host"], case .number(let portNumber)? = fields["port"],
      let port = UInt16(exactly: portNumber), case .number(let lastEpoch)? = fields["lastEpoch"],
      let last = Int32(exactly: lastEpoch), case .number(let end)? = fields["endOffset"],
      case .number(let epochNumber)? = fields["epoch"], let epoch = Int32(exactly: epochNumber),
      case .text(let markText)? = fields["mark"], let mark = UniqueID(markText),
      case .text(let stepText)? = fields["step"], let step = Step(rawValue: stepText)
    else { return nil }
    clusterID = cluster
    seed = ReplicaKey(NodeID(node), directory)
    self.listener = listener
    self.host = host
    self.port = port
    self.lastEpoch = LeaderEpoch(last)
    self.end = Offset(end)
    self.epoch = LeaderEpoch(epoch)
    self.mark = mark
    self.step = step
  }
}

/// Texts in JSON that `FlatJSON` reads: names and addresses, which have nothing to escape but quotes and backslashes.
enum QuotedText {
  static func json(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars where scalar.value >= 0x20 {
      if scalar == "\"" || scalar == "\\" { quoted += "\\" }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }
}
