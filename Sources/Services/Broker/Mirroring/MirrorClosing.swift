import ClusterMetadata
import EventLoop
import KafkaClient
import KafkaProtocol
import MirrorPlanning
import Telemetry
import Vocabulary

/// One look, by the active controller after a failover, at whether the old owner still lets clients write.
struct MirrorClosing: Sendable {
  private let broker: Broker
  private let order: MirrorOrder
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ broker: Broker, _ order: MirrorOrder, _ link: MirrorLink, _ view: SourceCluster.View) {
    self.broker = broker
    self.order = order
    self.link = link
    self.view = view
  }

  /// `then` gets what stands in the way, by topic; an empty name is for the source as a whole.
  func proceed(then: @escaping @Sendable ([String: String]) -> Void) {
    let taken = taken
    let asked = taken.map(\.name).filter { view.topics[$0] != nil }
    guard !asked.isEmpty else { return take(taken, [:], then) }
    let questions = SourceQuestions(link, view)
    questions.askConfigs(of: asked) { configs in
      broker.pool.run { take(taken, configs.ofTopics, then) }
    }
  }

  /// What came from that source, and is this cluster's own since the failover.
  private var taken: [TakenTopic] {
    broker.image.topicsByName.compactMap { topic in
      let configs = broker.image.configs(of: .topic(topic.name.text))
      guard configs["mirror.link"] == nil, configs["mirror.report"] != nil,
        MirrorPath(text: configs["mirror.path"]).clusters.last == order.sourceID
      else { return nil }
      let generation = ownershipGeneration(configs)
      return generation == order.generation ? TakenTopic(name: topic.name, id: topic.id, generation: generation) : nil
    }
  }

  private func take(
    _ taken: [TakenTopic], _ configs: [TopicName: [String: String]],
    _ then: @escaping @Sendable ([String: String]) -> Void
  ) {
    var source: [TopicName: SourceTopic] = [:]
    for (name, values) in configs {
      guard let there = view.topics[name] else { continue }
      source[name] = SourceTopic(
        name: name, id: there.id, partitions: there.partitions.count, path: MirrorPath(text: values["mirror.path"]),
        configs: values)
    }
    let word = SourceFence.word(of: broker.clusterID, order.attempt)
    let fences = configs.mapValues { commaSeparated($0[MirrorConfigs.fence] ?? "") }
    let plan = planClosing(taken, at: source, fences: fences, word: word)
    if plan.isDone { return end(then) }
    guard !plan.close.isEmpty else {
      return then(
        Dictionary(
          uniqueKeysWithValues: plan.unknown.map { ($0.text, "the source has said nothing of it since the failover") }))
    }
    guard order.sourceKind != "other" else {
      return then([
        "": "the source is not Swiftwater and cannot be told that it owns nothing any more: see to it that nobody "
          + "writes there; with source.fencing.enable=false on the mirror this is taken as seen to"
      ])
    }
    SourceFence(link, view).alter(plan.close.map { ($0, .close(word)) }) { refusal in
      then(refusal.map { ["": $0] } ?? [:])
    }
  }

  private func end(_ then: @escaping @Sendable ([String: String]) -> Void) {
    let order = order
    broker.change { draft in
      draft.add(draft.image.note([("source.fenced", String(order.generation))], of: order.name))
    } then: { _ in
      then([:])
    }
    broker.log.info(
      "the source of a mirror that failed over takes no more writes",
      ["mirror": order.name, "generation": "\(order.generation)"])
  }
}
