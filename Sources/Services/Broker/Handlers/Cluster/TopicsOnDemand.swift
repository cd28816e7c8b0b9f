import ClusterMetadata
import EventLoop
import KafkaProtocol
import Vocabulary

extension Broker {
  /// How long a request may wait for a topic that it makes come into being.
  private static let creationSpan = TimeSpan.seconds(10)
  /// How long it may wait until this broker has read of the topic, which another node created.
  private static let followSpan = TimeSpan.seconds(2)

  /// Has the controller create topics that some request needs, and waits until this broker knows them. Who finds one
  /// that is there already is content; `then` gets what was refused.
  func createTopics(
    _ topics: [CreateTopicsRequest.Topic], then: @escaping @Sendable ([TopicName: Refusal]) -> Void
  ) {
    var request = CreateTopicsRequest()
    request.topics = topics
    request.timeoutMs = Int32(Self.creationSpan.milliseconds)
    let names = topics.compactMap { TopicName($0.name) }
    channel.ask(request, within: Self.creationSpan, here: Broker.createTopics) { result in
      switch result {
      case .failure:
        let refusal = Refusal(.leaderNotAvailable, "There is no controller that could create the topic.")
        then(Dictionary(names.map { ($0, refusal) }) { first, _ in first })
      case .success(let response):
        var refusals: [TopicName: Refusal] = [:]
        for entry in response.topics where entry.errorCode != .none && entry.errorCode != .topicAlreadyExists {
          guard let name = TopicName(entry.name) else { continue }
          refusals[name] = Refusal(entry.errorCode, entry.errorMessage ?? "\(entry.errorCode)")
        }
        let awaited = names.filter { refusals[$0] == nil }
        self.whenKnown(awaited) { [refusals] in then(refusals) }
      }
    }
  }

  /// Calls `done` once: when all of the topics are known here, or when it takes too long.
  private func whenKnown(_ names: [TopicName], _ done: @escaping @Sendable () -> Void) {
    let once = Once(done)
    let timer = loops[0].schedule(after: Self.followSpan) { once.run() }
    publisher.when({ image, _ in names.allSatisfy { image.topicIDs[$0] != nil } }) {
      timer.cancel()
      once.run()
    }
  }
}
