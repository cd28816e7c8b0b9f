import EventLoop
import KafkaClient
import KafkaProtocol
import Vocabulary

extension SourceCluster {
  /// Asks a broker of the source for records. `request` has the ids of topics and their names. `then` gets nil when there is
  /// no answer, and UNSUPPORTED_VERSION from a source in which topics have no ids (Kafka before 2.8).
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
    peer.ask(request, lowest: 12, highest: 12, within: span) { result in
      switch result {
      case .failure(.unsupported): then(.tooOld)
      case .failure: then(nil)
      case .success(let answer):
        guard let question = NamedFetch.question(about: answer.response, in: view) else {
          let known = NamedFetch.identified(answer.response, in: view, by: MetadataResponse())
          return then(FetchedFrame(response: known, frame: answer.frame, bodyStart: answer.bodyStart))
        }
        peer.ask(question, lowest: 10, within: Self.span) { result in
          switch result {
          case .failure(.unsupported): then(.tooOld)
          case .failure:
            // It counts as what has come, and nothing is taken of it.
            then(FetchedFrame(answer, failing: .networkException))
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

  fileprivate init(_ answer: PeerAnswer<FetchResponse>, failing code: ErrorCode) {
    var refusal = FetchResponse()
    refusal.errorCode = code
    self.init(response: refusal, frame: answer.frame, bodyStart: answer.bodyStart)
  }

  fileprivate static var tooOld: FetchedFrame {
    var refusal = FetchResponse()
    refusal.errorCode = .unsupportedVersion
    return FetchedFrame(response: refusal, frame: [], bodyStart: 0)
  }
}

/// The answer to a Fetch that names topics by their names, for somebody who knows them by their ids.
enum NamedFetch {
  /// What the broker is asked that has sent this; nil where it is about no topic that is known.
  static func question(about response: FetchResponse, in view: SourceCluster.View) -> MetadataRequest? {
    var request = MetadataRequest()
    let topics = response.responses.compactMap { topic -> MetadataRequest.Topic? in
      guard let name = TopicName(topic.topic), view.topics[name] != nil else { return nil }
      var asked = MetadataRequest.Topic()
      asked.name = topic.topic
      return asked
    }
    guard !topics.isEmpty else { return nil }
    request.topics = topics
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
