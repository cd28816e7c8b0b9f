import ClusterMetadata
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// Metadata, v0–13: which brokers there are, and who leads the partitions of some topics or of all.
  ///
  /// Differs from Apache Kafka: a topic that is created because it was asked for is in this very answer, with its
  /// leaders; Kafka answers UNKNOWN_TOPIC_OR_PARTITION and lets the client ask again. And a broker that is cut off from
  /// all but its clients, or knows of no broker that serves, closes their connections behind the answer.
  func describeMetadata(_ call: Call<MetadataRequest>) {
    let request = call.request
    let wantsAll = request.topics == nil || (call.context.version == 0 && request.topics?.isEmpty == true)
    let missing = wantsAll ? [] : creatable(request, version: call.context.version)
    if let reason = reasonToSendAway(request) {
      return sendAway(call, with: metadata(for: call, wantsAll, [:]), because: reason)
    }
    guard !missing.isEmpty else { return call.answer(metadata(for: call, wantsAll, [:])) }
    create(missing) { refusals in
      call.answer(self.metadata(for: call, wantsAll, refusals))
    }
  }

  /// Names that are asked for, could be topics and are none yet, if asking may create them.
  private func creatable(_ request: MetadataRequest, version: Int16) -> [TopicName] {
    guard settings.createsTopicsWhenAsked, version < 4 || request.allowAutoTopicCreation else { return [] }
    let names = (request.topics ?? []).compactMap { $0.topicID == .zero ? $0.name.flatMap(TopicName.init) : nil }
    let image = self.image
    return names.filter { image.topicIDs[$0] == nil && !$0.isInternal }
  }

  private func create(_ names: [TopicName], then: @escaping @Sendable ([TopicName: Refusal]) -> Void) {
    createTopics(names.map { Self.creation($0) }, then: then)
  }

  private static func creation(_ name: TopicName) -> CreateTopicsRequest.Topic {
    var topic = CreateTopicsRequest.Topic()
    topic.name = name.text
    topic.numPartitions = -1
    topic.replicationFactor = -1
    return topic
  }

  private func metadata(
    for call: Call<MetadataRequest>, _ wantsAll: Bool, _ refusals: [TopicName: Refusal]
  ) -> MetadataResponse {
    let image = self.image
    var response = MetadataResponse()
    response.clusterID = clusterID
    response.controllerID = controllerForClients(image)
    response.brokers = image.liveBrokers.compactMap { broker in
      guard let endpoint = broker.endpoints.first(where: { $0.name == call.context.listener }) else { return nil }
      var entry = MetadataResponse.Broker()
      entry.nodeID = broker.id.value
      entry.host = endpoint.host
      entry.port = Int32(endpoint.port)
      entry.rack = broker.rack
      return entry
    }
    let operations = call.request.includeTopicAuthorizedOperations ? AuthorizedOperations.topic : .min
    if wantsAll {
      response.topics = image.topicsByName.map { describe($0, operations) }
    } else {
      let asked = call.request.topics ?? []
      response.topics = asked.withoutRepetition { AskedTopic(name: $0.name, id: $0.topicID) }.map {
        describe($0, image, refusals, operations)
      }
    }
    if call.request.includeClusterAuthorizedOperations {
      response.clusterAuthorizedOperations = AuthorizedOperations.cluster
    }
    return response
  }

  private func describe(
    _ asked: MetadataRequest.Topic, _ image: MetadataImage, _ refusals: [TopicName: Refusal], _ operations: Int32
  ) -> MetadataResponse.Topic {
    let byID = asked.topicID != .zero
    let found = image.topic(byID ? .id(asked.topicID) : .name(asked.name ?? ""))
    switch found {
    case .success(let topic): return describe(topic, operations)
    case .failure(let refusal):
      var entry = MetadataResponse.Topic()
      let reason = asked.name.flatMap(TopicName.init).flatMap { refusals[$0] } ?? refusal
      entry.errorCode = reason.code
      entry.name = byID ? nil : asked.name
      entry.topicID = asked.topicID
      return entry
    }
  }

  private func describe(_ topic: TopicState, _ operations: Int32) -> MetadataResponse.Topic {
    var entry = MetadataResponse.Topic()
    entry.name = topic.name.text
    entry.topicID = topic.id
    entry.isInternal = topic.name.isInternal
    entry.topicAuthorizedOperations = operations
    entry.partitions = topic.partitions.enumerated().map { index, state in
      var partition = MetadataResponse.Partition()
      partition.partitionIndex = Int32(index)
      let leader = believed(state.leader, of: Int32(index), in: topic)
      partition.errorCode = leader == .none ? .leaderNotAvailable : .none
      partition.leaderID = leader.value
      partition.leaderEpoch = state.leaderEpoch.value
      partition.replicaNodes = state.replicas.map(\.value)
      partition.isrNodes = state.inSync.map(\.value)
      return partition
    }
    return entry
  }
}

private struct AskedTopic: Hashable {
  let name: String?
  let id: UniqueID
}

/// What anyone may do while there are no access rules: the operations of each kind of resource, one bit each (KIP-430).
enum AuthorizedOperations {
  /// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
  static let topic: Int32 = bits(3, 4, 5, 6, 7, 8, 10, 11)
  /// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
  static let cluster: Int32 = bits(5, 7, 8, 9, 10, 11, 12)
  /// READ, DELETE, DESCRIBE.
  static let group: Int32 = bits(3, 6, 8)

  private static func bits(_ positions: Int32...) -> Int32 { positions.reduce(0) { $0 | 1 << $1 } }
}
