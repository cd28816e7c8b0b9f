import ClusterMetadata
import Coordination
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// Has the markers of a transaction written by the leaders of its partitions (WriteTxnMarkers), each of which gets one
/// request for all that it leads.
final class MarkerSender: Sendable {
  /// Who is not answered in that time is asked again by the coordinator: a marker that comes twice is no harm.
  private static let span = TimeSpan.seconds(10)
  private let itself: Itself
  private let peers: BrokerPeers

  /// - Parameters:
  ///   - itself: the broker, which leads some of the partitions itself.
  ///   - peers: for this purpose alone.
  init(itself: Itself, peers: BrokerPeers) {
    self.itself = itself
    self.peers = peers
  }

  func stop() { peers.close() }

  /// `then` is called several times: together its results name every partition of the work once.
  func write(_ work: MarkerWork, then: @escaping @Sendable (MarkerResult) -> Void) {
    guard let broker = itself.broker else { return }
    let (parts, result) = divide(work, in: broker.image)
    if !result.isEmpty { then(result) }
    for (leader, partitions) in parts {
      let request = Self.request(work, to: partitions)
      if leader == broker.settings.nodeID {
        let context = RequestContext.own(version: WriteTxnMarkersRequest.versions.lowerBound, on: broker.loops[0])
        broker.writeTxnMarkers(
          Call(request: request, context: context) { then(Self.result(of: partitions, try? $0.get())) })
        continue
      }
      guard let peer = peers.peer(leader) else {
        then(MarkerResult(again: partitions))
        continue
      }
      peer.ask(request, highest: 1, within: Self.span) { result in
        then(Self.result(of: partitions, try? result.get().response))
      }
    }
  }

  /// By leader, in the order of their ids; and what can be said at once.
  ///
  /// A topic that is not in the metadata has been deleted: whoever added it to the transaction knew it, and this broker
  /// has followed the metadata up to a later change, that of its own leadership.
  private func divide(
    _ work: MarkerWork, in image: MetadataImage
  ) -> (parts: [(NodeID, [TopicPartition])], result: MarkerResult) {
    var parts: [NodeID: [TopicPartition]] = [:]
    var result = MarkerResult()
    for partition in work.partitions {
      guard let topic = image.topic(named: partition.topic),
        topic.partitions.indices.contains(Int(partition.partition.value))
      else {
        result.gone.append(partition)
        continue
      }
      let leader = topic.partitions[Int(partition.partition.value)].leader
      if leader == .none { result.again.append(partition) } else { parts[leader, default: []].append(partition) }
    }
    return (parts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, result)
  }

  private static func request(_ work: MarkerWork, to partitions: [TopicPartition]) -> WriteTxnMarkersRequest {
    var marker = WriteTxnMarkersRequest.Marker()
    marker.producerID = work.producer.id.value
    marker.producerEpoch = work.producer.epoch.value
    marker.transactionResult = work.outcome == .committed
    marker.coordinatorEpoch = work.coordinatorEpoch.value
    for partition in partitions {
      if marker.topics.last?.name != partition.topic.text {
        var topic = WriteTxnMarkersRequest.Topic()
        topic.name = partition.topic.text
        marker.topics.append(topic)
      }
      marker.topics[marker.topics.count - 1].partitionIndexes.append(partition.partition.value)
    }
    var request = WriteTxnMarkersRequest()
    request.markers = [marker]
    return request
  }

  /// What is not in the response is not known to be written.
  private static func result(of partitions: [TopicPartition], _ response: WriteTxnMarkersResponse?) -> MarkerResult {
    var codes: [TopicPartition: ErrorCode] = [:]
    for topic in response?.markers.first?.topics ?? [] {
      guard let name = TopicName(topic.name) else { continue }
      for entry in topic.partitions where entry.partitionIndex >= 0 {
        codes[TopicPartition(name, PartitionIndex(entry.partitionIndex))] = entry.errorCode
      }
    }
    var result = MarkerResult()
    for partition in partitions {
      switch codes[partition] {
      case .none?: result.written.append(partition)
      // Something of a later epoch stands there already: this one's transaction was ended with it.
      case .invalidProducerEpoch?: result.written.append(partition)
      case .transactionCoordinatorFenced?:
        result.isFenced = true
        result.again.append(partition)
      default: result.again.append(partition)
      }
    }
    return result
  }
}

extension MarkerResult {
  fileprivate var isEmpty: Bool { written.isEmpty && gone.isEmpty && again.isEmpty }
}
