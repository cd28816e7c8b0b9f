import Consensus
import KafkaClient
import LogStorage
import Vocabulary

/// What a machine says of the metadata log in one of its data folders, as one line of JSON: survivors lie on different
/// machines, and whoever recovers a quorum has to see all of them.
struct SurvivorReport: Equatable {
  static let bytesMax = 1 << 20

  let clusterID: String
  let survivor: Survivor
  /// Where it was found; nil for a report that came from another machine.
  var folder: String?

  init(clusterID: String, _ survivor: Survivor, folder: String? = nil) {
    self.clusterID = clusterID
    self.survivor = survivor
    self.folder = folder
  }

  var text: String {
    let voters = survivor.voters.voters.map(Self.text).joined(separator: ",")
    return """
      {"version":1,"clusterId":\(QuotedText.json(clusterID)),"nodeId":\(survivor.key.id.value),\
      "directoryId":"\(survivor.key.directory)","epoch":\(survivor.epoch.value),"lastEpoch":\(survivor.lastEpoch.value),\
      "endOffset":\(survivor.end.value),"voters":\(QuotedText.json(voters))}
      """
  }

  /// Nil for what is no report.
  init?(_ bytes: [UInt8]) {
    guard let fields = FlatJSON.read(bytes), fields["version"] == .number(1),
      case .text(let cluster)? = fields["clusterId"], case .number(let id)? = fields["nodeId"],
      let node = Int32(exactly: id), node >= 0, case .text(let directoryText)? = fields["directoryId"],
      let directory = UniqueID(directoryText), case .number(let epochNumber)? = fields["epoch"],
      let epoch = Int32(exactly: epochNumber), case .number(let lastNumber)? = fields["lastEpoch"],
      let last = Int32(exactly: lastNumber), case .number(let end)? = fields["endOffset"], end >= 0,
      case .text(let votersText)? = fields["voters"]
    else { return nil }
    var voters: [Voter] = []
    for part in votersText.split(separator: ",") {
      guard let voter = Self.voter(part) else { return nil }
      voters.append(voter)
    }
    clusterID = cluster
    survivor = Survivor(
      ReplicaKey(NodeID(node), directory), epoch: LeaderEpoch(epoch), lastEpoch: LeaderEpoch(last), end: Offset(end),
      voters: VoterSet(voters))
    folder = nil
  }

  /// `id:directory-id`, and after it each endpoint as `@listener@host:port`.
  private static func text(_ voter: Voter) -> String {
    "\(voter.key.id.value):\(voter.key.directory)"
      + voter.endpoints.map { "@\($0.listener)@\(BrokerAddress(host: $0.host, port: $0.port))" }.joined()
  }

  private static func voter(_ text: Substring) -> Voter? {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count % 2 == 1, let colon = parts[0].firstIndex(of: ":"), let id = Int32(parts[0][..<colon]),
      let directory = UniqueID(String(parts[0][parts[0].index(after: colon)...]))
    else { return nil }
    var endpoints: [Consensus.Endpoint] = []
    for place in stride(from: 1, to: parts.count, by: 2) {
      guard let address = BrokerAddress(parts[place + 1]) else { return nil }
      endpoints.append(
        Consensus.Endpoint(listener: String(parts[place]), host: address.host, port: address.port))
    }
    return Voter(ReplicaKey(NodeID(id), directory), endpoints: endpoints)
  }
}
