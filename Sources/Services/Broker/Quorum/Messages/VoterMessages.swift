import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// AddRaftVoter, RemoveRaftVoter and UpdateRaftVoter (KIP-853).
extension QuorumMessages {
  static func request(_ update: UpdateVoter, cluster: String) -> UpdateRaftVoterRequest {
    var request = UpdateRaftVoterRequest()
    request.clusterID = cluster
    request.currentLeaderEpoch = update.epoch.value
    request.voterID = update.voter.key.id.value
    request.voterDirectoryID = update.voter.key.directory
    request.listeners = update.voter.endpoints.map { known in
      var listener = UpdateRaftVoterRequest.Listener()
      listener.name = known.listener
      listener.host = known.host
      listener.port = known.port
      return listener
    }
    request.kRaftVersionFeature.minSupportedVersion = VoterRecords.kraftVersions.lowerBound
    request.kRaftVersionFeature.maxSupportedVersion = VoterRecords.kraftVersions.upperBound
    return request
  }

  /// Nil for a voter that nobody could reach, or that does not know directories.
  static func read(_ request: UpdateRaftVoterRequest) -> UpdateVoter? {
    guard !request.listeners.isEmpty, request.voterDirectoryID != .zero,
      request.kRaftVersionFeature.maxSupportedVersion >= VoterRecords.kraftVersions.upperBound
    else { return nil }
    return UpdateVoter(
      epoch: epoch(request.currentLeaderEpoch),
      voter: Voter(
        ReplicaKey(NodeID(request.voterID), request.voterDirectoryID),
        endpoints: request.listeners.map { Consensus.Endpoint(listener: $0.name, host: $0.host, port: $0.port) }))
  }

  static func updateResponse(_ head: AnswerHead, _ place: LeaderPlace?) -> UpdateRaftVoterResponse {
    var response = UpdateRaftVoterResponse()
    response.errorCode = head.error
    response.currentLeader.leaderID = (head.leader ?? .none).value
    response.currentLeader.leaderEpoch = head.epoch.value
    if let place {
      response.currentLeader.host = place.address.host
      response.currentLeader.port = Int32(place.address.port)
    }
    return response
  }

  static func read(_ response: UpdateRaftVoterResponse) -> Heard {
    let leader = response.currentLeader
    let head = head(response.errorCode, leader.leaderID, leader.leaderEpoch)
    return Heard(
      answer: .updateVoter(head),
      leader: place(head, leader.leaderID, leader.host, UInt16(exactly: leader.port) ?? 0))
  }

  static func read(_ request: AddRaftVoterRequest) -> Voter? {
    guard request.voterID >= 0, request.voterDirectoryID != .zero, !request.listeners.isEmpty else { return nil }
    return Voter(
      ReplicaKey(NodeID(request.voterID), request.voterDirectoryID),
      endpoints: request.listeners.map { Consensus.Endpoint(listener: $0.name, host: $0.host, port: $0.port) })
  }

  static func read(_ request: RemoveRaftVoterRequest) -> ReplicaKey {
    ReplicaKey(NodeID(request.voterID), request.voterDirectoryID)
  }

  static func addResponse(_ error: ErrorCode, _ message: String?) -> AddRaftVoterResponse {
    var response = AddRaftVoterResponse()
    response.errorCode = error
    response.errorMessage = message
    return response
  }

  static func removeResponse(_ error: ErrorCode, _ message: String?) -> RemoveRaftVoterResponse {
    var response = RemoveRaftVoterResponse()
    response.errorCode = error
    response.errorMessage = message
    return response
  }

  /// Whether a node that is to vote can speak with directories, without which it could not tell replicas apart.
  static func canVote(_ versions: ApiVersionsResponse) -> Bool {
    versions.apiKeys.contains { $0.apiKey == APIKey.vote.rawValue && $0.maxVersion >= 1 }
  }

  /// Why voters did not change, for people.
  static func message(_ head: AnswerHead) -> String? {
    switch head.error {
    case .none: nil
    case .notLeaderOrFollower: "this node does not lead the quorum"
    case .duplicateVoter: "a voter with this node id is there already"
    case .voterNotFound: "no voter has this node id and directory id"
    case .requestTimedOut:
      "the voters cannot change now: an earlier change or the new voter's log is not there yet; try again"
    case .invalidRequest: "the last voter cannot go, and a voter needs an id, a directory id and a listener"
    default: "\(head.error)"
    }
  }
}
