public import Vocabulary

/// Names one replica for ever: its node and the directory that holds its log (KIP-853). A node that lost its disk comes
/// back with another directory, and is another replica: what the old one promised it cannot know.
public struct ReplicaKey: Hashable, Comparable, Sendable {
  public let id: NodeID
  /// `UniqueID.zero` where it is not known, as with voters that are only configured.
  public let directory: UniqueID
  public init(_ id: NodeID, _ directory: UniqueID = .zero) {
    self.id = id
    self.directory = directory
  }
  public static func < (a: Self, b: Self) -> Bool { (a.id, a.directory) < (b.id, b.directory) }
}

/// Where a listener of a voter is reached.
public struct Endpoint: Hashable, Sendable {
  public let listener: String
  public let host: String
  public let port: UInt16
  public init(listener: String, host: String, port: UInt16) {
    self.listener = listener
    self.host = host
    self.port = port
  }
}

/// A replica that takes part in elections and in commitment.
public struct Voter: Hashable, Sendable {
  public let key: ReplicaKey
  public let endpoints: [Endpoint]
  public init(_ key: ReplicaKey, endpoints: [Endpoint] = []) {
    self.key = key
    self.endpoints = endpoints
  }
  /// Whether others would look for it on their own machines: it listens everywhere, and says of no name that it is its own.
  var namesNoHost: Bool { endpoints.contains { ["", "0.0.0.0", "::"].contains($0.host) } }
  /// A voter whose directory is not known is every replica of that node.
  func isSame(as other: ReplicaKey) -> Bool {
    key.id == other.id && (key.directory == .zero || key.directory == other.directory)
  }
}

/// Who votes: one replica a node, in the order of their ids. Empty where nothing is known yet.
public struct VoterSet: Hashable, Sendable {
  public let voters: [Voter]
  public init(_ voters: [Voter] = []) {
    var seen: Set<NodeID> = []
    self.voters = voters.filter { seen.insert($0.key.id).inserted }.sorted { $0.key.id < $1.key.id }
  }
  public var count: Int { voters.count }
  public var majority: Int { voters.count / 2 + 1 }
  public func contains(_ key: ReplicaKey) -> Bool { voters.contains { $0.isSame(as: key) } }
  func contains(_ id: NodeID) -> Bool { voters.contains { $0.key.id == id } }
  func voter(_ id: NodeID) -> Voter? { voters.first { $0.key.id == id } }
  func adding(_ voter: Voter) -> VoterSet { VoterSet(voters + [voter]) }
  func removing(_ key: ReplicaKey) -> VoterSet { VoterSet(voters.filter { $0.key != key }) }
  func replacing(_ voter: Voter) -> VoterSet { VoterSet(voters.map { $0.isSame(as: voter.key) ? voter : $0 }) }
}
