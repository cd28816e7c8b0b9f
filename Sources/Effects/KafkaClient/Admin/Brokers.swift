public import KafkaProtocol
public import Vocabulary

extension ClusterClient {
  /// The cluster's id, and its brokers in the order of their ids, fenced ones too where the cluster tells of them
  /// (KIP-1073).
  public func cluster() async throws(ClientError) -> DescribeClusterResponse {
    var response = try await call(DescribeClusterRequest { $0.includeFencedBrokers = true }, to: .any) {
      PartialRefusal("the cluster", $0.errorCode, $0.errorMessage)
    }.response
    response.brokers.sort { $0.brokerID < $1.brokerID }
    return response
  }

  /// Forgets a broker that is gone for good.
  public func unregisterBroker(_ id: NodeID) async throws(ClientError) {
    _ = try await call(UnregisterBrokerRequest { $0.brokerID = id.value }, to: .any) {
      PartialRefusal("broker \(id.value)", $0.errorCode, $0.errorMessage)
    }
  }

  /// What tells all brokers whether they hand their leaders over before they stop.
  public static let handOverKey = "controlled.shutdown.enable"

  /// Whether brokers hand their leaders over before they stop, as it is set for all of them while they run. Any broker
  /// knows it, also one that reaches nobody else.
  public func handsOver() async throws(ClientError) -> Bool {
    let request = DescribeConfigsRequest { request in
      request.resources = [
        .init {
          $0.resourceType = 4
          $0.resourceName = ""
          $0.configurationKeys = [Self.handOverKey]
        }
      ]
    }
    let configs = try await sendToAny(request).response.results.first?.configs ?? []
    return configs.first { $0.name == Self.handOverKey }?.value != "false"
  }
}
