import ClusterMetadata
import KafkaClient
import KafkaProtocol
import Vocabulary

/// Closes topics at the source to its clients, and opens them again.
struct SourceFence: Sendable {
  enum Change: Sendable {
    case closeToWrites(String)
    /// To what groups commit, where it is closed to writes already.
    case closeToCommits(String)
    /// To both at once.
    case close(String)
    /// Takes a word out of those lists that have it.
    case open(String, keys: [String])

    /// As IncrementalAlterConfigs has them (KIP-339): 2 adds a word to a list, 3 takes it away.
    fileprivate var configs: [(key: String, operation: Int8, word: String)] {
      switch self {
      case .closeToWrites(let word): [(MirrorConfigs.fence, 2, word)]
      case .closeToCommits(let word): [(MirrorConfigs.commitFence, 2, word)]
      case .close(let word): [(MirrorConfigs.fence, 2, word), (MirrorConfigs.commitFence, 2, word)]
      case .open(let word, let keys): keys.map { ($0, 3, word) }
      }
    }
  }
  private let link: MirrorLink
  private let view: SourceCluster.View

  init(_ link: MirrorLink, _ view: SourceCluster.View) {
    self.link = link
    self.view = view
  }

  /// What closes a topic for an attempt of a cluster. Another attempt, or what is left of one, has another word.
  static func word(of clusterID: String, _ attempt: Int32) -> String { "\(clusterID):\(attempt)" }

  /// `then` gets what the source has against it, or nil.
  func alter(_ changes: [(TopicName, Change)], then: @escaping @Sendable (String?) -> Void) {
    guard let node = view.brokers.keys.min(), let peer = link.source.peer(of: node, for: .questions) else {
      return then("no broker of the source can be asked")
    }
    var request = IncrementalAlterConfigsRequest()
    request.resources = changes.map { name, change in
      var resource = IncrementalAlterConfigsRequest.Resource()
      resource.resourceType = ConfigResourceType.topic.rawValue
      resource.resourceName = name.text
      resource.configs = change.configs.map { key, operation, word in
        var config = IncrementalAlterConfigsRequest.Config()
        config.name = key
        config.configOperation = operation
        config.value = word
        return config
      }
      return resource
    }
    peer.ask(request, within: SourceCluster.span) { result in
      switch result {
      case .failure(let error): then("the source does not answer: \(error)")
      case .success(let answer):
        let refused = answer.response.responses.first { $0.errorCode != .none }
        then(refused.map { "the source does not let itself be closed: \($0.errorMessage ?? "\($0.errorCode)")" })
      }
    }
  }
}
