import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeCluster, v0–2: the cluster's id, its brokers and who controls it (KIP-700).
  func describeCluster(_ call: Call<DescribeClusterRequest>) {
    var response = DescribeClusterResponse()
    response.clusterID = clusterID
    response.endpointType = call.request.endpointType
    guard call.request.endpointType == 1 else {
      response.errorCode = .mismatchedEndpointType
      response.errorMessage = "This listener is for brokers: ask for endpoint type 1."
      return call.answer(response)
    }
    response.controllerID = settings.nodeID.value
    response.brokers = controller.image.liveBrokers.compactMap { broker in
      guard let endpoint = broker.endpoints.first(where: { $0.name == call.context.listener }) else { return nil }
      var entry = DescribeClusterResponse.Broker()
      entry.brokerID = broker.id.value
      entry.host = endpoint.host
      entry.port = Int32(endpoint.port)
      entry.rack = broker.rack
      return entry
    }
    if call.request.includeClusterAuthorizedOperations {
      response.clusterAuthorizedOperations = AuthorizedOperations.cluster
    }
    call.answer(response)
  }
}
