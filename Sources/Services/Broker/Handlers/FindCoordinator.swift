import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// FindCoordinator, v0–6: who coordinates a group or a transactional id; from v4 on several at once (KIP-699).
  ///
  /// The internal topic is created by the first request that needs it, and the answer waits for it.
  /// Differs from Apache Kafka: share groups have no coordinator, and get INVALID_REQUEST with the reason.
  func findCoordinator(_ call: Call<FindCoordinatorRequest>) {
    guard let kind = CoordinatorKind(rawValue: call.request.keyType) else {
      return answer(call, .invalidRequest, "Key type \(call.request.keyType) is not supported by this broker.")
    }
    guard !isCutOff(from: call.request) else {
      return sendAway(call, with: refusal(of: call, .coordinatorNotAvailable))
    }
    guard image.topicIDs[kind.topic] == nil else { return answer(call, kind) }
    // Other answers of the connection would wait behind this one, such as those that send the client elsewhere.
    guard !contact.mayHaveGivenUp(at: monotonicNow()) else {
      return answer(call, .coordinatorNotAvailable, "The controller does not answer.")
    }
    createTopics([kind.newTopic(settings.reader)]) { refusals in
      if let refusal = refusals[kind.topic] {
        self.answer(call, .coordinatorNotAvailable, refusal.message)
      } else {
        self.answer(call, kind)
      }
    }
  }

  private func answer(_ call: Call<FindCoordinatorRequest>, _ kind: CoordinatorKind) {
    let image = self.image
    var response = FindCoordinatorResponse()
    let single = coordinator(of: call.request.key, kind, image, call.context.listener)
    response.errorCode = single.errorCode
    response.errorMessage = single.errorMessage
    response.nodeID = single.nodeID
    response.host = single.host
    response.port = single.port
    response.coordinators = call.request.coordinatorKeys.map {
      coordinator(of: $0, kind, image, call.context.listener)
    }
    call.answer(response)
  }

  private func coordinator(
    of key: String, _ kind: CoordinatorKind, _ image: MetadataImage, _ listener: String
  ) -> FindCoordinatorResponse.Coordinator {
    var coordinator = FindCoordinatorResponse.Coordinator()
    coordinator.key = key
    guard let leader = kind.leader(of: key, in: image),
      let endpoint = leader.endpoints.first(where: { $0.name == listener })
    else {
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
}

/// What is coordinated, each kind in an internal topic of its own. The numbers are those of FindCoordinator.
enum CoordinatorKind: Int8 {
  case group = 0
  case transaction = 1

  var topic: TopicName {
    switch self {
    case .group: .consumerOffsets
    case .transaction: .transactionState
    }
  }

  /// The live leader of the partition that the key falls into; nil while there is none.
  func leader(of key: String, in image: MetadataImage) -> BrokerRegistration? {
    let partitions = image.topic(named: topic)?.partitions ?? []
    guard !partitions.isEmpty else { return nil }
    let leader = image.brokers[partitions[Groups.partition(of: key, among: partitions.count)].leader]
    return leader.flatMap { $0.isFenced ? nil : $0 }
  }

  func newTopic(_ reader: SettingsReader) -> CreateTopicsRequest.Topic {
    var topic = CreateTopicsRequest.Topic()
    topic.name = self.topic.text
    let prefix: String
    var configs = [("cleanup.policy", "compact")]
    switch self {
    case .group:
      prefix = "offsets.topic"
      configs.append(("compression.type", "producer"))
    case .transaction:
      prefix = "transaction.state.log"
      configs.append(("compression.type", "uncompressed"))
      configs.append(("min.insync.replicas", reader.text("transaction.state.log.min.isr")))
      configs.append(("unclean.leader.election.enable", "false"))
    }
    configs.append(("segment.bytes", reader.text("\(prefix).segment.bytes")))
    topic.numPartitions = Int32(clamping: reader.int("\(prefix).num.partitions"))
    topic.replicationFactor = Int16(clamping: reader.int("\(prefix).replication.factor"))
    topic.configs = configs.map { name, value in
      var config = CreateTopicsRequest.Config()
      config.name = name
      config.value = value
      return config
    }
    return topic
  }
}
