import KafkaClient
import KafkaProtocol
import Vocabulary

/// What clients do: one thing at a time each, for as long as the history goes on.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)

  var anyNode: Int32 { brokers[stage.draw(brokers.count)].id }

  /// The client does the next thing after a pause.
  func again(_ number: Int, after pause: Int64? = nil) {
    later(pause ?? Int64(1 + stage.draw(60)) * BrokerStage.Spans.millisecond) { self.act(number, &$0) }
  }

  private func act(_ number: Int, _ model: inout Model) {
    progress(&model)
    if model.clients[number].isPipelined { return pipeline(number, &model) }
    // What a client knows grows old even if nobody contradicts it.
    if stage.happens(oneIn: 12) || mustAsk(number, model) { return refresh(number) }
    switch model.clients[number].role {
    case .producer: produce(number, &model)
    case .consumer: consume(number, &model)
    case .committer: commit(number, &model)
    case .administrator: administer(number, &model)
    }
  }

  /// Whoever knows of no topic has nothing to do, unless it makes topics or is about to find that there are none.
  private func mustAsk(_ number: Int, _ model: Model) -> Bool {
    guard model.clients[number].leaders.isEmpty, model.clients[number].role != .administrator else { return false }
    if case .checking = model.phase { return false }
    return true
  }

  func refresh(_ number: Int) { learn(number) { _ in self.again(number) } }

  /// Asks anybody who leads what.
  func learn(_ number: Int, then: @escaping @Sendable (inout Model) -> Void) {
    let node = anyNode
    let request = MetadataRequest {
      $0.topics = nil
      $0.allowAutoTopicCreation = false
    }
    clients[number].ask(request, of: node, within: Self.patience) { result in
      self.post { model in
        defer { then(&model) }
        guard case .success(let answer) = result, answer.response.errorCode == .none else { return }
        model.clients[number].learn(answer.response)
        self.stage.note("client-\(number) hears from node-\(node): \(Self.words(answer.response))")
        model.alive[node] = Set(answer.response.brokers.map(\.nodeID))
        if case .troubled = model.phase { return }
        model.present = Set(answer.response.topics.map(\.topicID))
      }
    }
  }

  private static func words(_ response: MetadataResponse) -> String {
    response.topics.flatMap { topic in
      topic.partitions.map {
        "\(topic.name ?? "")-\($0.partitionIndex) \($0.leaderID)@\($0.leaderEpoch) \($0.isrNodes)/\($0.replicaNodes)"
      }
    }.joined(separator: ", ")
  }
}
