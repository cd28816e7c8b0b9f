import Consensus
import KafkaClient
import Vocabulary

/// Voters as options write them: `id@host:port:directory-id`, with commas between them (KIP-853).
enum InitialControllers {
  /// Why a text names no voters: one sentence.
  struct Mistake: Error, Equatable {
    let sentence: String
  }

  /// - Parameter listener: what the endpoints are called, which the text does not say.
  static func parse(_ text: String, listener: String) throws(Mistake) -> VoterSet {
    var voters: [Voter] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let voter = try voter(part, listener: listener)
      guard !voters.contains(where: { $0.key.id == voter.key.id }) else {
        throw Mistake(sentence: "names node \(voter.key.id.value) twice")
      }
      guard !voters.contains(where: { $0.key.directory == voter.key.directory }) else {
        throw Mistake(sentence: "gives the directory id \(voter.key.directory) to two nodes")
      }
      voters.append(voter)
    }
    return VoterSet(voters)
  }

  private static func voter(_ text: Substring, listener: String) throws(Mistake) -> Voter {
    guard let at = text.firstIndex(of: "@"), let colon = text.lastIndex(of: ":"), at < colon,
      let address = BrokerAddress(text[text.index(after: at)..<colon])
    else { throw Mistake(sentence: "'\(text)' is not id@host:port:directory-id") }
    guard let id = Int32(text[..<at]), id >= 0 else {
      throw Mistake(sentence: "'\(text)' begins with '\(text[..<at])', which is no node.id")
    }
    let words = text[text.index(after: colon)...]
    guard let directory = UniqueID(String(words)), directory != .zero, directory != .clusterMetadataTopic else {
      throw Mistake(
        sentence: "'\(words)' of node \(id) is no directory id; swiftwater storage random-uuid makes one")
    }
    return Voter(
      ReplicaKey(NodeID(id), directory),
      endpoints: [Consensus.Endpoint(listener: listener, host: address.host, port: address.port)])
  }

  /// The same as text. A voter without an endpoint stands there without one.
  static func text(_ voters: VoterSet) -> String {
    voters.voters.map { voter in
      guard let endpoint = voter.endpoints.first else { return "\(voter.key.id.value):\(voter.key.directory)" }
      let address = BrokerAddress(host: endpoint.host, port: endpoint.port)
      return "\(voter.key.id.value)@\(address):\(voter.key.directory)"
    }.joined(separator: ",")
  }
}
