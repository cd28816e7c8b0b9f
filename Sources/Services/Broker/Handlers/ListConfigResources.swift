import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ListConfigResources, v0–1: names what has configs (KIP-1142). v0 asked for client metrics, of which there are none.
  func listConfigResources(_ call: Call<ListConfigResourcesRequest>) {
    var response = ListConfigResourcesResponse()
    guard call.context.version >= 1 else { return call.answer(response) }
    let asked = Set(call.request.resourceTypes)
    let image = self.image
    func wants(_ type: ConfigResourceType) -> Bool { asked.isEmpty || asked.contains(type.rawValue) }
    func add(_ name: String, _ type: ConfigResourceType) {
      var resource = ListConfigResourcesResponse.ConfigResource()
      resource.resourceName = name
      resource.resourceType = type.rawValue
      response.configResources.append(resource)
    }
    if wants(.topic) { for topic in image.topicsByName { add(topic.name.text, .topic) } }
    if wants(.broker) { for broker in image.liveBrokers { add(String(broker.id.value), .broker) } }
    // Only to those who know that there is such a type.
    if asked.contains(ConfigResourceType.mirror.rawValue) { for name in image.mirrors { add(name, .mirror) } }
    call.answer(response)
  }
}
