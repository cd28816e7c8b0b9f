import ClusterMetadata
import KafkaClient
import KafkaProtocol
import Vocabulary

/// What the active controller asks the source about its topics.
struct SourceQuestions: Sendable {
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ link: MirrorLink, _ view: SourceCluster.View) {
    self.link = link
    self.view = view
  }

  /// What was set on each topic itself. A topic that the source says nothing of is left out.
  func askConfigs(of names: [TopicName], then: @escaping @Sendable ([TopicName: [String: String]]) -> Void) {
    guard let node = view.brokers.keys.min(), let peer = link.source.peer(of: node, for: .questions) else {
      return then([:])
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
      guard case .success(let answer) = result else { return then([:]) }
      var found: [TopicName: [String: String]] = [:]
      for entry in answer.response.results where entry.errorCode == .none {
        guard let name = TopicName(entry.resourceName) else { continue }
        found[name] = Dictionary(
          entry.configs.compactMap { config in
            guard config.configSource == ConfigSource.dynamicTopic.rawValue, let value = config.value else {
              return nil
            }
            return (config.name, value)
          }
        ) { first, _ in first }
      }
      then(found)
    }
  }
}
