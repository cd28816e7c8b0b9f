public import KafkaProtocol
public import Vocabulary

/// Whether a change is made, or only checked.
public enum Intent: Sendable, Hashable {
  case perform
  case validateOnly
}

extension ClusterClient {
  private var timeoutMs: Int32 { Int32(clamping: settings.requestSpan.milliseconds) }

  /// Every topic of the cluster, in the order of their names.
  public func topics() async throws(ClientError) -> [TopicView] {
    let response = try await refreshMetadata(nil)
    let names = response.topics.compactMap { $0.name.flatMap(TopicName.init) }
    let view = view
    return names.compactMap { view.topics[$0] }.sorted { $0.name < $1.name }
  }

  /// Nil for partitions and replicas leaves them to the broker. Throws `refused` with TOPIC_ALREADY_EXISTS and the like.
  @discardableResult
  public func createTopic(
    _ name: TopicName, partitions: Int32?, replicas: Int16?, configs: [(key: String, value: String)], _ intent: Intent
  ) async throws(ClientError) -> CreateTopicsResponse.Topic {
    let request = CreateTopicsRequest { request in
      request.timeoutMs = timeoutMs
      request.validateOnly = intent == .validateOnly
      request.topics = [
        .init { topic in
          topic.name = name.text
          topic.numPartitions = partitions ?? -1
          topic.replicationFactor = replicas ?? -1
          topic.configs = configs.map { pair in
            .init {
              $0.name = pair.key
              $0.value = pair.value
            }
          }
        }
      ]
    }
    let reply = try await call(request, to: .controller) { response in
      let topic = response.topics.first
      return PartialRefusal("topic \(name)", topic?.errorCode ?? .unknownServerError, topic?.errorMessage)
    }
    return reply.response.topics.first ?? .init()
  }

  public func deleteTopic(_ name: TopicName) async throws(ClientError) {
    let request = DeleteTopicsRequest { request in
      request.timeoutMs = timeoutMs
      request.topicNames = [name.text]
      request.topics = [.init { $0.name = name.text }]
    }
    _ = try await call(request, to: .controller) { response in
      let topic = response.responses.first
      return PartialRefusal("topic \(name)", topic?.errorCode ?? .unknownServerError, topic?.errorMessage)
    }
    apply(.refreshMetadata, to: .leader(TopicPartition(name, PartitionIndex(0))))
  }

  /// The topic will have `total` partitions.
  public func addPartitions(to name: TopicName, total: Int32, _ intent: Intent) async throws(ClientError) {
    let request = CreatePartitionsRequest { request in
      request.timeoutMs = timeoutMs
      request.validateOnly = intent == .validateOnly
      request.topics = [
        .init {
          $0.name = name.text
          $0.count = total
          $0.assignments = nil
        }
      ]
    }
    _ = try await call(request, to: .controller) { response in
      let topic = response.results.first
      return PartialRefusal("topic \(name)", topic?.errorCode ?? .unknownServerError, topic?.errorMessage)
    }
    apply(.refreshMetadata, to: .leader(TopicPartition(name, PartitionIndex(0))))
  }
}
