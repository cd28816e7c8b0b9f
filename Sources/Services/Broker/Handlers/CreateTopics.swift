import ClusterMetadata
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// CreateTopics, v2–7: each topic is created or refused on its own. The answer comes when the topics can be used.
  ///
  /// v5 returns the configs, v7 the topic ids. validate_only checks everything and writes nothing.
  func createTopics(_ call: Call<CreateTopicsRequest>) {
    let request = call.request
    let defaults = settings.topicDefaults
    let ids = request.topics.map { _ in UniqueID.random() }
    change { draft in
      var scratch = draft
      var answers: [Result<CreatedTopic, Refusal>] = []
      let repeated = repeatedNames(request.topics.lazy.map(\.name))
      for (topic, id) in zip(request.topics, ids) {
        if let refusal = self.refusal(of: topic, repeated) {
          answers.append(.failure(refusal))
          continue
        }
        answers.append(scratch.add(scratch.image.create(self.creation(topic, id), defaults: defaults)))
      }
      if !request.validateOnly { draft = scratch }
      return answers
    } then: { result in
      var response = CreateTopicsResponse()
      switch result {
      case .success(let answers):
        response.topics = zip(request.topics, answers).map { self.entry($0, $1, call.context.version) }
      case .failure(let refusal):
        response.topics = request.topics.map { self.entry($0, .failure(refusal), call.context.version) }
      }
      call.answer(response)
    }
  }

  /// What is wrong with the request itself, rather than with the topic.
  private func refusal(of topic: CreateTopicsRequest.Topic, _ repeated: Set<String>) -> Refusal? {
    if repeated.contains(topic.name) {
      return Refusal(.invalidRequest, "Duplicate topic name.")
    }
    if TopicName(topic.name) == .clusterMetadata {
      return Refusal(.invalidRequest, "Creation of internal topic \(topic.name) is prohibited.")
    }
    if let key = topic.configs.map(\.name).first(where: { MirrorConfigs.isOwn($0, of: .topic(topic.name)) }) {
      return Refusal(.invalidConfig, "\(key) is set by the mirror, never by hand.")
    }
    guard !topic.assignments.isEmpty else { return nil }
    if topic.numPartitions != -1 || topic.replicationFactor != -1 {
      return Refusal(
        .invalidRequest,
        "A manual partition assignment was specified, but numPartitions or replicationFactor was not -1.")
    }
    if Set(topic.assignments.map(\.partitionIndex)).count != topic.assignments.count {
      return Refusal(.invalidReplicaAssignment, "Found multiple manual partition assignments for one partition.")
    }
    return nil
  }

  private func creation(_ topic: CreateTopicsRequest.Topic, _ id: UniqueID) -> TopicCreation {
    let layout: TopicCreation.Layout
    if topic.assignments.isEmpty {
      layout = .counted(
        partitions: topic.numPartitions == -1 ? nil : topic.numPartitions,
        replicationFactor: topic.replicationFactor == -1 ? nil : topic.replicationFactor)
    } else {
      layout = .assigned(
        Dictionary(topic.assignments.map { ($0.partitionIndex, $0.brokerIDs.map { NodeID($0) }) }) { first, _ in first }
      )
    }
    return TopicCreation(name: topic.name, layout: layout, configs: topic.configs.map { ($0.name, $0.value) }, id: id)
  }

  private func entry(
    _ topic: CreateTopicsRequest.Topic, _ result: Result<CreatedTopic, Refusal>, _ version: Int16
  ) -> CreateTopicsResponse.Topic {
    var entry = CreateTopicsResponse.Topic()
    entry.name = topic.name
    switch result {
    case .failure(let refusal):
      entry.errorCode = refusal.code
      entry.errorMessage = refusal.message
      entry.configs = version >= 5 ? [] : nil
    case .success(let created):
      entry.errorMessage = nil
      entry.topicID = created.id
      entry.numPartitions = created.partitionCount
      entry.replicationFactor = created.replicationFactor
      let own = Dictionary(topic.configs.compactMap { c in c.value.map { (c.name, $0) } }) { _, last in last }
      entry.configs = topicConfigs(own: own).map { resolved in
        var config = CreateTopicsResponse.Config()
        config.name = resolved.definition.name
        config.value = resolved.effective.value
        config.configSource = resolved.effective.source.rawValue
        config.readOnly = resolved.isReadOnly
        return config
      }
    }
    return entry
  }
}
