import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// BeginQuorumEpoch and EndQuorumEpoch (KIP-595), v0–1.
extension QuorumMessages {
  static func request(
    _ begin: BeginQuorumEpoch, cluster: String, endpoints: [Consensus.Endpoint]
  ) -> BeginQuorumEpochRequest {
    var partition = BeginQuorumEpochRequest.Partition()
    partition.partitionIndex = self.partition
    partition.voterDirectoryID = begin.voter.directory
    partition.leaderID = begin.leader.value
    partition.leaderEpoch = begin.epoch.value
    var topic = BeginQuorumEpochRequest.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var request = BeginQuorumEpochRequest()
    request.clusterID = cluster
    request.voterID = begin.voter.id.value
    request.topics = [topic]
    request.leaderEndpoints = endpoints.map { known in
      var endpoint = BeginQuorumEpochRequest.LeaderEndpoint()
      endpoint.name = known.listener
      endpoint.host = known.host
      endpoint.port = known.port
      return endpoint
    }
    return request
  }

  static func read(_ request: BeginQuorumEpochRequest, local: ReplicaKey) -> BeginQuorumEpoch? {
    guard request.topics.count == 1, let topic = request.topics.first, topic.topicName == self.topic,
      topic.partitions.count == 1, let partition = topic.partitions.first, partition.partitionIndex == self.partition
    else { return nil }
    let voter = request.voterID < 0 ? local.id : NodeID(request.voterID)
    return BeginQuorumEpoch(
      leader: NodeID(partition.leaderID), epoch: epoch(partition.leaderEpoch),
      voter: ReplicaKey(voter, partition.voterDirectoryID))
  }

  /// Where the leader that presents itself is.
  static func endpoints(_ request: BeginQuorumEpochRequest) -> [Consensus.Endpoint] {
    request.leaderEndpoints.map { Consensus.Endpoint(listener: $0.name, host: $0.host, port: $0.port) }
  }

  static func beginResponse(_ head: AnswerHead, _ place: LeaderPlace?) -> BeginQuorumEpochResponse {
    var partition = BeginQuorumEpochResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorCode = head.error
    partition.leaderID = (head.leader ?? .none).value
    partition.leaderEpoch = head.epoch.value
    var topic = BeginQuorumEpochResponse.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var response = BeginQuorumEpochResponse()
    response.topics = [topic]
    if let place {
      var endpoint = BeginQuorumEpochResponse.NodeEndpoint()
      endpoint.nodeID = place.id.value
      endpoint.host = place.address.host
      endpoint.port = place.address.port
      response.nodeEndpoints = [endpoint]
    }
    return response
  }

  static func read(_ response: BeginQuorumEpochResponse) -> Heard? {
    guard response.errorCode == .none, let partition = response.topics.first?.partitions.first else { return nil }
    let head = head(partition.errorCode, partition.leaderID, partition.leaderEpoch)
    return Heard(
      answer: .beginQuorumEpoch(head),
      leader: response.nodeEndpoints.lazy.compactMap { place(head, $0.nodeID, $0.host, $0.port) }.first)
  }

  // MARK: EndQuorumEpoch

  static func request(
    _ end: EndQuorumEpoch, cluster: String, endpoints: [Consensus.Endpoint]
  ) -> EndQuorumEpochRequest {
    var partition = EndQuorumEpochRequest.Partition()
    partition.partitionIndex = self.partition
    partition.leaderID = end.leader.value
    partition.leaderEpoch = end.epoch.value
    partition.preferredSuccessors = end.successors.map(\.id.value)
    partition.preferredCandidates = end.successors.map { key in
      var candidate = EndQuorumEpochRequest.ReplicaInfo()
      candidate.candidateID = key.id.value
      candidate.candidateDirectoryID = key.directory
      return candidate
    }
    var topic = EndQuorumEpochRequest.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var request = EndQuorumEpochRequest()
    request.clusterID = cluster
    request.topics = [topic]
    request.leaderEndpoints = endpoints.map { known in
      var endpoint = EndQuorumEpochRequest.LeaderEndpoint()
      endpoint.name = known.listener
      endpoint.host = known.host
      endpoint.port = known.port
      return endpoint
    }
    return request
  }

  static func read(_ request: EndQuorumEpochRequest) -> EndQuorumEpoch? {
    guard request.topics.count == 1, let topic = request.topics.first, topic.topicName == self.topic,
      topic.partitions.count == 1, let partition = topic.partitions.first, partition.partitionIndex == self.partition
    else { return nil }
    let named = partition.preferredCandidates.map { ReplicaKey(NodeID($0.candidateID), $0.candidateDirectoryID) }
    return EndQuorumEpoch(
      leader: NodeID(partition.leaderID), epoch: epoch(partition.leaderEpoch),
      successors: named.isEmpty ? partition.preferredSuccessors.map { ReplicaKey(NodeID($0)) } : named)
  }

  static func endResponse(_ head: AnswerHead, _ place: LeaderPlace?) -> EndQuorumEpochResponse {
    var partition = EndQuorumEpochResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorCode = head.error
    partition.leaderID = (head.leader ?? .none).value
    partition.leaderEpoch = head.epoch.value
    var topic = EndQuorumEpochResponse.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var response = EndQuorumEpochResponse()
    response.topics = [topic]
    if let place {
      var endpoint = EndQuorumEpochResponse.NodeEndpoint()
      endpoint.nodeID = place.id.value
      endpoint.host = place.address.host
      endpoint.port = place.address.port
      response.nodeEndpoints = [endpoint]
    }
    return response
  }

  static func read(_ response: EndQuorumEpochResponse) -> Heard? {
    guard response.errorCode == .none, let partition = response.topics.first?.partitions.first else { return nil }
    let head = head(partition.errorCode, partition.leaderID, partition.leaderEpoch)
    return Heard(
      answer: .endQuorumEpoch(head),
      leader: response.nodeEndpoints.lazy.compactMap { place(head, $0.nodeID, $0.host, $0.port) }.first)
  }
}
