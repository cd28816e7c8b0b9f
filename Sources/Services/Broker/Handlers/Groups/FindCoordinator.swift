import ClusterMetadata
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
    guard groups.isEmpty else { return answer(call, .none, nil) }
    createOffsetsTopic { refusal in
      self.answer(call, refusal == nil ? .none : .coordinatorNotAvailable, refusal?.message)
    }
  }

  private func answer(_ call: Call<FindCoordinatorRequest>, _ code: ErrorCode, _ message: String?) {
    let endpoint = settings.listeners.first { $0.name == call.context.listener }?.advertised
    let isFound = code == .none && endpoint != nil
    var response = FindCoordinatorResponse()
    response.errorCode = code
    response.errorMessage = message
    response.nodeID = isFound ? settings.nodeID.value : -1
    response.host = isFound ? endpoint?.host ?? "" : ""
    response.port = isFound ? Int32(endpoint?.port ?? 0) : -1
    response.coordinators = call.request.coordinatorKeys.map { key in
      var coordinator = FindCoordinatorResponse.Coordinator()
      coordinator.key = key
      coordinator.errorCode = code
      coordinator.errorMessage = message
      coordinator.nodeID = response.nodeID
      coordinator.host = response.host
      coordinator.port = response.port
      return coordinator
    }
    call.answer(response)
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
