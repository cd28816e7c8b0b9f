import ClusterMetadata
import KafkaProtocol
import LogStorage
import Vocabulary

extension Broker {
  /// IncrementalAlterConfigs, v0–1: changes single keys (KIP-339). A key without effect here is refused, not swallowed.
  func incrementalAlterConfigs(_ call: Call<IncrementalAlterConfigsRequest>) {
    let request = call.request
    let changes = request.resources.map { resource in
      (type: resource.resourceType, name: resource.resourceName, configs: self.changes(resource))
    }
    alter(changes.map { ($0.type, $0.name) }, validateOnly: request.validateOnly) { index, resource, image in
      changes[index].configs.map { image.alter(resource, $0, inherited: self.inherited(image)) }
    } then: { results in
      var response = IncrementalAlterConfigsResponse()
      response.responses = zip(request.resources, results).map { asked, refusal in
        var entry = IncrementalAlterConfigsResponse.Resource()
        entry.resourceType = asked.resourceType
        entry.resourceName = asked.resourceName
        entry.errorCode = refusal?.code ?? .none
        entry.errorMessage = refusal?.message
        return entry
      }
      call.answer(response)
    }
  }

  /// AlterConfigs, v0–2: replaces all configs of a resource. Deprecated by KIP-339, still sent by older tools.
  func alterConfigs(_ call: Call<AlterConfigsRequest>) {
    let request = call.request
    alter(request.resources.map { ($0.resourceType, $0.resourceName) }, validateOnly: request.validateOnly) {
      index, resource, image in
      let values = request.resources[index].configs.map { ($0.name, $0.value) }
      return .success(image.replace(resource, with: values, inherited: self.inherited(image)))
    } then: { results in
      var response = AlterConfigsResponse()
      response.responses = zip(request.resources, results).map { asked, refusal in
        var entry = AlterConfigsResponse.Resource()
        entry.resourceType = asked.resourceType
        entry.resourceName = asked.resourceName
        entry.errorCode = refusal?.code ?? .none
        entry.errorMessage = refusal?.message
        return entry
      }
      call.answer(response)
    }
  }

  private func changes(
    _ resource: IncrementalAlterConfigsRequest.Resource
  ) -> Result<[(key: String, change: ConfigChange)], Refusal> {
    var changes: [(key: String, change: ConfigChange)] = []
    for config in resource.configs {
      switch config.configOperation {
      case 0: changes.append((config.name, .set(config.value)))
      case 1: changes.append((config.name, .delete))
      case 2: changes.append((config.name, .append(config.value)))
      case 3: changes.append((config.name, .subtract(config.value)))
      default:
        return .failure(
          Refusal(
            .invalidRequest,
            "Config operation \(config.configOperation) is not SET (0), DELETE (1), APPEND (2) or SUBTRACT (3)."))
      }
    }
    return .success(changes)
  }

  /// Alters each resource on its own; `then` gets what was wrong with each, in the order of the request.
  private func alter(
    _ resources: [(type: Int8, name: String)], validateOnly: Bool,
    decide:
      @escaping @Sendable (Int, ConfigResource, MetadataImage) -> Result<Decision<Result<Void, Refusal>>, Refusal>,
    then: @escaping @Sendable ([Refusal?]) -> Void
  ) {
    change { draft in
      var scratch = draft
      var refusals: [Refusal?] = []
      for (index, asked) in resources.enumerated() {
        let decision = self.configResource(type: asked.type, name: asked.name, in: scratch.image).flatMap {
          decide(index, $0, scratch.image)
        }
        switch decision {
        case .failure(let refusal): refusals.append(refusal)
        case .success(let decision):
          switch scratch.add(decision) {
          case .success: refusals.append(nil)
          case .failure(let refusal): refusals.append(refusal)
          }
        }
      }
      if !validateOnly { draft = scratch }
      return refusals
    } then: { result in
      switch result {
      case .success(let refusals): then(refusals)
      case .failure(let refusal): then(resources.map { _ in refusal })
      }
    }
  }
}
