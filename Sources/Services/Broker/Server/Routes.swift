import EventLoop
import KafkaProtocol
import Vocabulary
import Wire

/// What the broker answers: an API, the versions that are served, and the function that serves them.
struct Route: Sendable {
  let key: APIKey
  let served: ClosedRange<Int16>
  /// What ApiVersions says.
  let advertised: ClosedRange<Int16>
  /// Whether later requests of the same connection may start before this one is answered.
  let flow: FrameFlow
  let performer: Performer
  let handle: @Sendable (Broker, UnsafeMutableRawBufferPointer, RequestContext, AnswerPath) throws(WireError) -> Void

  /// Who does what is asked.
  enum Performer {
    /// The node that was asked.
    case thisNode
    /// The active controller: a broker that is asked passes the request on to it (KIP-590).
    case activeController
  }

  /// The request's body is passed along for the handler that writes into it; it is valid only during the call.
  static func route<Request: RequestBody>(
    _: Request.Type, _ versions: ClosedRange<Int16>, advertisedFrom first: Int16? = nil,
    flow: FrameFlow = .exclusive,
    withBody handler: @escaping @Sendable (Broker) -> (Call<Request>, UnsafeMutableRawBufferPointer) -> Void
  ) -> Route {
    Route(
      key: Request.key, served: versions, advertised: (first ?? versions.lowerBound)...versions.upperBound, flow: flow,
      performer: .thisNode
    ) { (broker, body, context, path) throws(WireError) in
      let request = try Request.decode(UnsafeRawBufferPointer(body), version: context.version)
      handler(broker)(Call(request: request, context: context, path: path), body)
    }
  }

  static func route<Request: RequestBody>(
    _: Request.Type, _ versions: ClosedRange<Int16>, by performer: Performer = .thisNode,
    flow: FrameFlow = .exclusive,
    _ handler: @escaping @Sendable (Broker) -> (Call<Request>) -> Void
  ) -> Route {
    Route(key: Request.key, served: versions, advertised: versions, flow: flow, performer: performer) {
      (broker, body, context, path) throws(WireError) in
      let request = try Request.decode(UnsafeRawBufferPointer(body), version: context.version)
      handler(broker)(Call(request: request, context: context, path: path))
    }
  }
}

/// What one kind of listener answers. Clients switch their behaviour on the mere presence of a key, so that a key stands
/// here only when it works.
struct RouteTable: Sendable {
  let all: [Route]
  /// By API key: looked up for every request.
  private let byKey: [Route?]
  let advertised: [ApiVersionsResponse.APIVersion]

  init(_ routes: [Route]) {
    all = routes
    var table = [Route?](repeating: nil, count: Int(routes.map(\.key.rawValue).max() ?? 0) + 1)
    for route in routes { table[Int(route.key.rawValue)] = route }
    byKey = table
    advertised = routes.map { route in
      var version = ApiVersionsResponse.APIVersion()
      version.apiKey = route.key.rawValue
      version.minVersion = route.advertised.lowerBound
      version.maxVersion = route.advertised.upperBound
      return version
    }
  }

  func route(for key: Int16) -> Route? { key >= 0 && Int(key) < byKey.count ? byKey[Int(key)] : nil }
}

