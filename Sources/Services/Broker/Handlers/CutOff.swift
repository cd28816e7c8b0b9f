import ClusterMetadata
import EventLoop
import KafkaProtocol
import Vocabulary

// A broker that neither the controller nor its followers answer does not know whether it still leads. Its clients would
// ask it again and again, since clients prefer brokers that they are connected to: so it says that it knows no leader
// and closes their connections, and they go to another one, which knows.

//
// The same holds for a broker that knows of no broker at all, since it has just started with its cluster: librdkafka
// asks nobody for some time after such an answer, unless it has to connect again.

extension Broker {
  private static let cutOff = "neither the controller nor an in-sync follower was heard of for a session"
  private static let early = "no broker of the cluster serves yet, as far as this one knows"

  /// What says that clients should rather ask another broker; nil where this one knows enough.
  func reasonToSendAway(_ request: MetadataRequest) -> String? {
    if isCutOff(from: request) { return Self.cutOff }
    return image.liveBrokers.isEmpty ? Self.early : nil
  }

  /// Whether this broker believes to lead a partition that is asked for, and another one may lead it by now.
  private func isCutOff(from request: MetadataRequest) -> Bool {
    guard contact.mayHaveGivenUp(at: monotonicNow()) else { return false }
    guard let asked = request.topics else { return partitions.allPartitions.contains { $0.isCutOff } }
    return asked.contains { topic in
      let held = topic.topicID == .zero ? topic.name.flatMap { heldTopic($0) } : partitions.topic(topic.topicID)
      return held?.places.contains { $0?.isCutOff ?? false } ?? false
    }
  }

  /// The leader of a partition; nobody where that is this broker and another one may lead by now.
  func believed(_ leader: NodeID, of index: Int32, in topic: TopicState) -> NodeID {
    guard leader == settings.nodeID, contact.mayHaveGivenUp(at: monotonicNow()),
      partitions.topic(topic.id)?.partition(index)?.isCutOff == true
    else { return leader }
    return .none
  }

  /// Whether this broker coordinates one of those that are asked for, and another one may do it by now.
  func isCutOff(from request: FindCoordinatorRequest) -> Bool {
    guard contact.mayHaveGivenUp(at: monotonicNow()) else { return false }
    return (request.coordinatorKeys + [request.key]).contains { key in
      switch CoordinatorKind(rawValue: request.keyType) {
      case .group?: groups.shard(of: key)?.partition.isCutOff ?? false
      case .transaction?: transactions.shard(of: key)?.partition.isCutOff ?? false
      case nil: false
      }
    }
  }

  func sendAway<Request: RequestBody>(
    _ call: Call<Request>, with answer: Request.Response, because reason: String = cutOff
  ) {
    call.answer(answer, andCloseBecause: reason)
  }
}
