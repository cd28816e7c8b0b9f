import Broker
import EventLoop
import KafkaClient
import KafkaProtocol
import Vocabulary

/// A controller that is to be made a voter.
private struct Candidate {
  let id: NodeID
  let directory: UniqueID
  let endpoints: [VoterEndpoint]
  /// Where the controller's own folder says it.
  let clusterID: String?

  init(_ arguments: Arguments) throws {
    let id = arguments.text("controller-id")
    let directory = try arguments.directory
    let endpoints = arguments.texts("endpoint")
    if let file = arguments.text("config") {
      guard id == nil, directory == nil, endpoints.isEmpty else {
        throw UsageError("quorum add takes either --config or the controller's ids and endpoint")
      }
      let voter = try NewVoter(configuration: file)
      self.id = voter.id
      self.directory = voter.directory
      self.endpoints = voter.endpoints.map {
        VoterEndpoint(listener: $0.name, address: BrokerAddress(host: $0.host, port: $0.port))
      }
      clusterID = voter.clusterID
      return
    }
    guard let id, let directory, !endpoints.isEmpty else {
      throw UsageError(
        "quorum add needs --config FILE, or --controller-id, --controller-directory-id and --endpoint NAME://HOST:PORT")
    }
    self.id = try Session.node(id)
    self.directory = directory
    self.endpoints = try endpoints.map { try Self.endpoint($0) }
    clusterID = nil
  }

  private static func endpoint(_ text: String) throws(UsageError) -> VoterEndpoint {
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].isEmpty, parts[0].count > 1, parts[0].last == ":",
      let address = BrokerAddress(parts[2])
    else { throw UsageError("--endpoint \(text): NAME://HOST:PORT is needed, such as CONTROLLER://node4:9093") }
    return VoterEndpoint(listener: parts[0].dropLast().uppercased(), address: address)
  }
}

extension Arguments {
  fileprivate var directory: UniqueID? {
    get throws(UsageError) {
      guard let text = text("controller-directory-id") else { return nil }
      guard let id = UniqueID(text), id != .zero else {
        throw UsageError(
          "--controller-directory-id \(text): is no directory id; meta.properties has it as directory.id")
      }
      return id
    }
  }
}

/// Waits until the controller follows the quorum and has caught up: before that its vote would only hold up the others.
func addVoter(_ arguments: Arguments, _ console: Console) async throws {
  let candidate = try Candidate(arguments)
  let seconds: Int64 = try arguments.number("timeout", in: 1...86_400) ?? 60
  try await Session.run(arguments) { client in
    if let own = candidate.clusterID {
      let cluster = try await client.cluster().clusterID
      guard own == cluster else {
        throw Failure("controller \(candidate.id.value) belongs to the cluster \(own), but this one is \(cluster)")
      }
    }
    if try await !isVoter(candidate, client) { try await add(candidate, client, seconds, console) }
    try console.write("controller \(candidate.id.value) is a voter\n")
  }
}

private func add(
  _ candidate: Candidate, _ client: ClusterClient, _ seconds: Int64, _ console: Console
) async throws {
  let deadline = monotonicNow() + .seconds(seconds)
  var progress = Progress(console)
  defer { progress.end() }
  while true {
    let quorum = try await client.quorum()
    let observer = quorum.observers.first { $0.id == candidate.id && $0.directory == candidate.directory }
    if let observer, let lag = quorum.lag(of: observer) {
      progress.show("controller \(candidate.id.value) lacks \(count(Int(clamping: lag), "record"))")
      do throws(ClientError) {
        return try await client.addVoter(
          candidate.id, candidate.directory, candidate.endpoints, cluster: candidate.clusterID)
      } catch {
        // An answer may have been lost: what counts is who votes.
        if try await isVoter(candidate, client) { return }
        let mayPass = error.code == .requestTimedOut || error.code == .notLeaderOrFollower || error.isOfTheNetwork
        guard mayPass, monotonicNow() < deadline else { throw error }
      }
    } else {
      progress.show("controller \(candidate.id.value) does not follow the quorum yet")
      guard monotonicNow() < deadline else { throw Failure(absence(candidate, quorum)) }
    }
    try await Task.sleep(for: .milliseconds(200))
  }
}

private func absence(_ candidate: Candidate, _ quorum: QuorumView) -> String {
  if let other = quorum.observers.first(where: { $0.id == candidate.id }) {
    return "controller \(candidate.id.value) follows the quorum with the directory id \(other.directory), not "
      + "\(candidate.directory)"
  }
  return
    "controller \(candidate.id.value) does not follow the quorum: it must run, belong to this cluster, and find the "
    + "others by controller.quorum.bootstrap.servers"
}

/// Whether it votes already. Another directory of the same node in its place is a mistake that has to be explained.
private func isVoter(_ candidate: Candidate, _ client: ClusterClient) async throws -> Bool {
  guard let voter = try await client.quorum().voters.first(where: { $0.id == candidate.id }) else { return false }
  guard voter.directory == candidate.directory || voter.directory == .zero else {
    throw Failure(
      "controller \(candidate.id.value) is a voter with another directory id; remove that one first: swiftwater quorum "
        + "remove --controller-id \(candidate.id.value) --controller-directory-id \(voter.directory)")
  }
  return true
}

func removeVoter(_ arguments: Arguments, _ console: Console) async throws {
  guard let text = arguments.text("controller-id"), let directory = try arguments.directory else {
    throw UsageError("quorum remove needs --controller-id and --controller-directory-id")
  }
  let id = try Session.node(text)
  try await Session.run(arguments) { client in
    let voters = try await client.quorum().voters
    guard let voter = voters.first(where: { $0.id == id }) else {
      throw Failure("controller \(id.value) is no voter; swiftwater quorum status lists them")
    }
    guard voter.directory == directory else {
      throw Failure("controller \(id.value) is a voter with the directory id \(voter.directory), not \(directory)")
    }
    guard voters.count > 1 else { throw Failure("controller \(id.value) is the last voter, and cannot go") }
    do {
      try await client.removeVoter(id, directory)
    } catch let error as ClientError where error.code == .voterNotFound {
      // The answer to an earlier attempt was lost.
    }
    try console.write("controller \(id.value) is no longer a voter; it goes on as an observer until it is stopped\n")
  }
}
