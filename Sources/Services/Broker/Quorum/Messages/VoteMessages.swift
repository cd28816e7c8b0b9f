import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// Vote (KIP-595), v0–2.
extension QuorumMessages {
  static func request(_ vote: Consensus.VoteRequest, cluster: String) -> KafkaProtocol.VoteRequest {
    var partition = KafkaProtocol.VoteRequest.Partition()
    partition.partitionIndex = self.partition
    partition.replicaEpoch = vote.epoch.value
    partition.replicaID = vote.candidate.id.value
    partition.replicaDirectoryID = vote.candidate.directory
    partition.voterDirectoryID = vote.voter.directory
    partition.lastOffsetEpoch = vote.lastEpoch.value
    partition.lastOffset = vote.end.value
    partition.preVote = vote.kind == .preVote
    var topic = KafkaProtocol.VoteRequest.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var request = KafkaProtocol.VoteRequest()
    request.clusterID = cluster
    request.voterID = vote.voter.id.value
    request.topics = [topic]
    return request
  }

  /// - Parameter local: who is meant where the request, of a version before directories, does not say.
  static func read(_ request: KafkaProtocol.VoteRequest, local: ReplicaKey) -> Consensus.VoteRequest? {
    guard request.topics.count == 1, let topic = request.topics.first, topic.topicName == self.topic,
      topic.partitions.count == 1, let partition = topic.partitions.first, partition.partitionIndex == self.partition
    else { return nil }
    let voter = request.voterID < 0 ? local.id : NodeID(request.voterID)
    return Consensus.VoteRequest(
      partition.preVote ? .preVote : .vote,
      candidate: ReplicaKey(NodeID(partition.replicaID), partition.replicaDirectoryID),
      voter: ReplicaKey(voter, partition.voterDirectoryID), epoch: epoch(partition.replicaEpoch),
      lastEpoch: epoch(partition.lastOffsetEpoch), end: Offset(partition.lastOffset))
  }

  static func voteResponse(_ head: AnswerHead, _ ballot: Ballot, _ place: LeaderPlace?) -> VoteResponse {
    var partition = VoteResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorCode = head.error
    partition.leaderID = (head.leader ?? .none).value
    partition.leaderEpoch = head.epoch.value
    partition.voteGranted = ballot == .granted
    var topic = VoteResponse.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var response = VoteResponse()
    response.topics = [topic]
    if let place {
      var endpoint = VoteResponse.NodeEndpoint()
      endpoint.nodeID = place.id.value
      endpoint.host = place.address.host
      endpoint.port = place.address.port
      response.nodeEndpoints = [endpoint]
    }
    return response
  }

  static func read(_ response: VoteResponse) -> Heard? {
    guard response.errorCode == .none, let partition = response.topics.first?.partitions.first else { return nil }
    let head = head(partition.errorCode, partition.leaderID, partition.leaderEpoch)
    return Heard(
      answer: .vote(head, partition.voteGranted ? .granted : .denied),
      leader: response.nodeEndpoints.lazy.compactMap { place(head, $0.nodeID, $0.host, $0.port) }.first)
  }
}
