import ClusterMetadata
import Vocabulary

/// What requests about configs are about, by the numbers on the wire.
enum ConfigResourceType: Int8 {
  case topic = 2
  case broker = 4
  /// Mirrors, which Kafka does not have.
  case mirror = 100
}

extension Broker {
  /// A resource as requests name it: any topic, any broker of the image; an empty name stands for all brokers.
  func configResource(type: Int8, name: String, in image: MetadataImage) -> Result<ConfigResource, Refusal> {
    switch ConfigResourceType(rawValue: type) {
    case .topic: return .success(.topic(name))
    case .mirror: return .success(.mirror(name))
    case .broker where name.isEmpty: return .success(.allBrokers)
    case .broker:
      guard let id = Int32(name) else {
        return .failure(Refusal(.invalidRequest, "'\(name)' is not a broker id."))
      }
      guard id == settings.nodeID.value || image.brokers[NodeID(id)] != nil else {
        return .failure(
          Refusal(.brokerIdNotRegistered, "There is no broker \(id): registered are \(Self.text(image.brokers.keys))."))
      }
      return .success(.broker(NodeID(id)))
    case nil:
      return .failure(
        Refusal(
          .invalidRequest, "Resource type \(type) is not supported: only topics (2) and brokers (4) have configs here.")
      )
    }
  }

  private static func text(_ ids: some Sequence<NodeID>) -> String {
    ids.sorted().map { "\($0.value)" }.joined(separator: ", ")
  }

  /// Where topics take what they do not say themselves.
  func inherited(_ image: MetadataImage) -> ConfigResolution {
    ConfigResolution(
      fixed: settings.fixed, broker: image.configs(of: .broker(settings.nodeID)),
      allBrokers: image.configs(of: .allBrokers))
  }

  /// Every config of a topic, as it comes to.
  func topicConfigs(own: [String: String]) -> [ResolvedConfig] {
    let inherited = inherited(image)
    return TopicConfigs.all.map { inherited.resolve($0, own: own) }
  }
}
