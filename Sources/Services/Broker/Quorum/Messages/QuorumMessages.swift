import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

/// Between what the quorum says and Kafka's messages: pure, and the same in both directions.
///
/// A message that names another topic or partition than the metadata log's, or several, is refused as a whole.
enum QuorumMessages {
  static let topic = TopicName.clusterMetadata.text
  static let partition: Int32 = 0

  /// Where the leader of an answer is.
  struct LeaderPlace: Hashable, Sendable {
    let id: NodeID
    let address: BrokerAddress
  }

  /// What came in an answer beside the answer itself.
  struct Heard: Sendable {
    var answer: Consensus.Answer
    var leader: LeaderPlace?
  }

  static func leader(_ id: Int32) -> NodeID? { id < 0 ? nil : NodeID(id) }

  static func head(_ error: ErrorCode, _ leader: Int32, _ epoch: Int32) -> AnswerHead {
    AnswerHead(error, epoch: LeaderEpoch(epoch), leader: self.leader(leader))
  }

  static func place(_ head: AnswerHead, _ id: Int32, _ host: String, _ port: UInt16) -> LeaderPlace? {
    guard let leader = head.leader, leader.value == id, !host.isEmpty, port > 0 else { return nil }
    return LeaderPlace(id: leader, address: BrokerAddress(host: host, port: port))
  }

  static func epoch(_ value: Int32) -> LeaderEpoch { LeaderEpoch(value) }

  /// Which of a voter's listeners the others use: the one of that name, or the first.
  static func address(_ endpoints: [Consensus.Endpoint], listener: String?) -> BrokerAddress? {
    let endpoint = endpoints.first { $0.listener == listener } ?? endpoints.first
    return endpoint.map { BrokerAddress(host: $0.host, port: $0.port) }
  }
}
