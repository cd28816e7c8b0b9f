import EventLoop
import KafkaClient
import KafkaProtocol
import Vocabulary

extension SourceCluster {
  /// Asks a broker of the source for records of topics that `request` names by their ids. `then` gets nil when there is no
  /// answer, and UNSUPPORTED_VERSION from a source in which topics have no ids (Kafka before 2.8).
  func fetch(
    from peer: Peer, _ request: FetchRequest, within span: TimeSpan,
    then: @escaping @Sendable (FetchedFrame?) -> Void
  ) {
    // v13 is the first that asks for topics by id (KIP-516).
    peer.ask(request, lowest: 13, within: span) { result in
      switch result {
      case .success(let answer): then(FetchedFrame(answer))
      case .failure(.unsupported): self.fetchByName(from: peer, request, within: span, then: then)
      case .failure: then(nil)
      }
    }
  }

  /// For Kafka 2.8 to 3.0. By its name, a topic that was made again would be taken for the old one. So the same broker is
  /// asked, after it has answered, which id the topic has: it hears that a topic is deleted before it leads one that was
  /// made again, and then does not know the old id any more.
  private func fetchByName(
    from peer: Peer, _ request: FetchRequest, within span: TimeSpan,
    then: @escaping @Sendable (FetchedFrame?) -> Void
  ) {
    guard let view else { return then(nil) }
    peer.ask(NamedFetch.request(request, in: view), lowest: 12, highest: 12, within: span) { result in
      switch result {
      case .failure(.unsupported): then(.tooOld)
      case .failure: then(nil)
      case .success(let answer):
        guard !answer.response.responses.isEmpty else { return then(FetchedFrame(answer)) }
        peer.ask(NamedFetch.question(about: answer.response), lowest: 10, within: Self.span) { result in
          switch result {
          case .failure(.unsupported): then(.tooOld)
          case .failure: then(nil)
          case .success(let said):
            let known = NamedFetch.identified(answer.response, in: view, by: said.response)
            then(FetchedFrame(response: known, frame: answer.frame, bodyStart: answer.bodyStart))
          }
        }
      }
    }
  }
}

extension FetchedFrame {
  fileprivate init(_ answer: PeerAnswer<FetchResponse>) {
    self.init(response: answer.response, frame: answer.frame, bodyStart: answer.bodyStart)
  }

  fileprivate static var tooOld: FetchedFrame {
    var refusal = FetchResponse()
    refusal.errorCode = .unsupportedVersion
    return FetchedFrame(response: refusal, frame: [], bodyStart: 0)
  }
}

/// A Fetch that names topics by their names, for somebody who knows them by their ids.
enum NamedFetch {
  /// Topics without a known name are left out: the source does not have them any more.
  static func request(_ request: FetchRequest, in view: SourceCluster.View) -> FetchRequest {
    var request = request
    request.topics = request.topics.compactMap { topic in
      guard let name = view.names[topic.topicID] else { return nil }
      var topic = topic
      topic.topic = name.text
      return topic
    }
    request.forgottenTopicsData = request.forgottenTopicsData.compactMap { topic in
      guard let name = view.names[topic.topicID] else { return nil }
      var topic = topic
      topic.topic = name.text
      return topic
    }
    return request
  }

  /// What the broker is asked that has sent this.
  static func question(about response: FetchResponse) -> MetadataRequest {
    var request = MetadataRequest()
    request.topics = response.responses.map { topic in
      var asked = MetadataRequest.Topic()
      asked.name = topic.topic
      return asked
    }
    request.allowAutoTopicCreation = false
    return request
  }

  /// The answer by ids. Of a topic that has another id by now, or none, nothing is kept: UNKNOWN_TOPIC_ID.
  static func identified(
    _ response: FetchResponse, in view: SourceCluster.View, by metadata: MetadataResponse
  ) -> FetchResponse {
    var said: [String: UniqueID] = [:]
    for topic in metadata.topics where topic.errorCode == .none {
      if let name = topic.name { said[name] = topic.topicID }
    }
    var response = response
    response.responses = response.responses.compactMap { topic in
      guard let id = TopicName(topic.topic).flatMap({ view.topics[$0]?.id }) else { return nil }
      var topic = topic
      topic.topicID = id
      guard said[topic.topic] == id else {
        topic.partitions = topic.partitions.map { refused($0.partitionIndex) }
        return topic
      }
      return topic
    }
    return response
  }

  private static func refused(_ index: Int32) -> FetchResponse.Partition {
    var partition = FetchResponse.Partition()
    partition.partitionIndex = index
    partition.errorCode = .unknownTopicId
    return partition
  }
}
