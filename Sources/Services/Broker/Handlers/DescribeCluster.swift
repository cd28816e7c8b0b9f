import ClusterMetadata
import Consensus
import KafkaClient
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeCluster, v0–2: the cluster's id, its brokers, fenced ones too when asked for (KIP-1073), and who controls
  /// it (KIP-700).
  func describeCluster(_ call: Call<DescribeClusterRequest>) {
    var response = DescribeClusterResponse()
    response.clusterID = clusterID
    response.endpointType = call.request.endpointType
    let isController = settings.controllerListeners.contains { $0.name == call.context.listener }
    guard call.request.endpointType == (isController ? 2 : 1) else {
      response.errorCode =
        call.request.endpointType == 1 || call.request.endpointType == 2
        ? .mismatchedEndpointType : .unsupportedEndpointType
      response.errorMessage =
        isController
        ? "This listener is for controllers: ask for endpoint type 2."
        : "This listener is for brokers: ask for endpoint type 1."
      return call.answer(response)
    }
    if isController {
      response.controllerID = quorum.leader?.id.value ?? -1
      response.brokers = quorum.status.voters.voters.compactMap { voter in
        quorum.address(of: voter.key.id).map { Self.entry(voter.key.id, $0.host, $0.port, rack: nil) }
      }
    } else {
      response.controllerID = controllerForClients(image)
      let image = image
      let all = image.brokers.values.sorted { $0.id < $1.id }
      let shown = call.request.includeFencedBrokers ? all : all.filter { !$0.isFenced }
      response.brokers = shown.compactMap { broker in
        guard let endpoint = broker.endpoints.first(where: { $0.name == call.context.listener }) else { return nil }
        var entry = Self.entry(broker.id, endpoint.host, endpoint.port, rack: broker.rack)
        entry.isFenced = broker.isFenced
        return entry
      }
    }
    if call.request.includeClusterAuthorizedOperations {
      response.clusterAuthorizedOperations = AuthorizedOperations.cluster
    }
    call.answer(response)
  }

  private static func entry(
    _ id: NodeID, _ host: String, _ port: UInt16, rack: String?
  ) -> DescribeClusterResponse.Broker {
    var entry = DescribeClusterResponse.Broker()
    entry.brokerID = id.value
    entry.host = host
    entry.port = Int32(port)
    entry.rack = rack
    return entry
  }

  /// Clients cannot reach controllers: they are told of a broker that passes their requests on (KIP-590), the active
  /// controller itself where it is a broker too. -1 while there is none.
  func controllerForClients(_ image: MetadataImage) -> Int32 {
    let live = image.liveBrokers
    if let leader = quorum.leader?.id, live.contains(where: { $0.id == leader }) { return leader.value }
    return live.first?.id.value ?? -1
  }
}
