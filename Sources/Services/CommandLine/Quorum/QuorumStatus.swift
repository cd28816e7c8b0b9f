import KafkaClient
import KafkaProtocol
import Vocabulary

func showQuorum(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    let quorum = try await client.quorum()
    let cluster = try await client.cluster().clusterID
    let text = arguments.has("replication") ? quorum.replication : quorum.status(cluster)
    try console.show(format, table: text, json: quorum.json(cluster))
  }
}

extension QuorumView {
  private var followers: [QuorumReplica] { voters.filter { $0.id != leader } }

  /// Nil where nobody knows how far some follower is.
  private var maxLag: Int64? {
    let lags = followers.map { lag(of: $0) }
    return lags.contains(nil) ? nil : lags.compactMap { $0 }.max() ?? 0
  }

  func status(_ cluster: String) -> String {
    let lines = [
      ("ClusterId", cluster), ("LeaderId", String(leader.value)), ("LeaderEpoch", String(epoch.value)),
      ("HighWatermark", String(highWatermark.value)), ("MaxFollowerLag", maxLag.map { String($0) } ?? "unknown"),
    ]
    let width = 18
    var text = lines.map { name, value in
      "\(name):\(String(repeating: " ", count: width - name.count))\(value)\n"
    }.joined()
    text += "CurrentVoters:\n" + voters.map { "  \($0.name)\n" }.joined()
    text += "CurrentObservers:\(observers.isEmpty ? "      none" : "")\n" + observers.map { "  \($0.name)\n" }.joined()
    return text
  }

  var replication: String {
    var table = Table("NODE", "DIRECTORY", "LOG-END", "LAG", "FETCHED-MS-AGO", "CAUGHT-UP-MS-AGO", "STATUS")
    func ago(_ moment: Int64?) -> String {
      guard let moment, let time else { return "-" }
      return String(max(0, time - moment))
    }
    func add(_ replica: QuorumReplica, _ status: String) {
      table.add(
        String(replica.id.value), replica.directoryName, replica.logEnd.map { String($0.value) } ?? "-",
        lag(of: replica).map { String($0) } ?? "-", ago(replica.lastFetch), ago(replica.lastCaughtUp), status)
    }
    for voter in voters { add(voter, voter.id == leader ? "leader" : "follower") }
    for observer in observers { add(observer, "observer") }
    return table.text
  }

  func json(_ cluster: String) -> JSON {
    func number(_ value: Int64?) -> JSON { value.map { .number($0) } ?? .null }
    func replica(_ one: QuorumReplica) -> JSON {
      .object([
        "id": .number(one.id.value), "directoryId": .string("\(one.directory)"),
        "endpoints": .array(
          one.endpoints.map {
            .object([
              "listener": .string($0.listener), "host": .string($0.address.host), "port": .number($0.address.port),
            ])
          }), "logEndOffset": number(one.logEnd?.value), "lag": number(lag(of: one)),
        "lastFetchTimestamp": number(one.lastFetch), "lastCaughtUpTimestamp": number(one.lastCaughtUp),
      ])
    }
    return .object([
      "clusterId": .string(cluster), "leaderId": .number(leader.value), "leaderEpoch": .number(epoch.value),
      "highWatermark": .number(highWatermark.value), "maxFollowerLag": number(maxLag),
      "voters": .array(voters.map(replica)), "observers": .array(observers.map(replica)),
    ])
  }
}

extension QuorumReplica {
  fileprivate var directoryName: String { directory == .zero ? "-" : "\(directory)" }

  fileprivate var name: String {
    let places = endpoints.map { " \($0.listener)://\($0.address)" }.joined()
    return "\(id.value)  directory \(directoryName)\(places.isEmpty ? "" : " \(places)")"
  }
}
