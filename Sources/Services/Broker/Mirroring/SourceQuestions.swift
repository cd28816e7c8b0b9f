import ClusterMetadata
import KafkaClient
import KafkaProtocol
import Vocabulary

/// What the source has said of its topics.
struct SourceConfigs: Sendable {
  /// What was set on each topic itself. A topic that the source says nothing of is left out.
  var ofTopics: [TopicName: [String: String]] = [:]
  /// `MirrorConfigs.sourceKind`: a broker that knows how topics are closed has a setting for it, set or not. Nil where
  /// nothing was said of any topic.
  var kind: String?
}

extension SourceConfigs {
  init(_ response: DescribeConfigsResponse) {
    for entry in response.results where entry.errorCode == .none {
      guard let name = TopicName(entry.resourceName) else { continue }
      if !entry.configs.isEmpty {
        let isOurs = entry.configs.contains { $0.name == MirrorConfigs.fence }
        kind = isOurs ? MirrorConfigs.ofOurKind : kind ?? "other"
      }
      ofTopics[name] = Dictionary(
        entry.configs.compactMap { config in
          guard config.configSource == ConfigSource.dynamicTopic.rawValue, let value = config.value else { return nil }
          return (config.name, value)
        }
      ) { first, _ in first }
    }
  }
}

/// What the active controller asks the source about its topics.
struct SourceQuestions: Sendable {
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ link: MirrorLink, _ view: SourceCluster.View) {
    self.link = link
    self.view = view
  }

  func askConfigs(of names: [TopicName], then: @escaping @Sendable (SourceConfigs) -> Void) {
    guard let node = view.brokers.keys.min(), let peer = link.source.peer(of: node, for: .questions) else {
      return then(SourceConfigs())
    }
    var request = DescribeConfigsRequest()
    request.resources = names.map { name in
      var resource = DescribeConfigsRequest.Resource()
      resource.resourceType = ConfigResourceType.topic.rawValue
      resource.resourceName = name.text
      resource.configurationKeys = nil
      return resource
    }
    peer.ask(request, within: SourceCluster.span) { result in
      guard case .success(let answer) = result else { return then(SourceConfigs()) }
      then(SourceConfigs(answer.response))
    }
  }
}
