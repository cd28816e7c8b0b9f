import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeConfigs, v1–4: what a topic's or a broker's keys come to, and where each value comes from.
  func describeConfigs(_ call: Call<DescribeConfigsRequest>) {
    let request = call.request
    let image = self.image
    var response = DescribeConfigsResponse()
    response.results = request.resources.withoutRepetition { "\($0.resourceType) \($0.resourceName)" }.map { asked in
      var entry = DescribeConfigsResponse.Resource()
      entry.resourceType = asked.resourceType
      entry.resourceName = asked.resourceName
      entry.errorMessage = nil
      switch resolved(asked, image) {
      case .failure(let refusal):
        entry.errorCode = refusal.code
        entry.errorMessage = refusal.message
      case .success(let configs):
        let keys = asked.configurationKeys.map(Set.init)
        entry.configs = configs.filter { keys?.contains($0.definition.name) ?? true }.map { describe($0, request) }
      }
      return entry
    }
    call.answer(response)
  }

  private func resolved(
    _ asked: DescribeConfigsRequest.Resource, _ image: MetadataImage
  ) -> Result<[ResolvedConfig], Refusal> {
    configResource(type: asked.resourceType, name: asked.resourceName, in: image).flatMap { resource in
      let inherited = inherited(image)
      switch resource {
      case .topic(let name):
        return image.topic(.name(name)).map { topic in
          TopicConfigs.all.map { inherited.resolve($0, own: image.configs(of: .topic(topic.name.text))) }
        }
      case .broker(let id):
        guard id == settings.nodeID else {
          return .failure(
            Refusal(
              .invalidRequest,
              "Only broker \(id) itself knows its server.properties; this is broker \(settings.nodeID): ask that one."))
        }
        return .success(BrokerConfigs.all.map { inherited.resolve(brokerKey: $0) })
      case .allBrokers:
        let set = image.configs(of: .allBrokers)
        let known = BrokerConfigs.all.filter { set[$0.name] != nil }
        return .success(known.map { ConfigResolution(fixed: [:], allBrokers: set).resolve(brokerKey: $0) })
      case .mirror(let name): return mirrorConfigs(name, image)
      }
    }
  }

  private func describe(
    _ resolved: ResolvedConfig, _ request: DescribeConfigsRequest
  ) -> DescribeConfigsResponse.Config {
    var config = DescribeConfigsResponse.Config()
    config.name = resolved.definition.name
    config.value = resolved.effective.value
    config.readOnly = resolved.isReadOnly
    config.configSource = resolved.effective.source.rawValue
    config.configType = resolved.definition.kind.wireType
    config.documentation = request.includeDocumentation ? resolved.definition.documentation : nil
    guard request.includeSynonyms else { return config }
    config.synonyms = resolved.synonyms.map { value in
      var synonym = DescribeConfigsResponse.Synonym()
      synonym.name = value.key
      synonym.value = value.value
      synonym.source = value.source.rawValue
      return synonym
    }
    return config
  }
}
