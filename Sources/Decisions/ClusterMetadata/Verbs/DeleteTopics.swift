public import Vocabulary

public enum TopicReference: Sendable, Hashable {
  case name(String)
  case id(UniqueID)
}

extension MetadataImage {
  public func topic(_ reference: TopicReference) -> Result<TopicState, Refusal> {
    switch reference {
    case .name(let text):
      guard let name = TopicName(text) else { return .failure(.invalidName(text)) }
      if let state = topic(named: name) { return .success(state) }
      return .failure(Refusal(.unknownTopicOrPartition, "This server does not host the topic '\(name)'."))
    case .id(let id):
      if let state = topics[id] { return .success(state) }
      return .failure(Refusal(.unknownTopicId, "This server does not host a topic with the id \(id)."))
    }
  }

  /// DeleteTopics for one topic, by name or by id.
  public func delete(_ reference: TopicReference) -> Decision<Result<TopicState, Refusal>> {
    let found = topic(reference)
    guard case .success(let state) = found else { return Decision(records: [], answer: found) }
    return Decision(records: [.topicRemoved(state.id)], answer: .success(state))
  }
}
