import Consensus
import KafkaProtocol
import Vocabulary

/// DescribeQuorum (KIP-595, KIP-836, KIP-853), v0–2.
extension QuorumMessages {
  /// The clocks of a moment, to turn one's times into the other's.
  struct Clocks: Sendable {
    let instant: Instant
    let time: Timestamp

    func time(_ earlier: Instant?) -> Int64 {
      earlier.map { time.milliseconds - (instant - $0).milliseconds } ?? -1
    }
  }

  static func isMeant(_ request: DescribeQuorumRequest) -> Bool {
    request.topics.count == 1 && request.topics[0].topicName == topic && request.topics[0].partitions.count == 1
      && request.topics[0].partitions[0].partitionIndex == partition
  }

  static func describeResponse(
    _ head: AnswerHead, highWatermark: Offset, _ quorum: QuorumDescription, voters: VoterSet, _ clocks: Clocks
  ) -> DescribeQuorumResponse {
    var partition = DescribeQuorumResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorMessage = nil
    partition.leaderID = (head.leader ?? .none).value
    partition.leaderEpoch = head.epoch.value
    partition.highWatermark = highWatermark.value
    partition.currentVoters = quorum.voters.map { state($0, clocks) }
    partition.observers = quorum.observers.map { state($0, clocks) }
    var topic = DescribeQuorumResponse.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var response = DescribeQuorumResponse()
    response.errorMessage = nil
    response.topics = [topic]
    response.nodes = voters.voters.map { voter in
      var node = DescribeQuorumResponse.Node()
      node.nodeID = voter.key.id.value
      node.listeners = voter.endpoints.map { endpoint in
        var listener = DescribeQuorumResponse.Listener()
        listener.name = endpoint.listener
        listener.host = endpoint.host
        listener.port = endpoint.port
        return listener
      }
      return node
    }
    return response
  }

  private static func state(_ replica: ReplicaProgress, _ clocks: Clocks) -> DescribeQuorumResponse.ReplicaState {
    var state = DescribeQuorumResponse.ReplicaState()
    state.replicaID = replica.key.id.value
    state.replicaDirectoryID = replica.key.directory
    state.logEndOffset = (replica.end ?? .none).value
    state.lastFetchTimestamp = clocks.time(replica.lastFetch)
    state.lastCaughtUpTimestamp = clocks.time(replica.caughtUp)
    return state
  }

  /// Only the leader knows: another node says that it is not.
  static func describeRefusal(_ error: ErrorCode, _ head: AnswerHead) -> DescribeQuorumResponse {
    var partition = DescribeQuorumResponse.Partition()
    partition.partitionIndex = self.partition
    partition.errorCode = error
    partition.errorMessage = nil
    partition.leaderID = (head.leader ?? .none).value
    partition.leaderEpoch = head.epoch.value
    var topic = DescribeQuorumResponse.Topic()
    topic.topicName = self.topic
    topic.partitions = [partition]
    var response = DescribeQuorumResponse()
    response.errorMessage = nil
    response.topics = [topic]
    return response
  }
}
