import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// FindCoordinator, v0–6: who coordinates a group; from v4 on several at once (KIP-699).
  ///
  /// The topic of group offsets is created by the first request that needs it, and the answer waits for it.
  /// Differs from Apache Kafka: transactions and share groups have no coordinator, and get INVALID_REQUEST with the
  /// reason: a retriable error would make a transactional producer ask until its time is up.
  func findCoordinator(_ call: Call<FindCoordinatorRequest>) {
    guard call.request.keyType == 0 else {
      let what = call.request.keyType == 1 ? "Transactions are" : "Key type \(call.request.keyType) is"
      return answer(call, .invalidRequest, "\(what) not supported by this broker.")
    }
    guard !isCutOff(from: call.request) else {
      return sendAway(call, with: refusal(of: call, .coordinatorNotAvailable))
    }
    guard image.topicIDs[.consumerOffsets] == nil else { return answer(call) }
    // Other answers of the connection would wait behind this one, such as those that send the client elsewhere.
    guard !contact.mayHaveGivenUp(at: monotonicNow()) else {
      return answer(call, .coordinatorNotAvailable, "The controller does not answer.")
    }
    createOffsetsTopic { refusal in
      if let refusal {
        self.answer(call, .coordinatorNotAvailable, refusal.message)
      } else {
        self.answer(call)
      }
    }
  }

  /// Each group is coordinated by the leader of the partition that its name falls into.
  private func answer(_ call: Call<FindCoordinatorRequest>) {
    let image = self.image
    var response = FindCoordinatorResponse()
    let single = coordinator(of: call.request.key, image, call.context.listener)
    response.errorCode = single.errorCode
    response.errorMessage = single.errorMessage
    response.nodeID = single.nodeID
    response.host = single.host
    response.port = single.port
    response.coordinators = call.request.coordinatorKeys.map { coordinator(of: $0, image, call.context.listener) }
    call.answer(response)
  }

  private func coordinator(
    of group: String, _ image: MetadataImage, _ listener: String
  ) -> FindCoordinatorResponse.Coordinator {
    var coordinator = FindCoordinatorResponse.Coordinator()
    coordinator.key = group
    let partitions = image.topic(named: .consumerOffsets)?.partitions ?? []
    let leader =
      partitions.isEmpty ? nil : image.brokers[partitions[Groups.partition(of: group, among: partitions.count)].leader]
    guard let leader, !leader.isFenced, let endpoint = leader.endpoints.first(where: { $0.name == listener }) else {
      coordinator.errorCode = .coordinatorNotAvailable
      coordinator.nodeID = -1
      coordinator.port = -1
      return coordinator
    }
    coordinator.nodeID = leader.id.value
    coordinator.host = endpoint.host
    coordinator.port = Int32(endpoint.port)
    return coordinator
  }

  private func answer(_ call: Call<FindCoordinatorRequest>, _ code: ErrorCode, _ message: String?) {
    call.answer(refusal(of: call, code, message))
  }

  private func refusal(
    of call: Call<FindCoordinatorRequest>, _ code: ErrorCode, _ message: String? = nil
  ) -> FindCoordinatorResponse {
    var response = FindCoordinatorResponse()
    response.errorCode = code
    response.errorMessage = message
    response.nodeID = -1
    response.port = -1
    response.coordinators = call.request.coordinatorKeys.map { key in
      var coordinator = FindCoordinatorResponse.Coordinator()
      coordinator.key = key
      coordinator.errorCode = code
      coordinator.errorMessage = message
      coordinator.nodeID = -1
      coordinator.port = -1
      return coordinator
    }
    return response
  }

  private func createOffsetsTopic(then: @escaping @Sendable (Refusal?) -> Void) {
    let reader = settings.reader
    var topic = CreateTopicsRequest.Topic()
    topic.name = TopicName.consumerOffsets.text
    topic.numPartitions = Int32(clamping: reader.int("offsets.topic.num.partitions"))
    topic.replicationFactor = Int16(clamping: reader.int("offsets.topic.replication.factor"))
    topic.configs = [
      ("cleanup.policy", "compact"), ("compression.type", "producer"),
      ("segment.bytes", reader.text("offsets.topic.segment.bytes")),
    ].map { name, value in
      var config = CreateTopicsRequest.Config()
      config.name = name
      config.value = value
      return config
    }
    createTopics([topic]) { then($0[.consumerOffsets]) }
  }
}
