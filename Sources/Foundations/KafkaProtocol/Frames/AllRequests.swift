public import Wire

/// Every request that this module can read and write, folder by folder.
/// What a broker answers is its own, shorter, table.
public let allRequests: [any RequestBody.Type] = [
  // Data
  ProduceRequest.self, FetchRequest.self, ListOffsetsRequest.self, MetadataRequest.self, DeleteRecordsRequest.self,
  OffsetForLeaderEpochRequest.self, DescribeProducersRequest.self, DescribeTopicPartitionsRequest.self,
  // Connection
  ApiVersionsRequest.self, SaslHandshakeRequest.self, SaslAuthenticateRequest.self,
  // Groups
  OffsetCommitRequest.self, OffsetFetchRequest.self, OffsetDeleteRequest.self, FindCoordinatorRequest.self,
  JoinGroupRequest.self, HeartbeatRequest.self, LeaveGroupRequest.self, SyncGroupRequest.self,
  DescribeGroupsRequest.self, ListGroupsRequest.self, DeleteGroupsRequest.self, ConsumerGroupHeartbeatRequest.self,
  ConsumerGroupDescribeRequest.self,
  // Transactions
  InitProducerIDRequest.self, AddPartitionsToTxnRequest.self, AddOffsetsToTxnRequest.self, EndTxnRequest.self,
  WriteTxnMarkersRequest.self, TxnOffsetCommitRequest.self, DescribeTransactionsRequest.self,
  ListTransactionsRequest.self,
  // Admin
  CreateTopicsRequest.self, DeleteTopicsRequest.self, CreatePartitionsRequest.self, ElectLeadersRequest.self,
  DescribeConfigsRequest.self, AlterConfigsRequest.self, IncrementalAlterConfigsRequest.self,
  ListConfigResourcesRequest.self, DescribeLogDirsRequest.self, AlterReplicaLogDirsRequest.self,
  DescribeClusterRequest.self, AlterPartitionReassignmentsRequest.self, ListPartitionReassignmentsRequest.self,
  UpdateFeaturesRequest.self, UnregisterBrokerRequest.self,
  // Access
  DescribeAclsRequest.self, CreateAclsRequest.self, DeleteAclsRequest.self, DescribeClientQuotasRequest.self,
  AlterClientQuotasRequest.self, DescribeUserScramCredentialsRequest.self, AlterUserScramCredentialsRequest.self,
  // Quorum
  VoteRequest.self, BeginQuorumEpochRequest.self, EndQuorumEpochRequest.self, DescribeQuorumRequest.self,
  FetchSnapshotRequest.self, AddRaftVoterRequest.self, RemoveRaftVoterRequest.self, UpdateRaftVoterRequest.self,
  // Controller
  AlterPartitionRequest.self, BrokerRegistrationRequest.self, BrokerHeartbeatRequest.self,
  AllocateProducerIDsRequest.self, ControllerRegistrationRequest.self, AssignReplicasToDirsRequest.self,
  EnvelopeRequest.self,
]

private let requestsByKey: [APIKey: any RequestBody.Type] = {
  var requests: [APIKey: any RequestBody.Type] = [:]
  for request in allRequests { requests[request.key] = request }
  return requests
}()

/// Decodes the header and the body of a frame without its size, whatever it asks for, and forgets them again.
/// For fuzzing: no bytes may make this trap, hang, or take memory out of proportion to the frame.
public func decodeAnyRequest(_ frame: UnsafeRawBufferPointer) throws(WireError) {
  let (header, bodyStart) = try RequestHeader.decode(frame)
  guard let request = requestsByKey[header.key] else { throw .invalidValue("API key") }
  _ = try request.decode(UnsafeRawBufferPointer(rebasing: frame[bodyStart...]), version: header.version)
}
