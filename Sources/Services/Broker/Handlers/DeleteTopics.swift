import ClusterMetadata
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// DeleteTopics, v1–6: by name, and from v6 on by id. The files go a little later (`file.delete.delay.ms`).
  func deleteTopics(_ call: Call<DeleteTopicsRequest>) {
    let references = self.references(in: call)
    let isAllowed = settings.deletesTopics
    change { draft in
      references.map { reference -> Result<TopicState, Refusal> in
        guard let reference else {
          return .failure(
            Refusal(.invalidRequest, "Name a topic by its name or by its id, not by both and not by neither."))
        }
        guard isAllowed else { return .failure(Refusal(.topicDeletionDisabled, "Topic deletion is disabled.")) }
        return draft.add(draft.image.delete(reference))
      }
    } then: { result in
      let results: [Result<TopicState, Refusal>]
      switch result {
      case .success(let each): results = each
      case .failure(let refusal): results = references.map { _ in .failure(refusal) }
      }
      var response = DeleteTopicsResponse()
      response.responses = zip(references, results).map { self.entry($0, $1) }
      call.answer(response)
    }
  }

  private func references(in call: Call<DeleteTopicsRequest>) -> [TopicReference?] {
    guard call.context.version >= 6 else { return call.request.topicNames.map { .name($0) } }
    return call.request.topics.map { topic in
      switch (topic.name, topic.topicID) {
      case (let name?, .zero): .name(name)
      case (nil, let id) where id != .zero: .id(id)
      default: nil
      }
    }
  }

  private func entry(_ reference: TopicReference?, _ result: Result<TopicState, Refusal>) -> DeleteTopicsResponse.Topic
  {
    var entry = DeleteTopicsResponse.Topic()
    switch reference {
    case .name(let name)?: entry.name = name
    case .id(let id)?:
      entry.name = nil
      entry.topicID = id
    case nil: entry.name = nil
    }
    switch result {
    case .success(let topic):
      entry.name = topic.name.text
      entry.topicID = topic.id
    case .failure(let refusal):
      entry.errorCode = refusal.code
      entry.errorMessage = refusal.message
    }
    return entry
  }
}