/// The tables of what is supported.
enum Routes {
  /// What clients and other brokers ask.
  static let broker = RouteTable(
    [
      // Kafka advertises Produce from 0 although it closes such requests, because librdkafka before 2.8 turns
      // compression off when 0 is missing (KAFKA-18659).
      .route(ProduceRequest.self, 3...13, advertisedFrom: 0, flow: .concurrent, withBody: Broker.produce),
      .route(FetchRequest.self, 4...18, Broker.fetch),
      .route(ListOffsetsRequest.self, 1...11, Broker.listOffsets),
      .route(MetadataRequest.self, 0...13, Broker.describeMetadata),
      .route(OffsetCommitRequest.self, 2...10, Broker.offsetCommit),
      .route(OffsetFetchRequest.self, 1...10, Broker.offsetFetch),
      .route(FindCoordinatorRequest.self, 0...6, Broker.findCoordinator),
      .route(JoinGroupRequest.self, 0...9, Broker.joinGroup),
      .route(HeartbeatRequest.self, 0...4, Broker.heartbeat),
      .route(LeaveGroupRequest.self, 0...5, Broker.leaveGroup),
      .route(SyncGroupRequest.self, 0...5, Broker.syncGroup),
      .route(DescribeGroupsRequest.self, 0...6, Broker.describeGroups),
      .route(ListGroupsRequest.self, 0...5, Broker.listGroups),
      .route(ApiVersionsRequest.self, 0...4, Broker.apiVersions),
      .route(DeleteRecordsRequest.self, 0...2, Broker.deleteRecords),
      .route(InitProducerIDRequest.self, 0...5, Broker.initProducerID),
      .route(OffsetForLeaderEpochRequest.self, 2...4, Broker.offsetForLeaderEpoch),
      .route(AddPartitionsToTxnRequest.self, 0...5, Broker.addPartitionsToTxn),
      .route(AddOffsetsToTxnRequest.self, 0...4, Broker.addOffsetsToTxn),
      // The next versions of these two are for transactions of version 2 (KIP-890).
      .route(EndTxnRequest.self, 0...4, Broker.endTxn),
      .route(WriteTxnMarkersRequest.self, 1...1, Broker.writeTxnMarkers),
      .route(TxnOffsetCommitRequest.self, 0...4, Broker.txnOffsetCommit),
      .route(DescribeConfigsRequest.self, 1...4, Broker.describeConfigs),
      .route(DescribeLogDirsRequest.self, 1...5, Broker.describeLogDirs),
      .route(DeleteGroupsRequest.self, 0...2, Broker.deleteGroups),
      .route(OffsetDeleteRequest.self, 0...0, Broker.offsetDelete),
      .route(DescribeClusterRequest.self, 0...2, Broker.describeCluster),
      .route(DescribeProducersRequest.self, 0...0, Broker.describeProducers),
      .route(DescribeTransactionsRequest.self, 0...0, Broker.describeTransactions),
      .route(ListTransactionsRequest.self, 0...1, Broker.listTransactions),
      .route(ConsumerGroupHeartbeatRequest.self, 0...1, Broker.consumerGroupHeartbeat),
      .route(ConsumerGroupDescribeRequest.self, 0...1, Broker.consumerGroupDescribe),
      .route(ListConfigResourcesRequest.self, 0...1, Broker.listConfigResources),
      .route(DescribeTopicPartitionsRequest.self, 0...0, Broker.describeTopicPartitions),
    ] + administration)

  /// What controllers and brokers ask the listeners of `controller.listener.names`.
  static let controller = RouteTable(
    [
      .route(ApiVersionsRequest.self, 0...4, Broker.apiVersions),
      .route(DescribeClusterRequest.self, 0...2, Broker.describeCluster),
      .route(EnvelopeRequest.self, 0...0, Broker.envelope),
      .route(FetchRequest.self, 12...18, flow: .concurrent, Broker.fetchMetadata),
      .route(FetchSnapshotRequest.self, 0...1, Broker.fetchSnapshot),
      .route(VoteRequest.self, 0...2, Broker.vote),
      .route(BeginQuorumEpochRequest.self, 0...1, Broker.beginQuorumEpoch),
      .route(EndQuorumEpochRequest.self, 0...1, Broker.endQuorumEpoch),
      .route(UpdateRaftVoterRequest.self, 0...0, by: .activeController, Broker.updateRaftVoter),
      .route(BrokerRegistrationRequest.self, 0...4, by: .activeController, Broker.registerBroker),
      .route(BrokerHeartbeatRequest.self, 0...1, by: .activeController, Broker.brokerHeartbeat),
      .route(AlterPartitionRequest.self, 2...3, by: .activeController, Broker.alterPartition),
      .route(AllocateProducerIDsRequest.self, 0...0, by: .activeController, Broker.allocateProducerIDs),
      .route(AssignReplicasToDirsRequest.self, 0...0, by: .activeController, Broker.assignReplicasToDirs),
    ] + administration)

  /// What changes the cluster's metadata: done by the active controller, wherever it is asked for.
  private static let administration: [Route] = [
    .route(CreateTopicsRequest.self, 2...7, by: .activeController, Broker.createTopics),
    .route(DeleteTopicsRequest.self, 1...6, by: .activeController, Broker.deleteTopics),
    .route(CreatePartitionsRequest.self, 0...3, by: .activeController, Broker.createPartitions),
    .route(AlterConfigsRequest.self, 0...2, by: .activeController, Broker.alterConfigs),
    .route(IncrementalAlterConfigsRequest.self, 0...1, by: .activeController, Broker.incrementalAlterConfigs),
    .route(ElectLeadersRequest.self, 0...2, by: .activeController, Broker.electLeaders),
    .route(
      AlterPartitionReassignmentsRequest.self, 0...1, by: .activeController, Broker.alterPartitionReassignments),
    .route(ListPartitionReassignmentsRequest.self, 0...0, by: .activeController, Broker.listPartitionReassignments),
    .route(UpdateFeaturesRequest.self, 0...2, by: .activeController, Broker.updateFeatures),
    .route(UnregisterBrokerRequest.self, 0...0, by: .activeController, Broker.unregisterBroker),
    .route(DescribeQuorumRequest.self, 0...2, by: .activeController, Broker.describeQuorum),
    .route(AddRaftVoterRequest.self, 0...0, by: .activeController, Broker.addRaftVoter),
    .route(RemoveRaftVoterRequest.self, 0...0, by: .activeController, Broker.removeRaftVoter),
  ]
}
