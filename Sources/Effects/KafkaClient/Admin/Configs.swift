public import KafkaProtocol
public import Vocabulary

/// What has a configuration.
public enum ConfigResource: Sendable, Hashable, CustomStringConvertible {
  case topic(TopicName)
  case broker(NodeID)

  var type: Int8 {
    switch self {
    case .topic: 2
    case .broker: 4
    }
  }
  var name: String {
    switch self {
    case .topic(let name): name.text
    case .broker(let node): String(node.value)
    }
  }
  /// A broker answers for itself.
  var destination: Destination {
    switch self {
    case .topic: .any
    case .broker(let node): .broker(node)
    }
  }
  public var description: String {
    switch self {
    case .topic(let name): "topic \(name)"
    case .broker(let node): "broker \(node.value)"
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
  public func configs(of resource: ConfigResource) async throws(ClientError) -> [DescribeConfigsResponse.Config] {
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
    let reply = try await call(request, to: resource.destination) { response in
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
    let destination: Destination = if case .topic = resource { .controller } else { resource.destination }
    _ = try await call(request, to: destination) { response in
      let result = response.responses.first
      return PartialRefusal("\(resource)", result?.errorCode ?? .unknownServerError, result?.errorMessage)
    }
  }
}
