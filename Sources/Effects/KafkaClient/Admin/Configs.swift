public import KafkaProtocol
public import Vocabulary

/// What has a configuration.
public enum ConfigResource: Sendable, Hashable, CustomStringConvertible {
  case topic(TopicName)
  case broker(NodeID)
  /// A mirror of Swiftwater's, which Kafka does not have.
  case mirror(String)

  var type: Int8 {
    switch self {
    case .topic: 2
    case .broker: 4
    case .mirror: 100
    }
  }
  var name: String {
    switch self {
    case .topic(let name): name.text
    case .broker(let node): String(node.value)
    case .mirror(let name): name
    }
  }
  /// A broker answers for itself.
  var destination: Destination {
    switch self {
    case .topic, .mirror: .any
    case .broker(let node): .broker(node)
    }
  }
  public var description: String {
    switch self {
    case .topic(let name): "topic \(name)"
    case .broker(let node): "broker \(node.value)"
    case .mirror(let name): "mirror \(name)"
    }
  }
}

/// A change of one key.
public enum ConfigChange: Sendable, Hashable {
  case set(String, to: String)
  /// Back to what holds without it.
  case unset(String)
}

extension ClusterClient {
  /// All keys, in the broker's order.
  ///
  /// - Parameter node: who is asked, where each broker knows another part.
  public func configs(
    of resource: ConfigResource, from node: NodeID? = nil
  ) async throws(ClientError) -> [DescribeConfigsResponse.Config] {
    let request = DescribeConfigsRequest { request in
      request.includeSynonyms = true
      request.resources = [
        .init {
          $0.resourceType = resource.type
          $0.resourceName = resource.name
          $0.configurationKeys = nil
        }
      ]
    }
    let reply = try await call(request, to: node.map { .broker($0) } ?? resource.destination) { response in
      let result = response.results.first
      return PartialRefusal("\(resource)", result?.errorCode ?? .unknownServerError, result?.errorMessage)
    }
    return reply.response.results.first?.configs ?? []
  }

  /// Makes all changes or none.
  public func alterConfigs(
    of resource: ConfigResource, _ changes: [ConfigChange], _ intent: Intent = .perform
  ) async throws(ClientError) {
    let request = IncrementalAlterConfigsRequest { request in
      request.validateOnly = intent == .validateOnly
      request.resources = [
        .init { one in
          one.resourceType = resource.type
          one.resourceName = resource.name
          one.configs = changes.map { change in
            .init {
              switch change {
              case .set(let key, let value):
                $0.name = key
                $0.value = value
                $0.configOperation = 0
              case .unset(let key):
                $0.name = key
                $0.value = nil
                $0.configOperation = 1
              }
            }
          }
        }
      ]
    }
    let destination: Destination = if case .broker = resource { resource.destination } else { .controller }
    _ = try await call(request, to: destination) { response in
      let result = response.responses.first
      return PartialRefusal("\(resource)", result?.errorCode ?? .unknownServerError, result?.errorMessage)
    }
  }

  /// The mirrors that write topics of the cluster, by their names in order; none where the cluster knows no mirrors.
  public func mirrors() async throws(ClientError) -> [String] {
    let request = ListConfigResourcesRequest { $0.resourceTypes = [ConfigResource.mirror("").type] }
    let reply = try await call(request, to: .any) { PartialRefusal("mirrors", $0.errorCode) }
    return reply.response.configResources.filter { $0.resourceType == ConfigResource.mirror("").type }
      .map(\.resourceName).sorted()
  }
}
