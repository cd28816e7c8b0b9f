/// What a broker answers: Kafka's error codes, by their numbers on the wire and their names in its documentation.
public enum ErrorCode: Int16, Hashable, Sendable, CaseIterable {
  case unknownServerError = -1
  case none = 0
  case offsetOutOfRange = 1
  case corruptMessage = 2
  case unknownTopicOrPartition = 3
  case invalidFetchSize = 4
  case leaderNotAvailable = 5
  case notLeaderOrFollower = 6
  case requestTimedOut = 7
  case brokerNotAvailable = 8
  case replicaNotAvailable = 9
  case messageTooLarge = 10
  case staleControllerEpoch = 11
  case offsetMetadataTooLarge = 12
  case networkException = 13
  case coordinatorLoadInProgress = 14
  case coordinatorNotAvailable = 15
  case notCoordinator = 16
  case invalidTopicException = 17
  case recordListTooLarge = 18
  case notEnoughReplicas = 19
  case notEnoughReplicasAfterAppend = 20
  case invalidRequiredAcks = 21
  case illegalGeneration = 22
  case inconsistentGroupProtocol = 23
  case invalidGroupId = 24
  case unknownMemberId = 25
  case invalidSessionTimeout = 26
  case rebalanceInProgress = 27
  case invalidCommitOffsetSize = 28
  case topicAuthorizationFailed = 29
  case groupAuthorizationFailed = 30
  case clusterAuthorizationFailed = 31
  case invalidTimestamp = 32
  case unsupportedSaslMechanism = 33
  case illegalSaslState = 34
  case unsupportedVersion = 35
  case topicAlreadyExists = 36
  case invalidPartitions = 37
  case invalidReplicationFactor = 38
  case invalidReplicaAssignment = 39
  case invalidConfig = 40
  case notController = 41
  case invalidRequest = 42
  case unsupportedForMessageFormat = 43
  case policyViolation = 44
  case outOfOrderSequenceNumber = 45
  case duplicateSequenceNumber = 46
  case invalidProducerEpoch = 47
  case invalidTxnState = 48
  case invalidProducerIdMapping = 49
  case invalidTransactionTimeout = 50
  case concurrentTransactions = 51
  case transactionCoordinatorFenced = 52
  case transactionalIdAuthorizationFailed = 53
  case securityDisabled = 54
  case operationNotAttempted = 55
  case kafkaStorageError = 56
  case logDirNotFound = 57
  case saslAuthenticationFailed = 58
  case unknownProducerId = 59
  case reassignmentInProgress = 60
  case delegationTokenAuthDisabled = 61
  case delegationTokenNotFound = 62
  case delegationTokenOwnerMismatch = 63
  case delegationTokenRequestNotAllowed = 64
  case delegationTokenAuthorizationFailed = 65
  case delegationTokenExpired = 66
  case invalidPrincipalType = 67
  case nonEmptyGroup = 68
  case groupIdNotFound = 69
  case fetchSessionIdNotFound = 70
  case invalidFetchSessionEpoch = 71
  case listenerNotFound = 72
  case topicDeletionDisabled = 73
  case fencedLeaderEpoch = 74
  case unknownLeaderEpoch = 75
  case unsupportedCompressionType = 76
  case staleBrokerEpoch = 77
  case offsetNotAvailable = 78
  case memberIdRequired = 79
  case preferredLeaderNotAvailable = 80
  case groupMaxSizeReached = 81
  case fencedInstanceId = 82
  case eligibleLeadersNotAvailable = 83
  case electionNotNeeded = 84
  case noReassignmentInProgress = 85
  case groupSubscribedToTopic = 86
  case invalidRecord = 87
  case unstableOffsetCommit = 88
  case throttlingQuotaExceeded = 89
  case producerFenced = 90
  case resourceNotFound = 91
  case duplicateResource = 92
  case unacceptableCredential = 93
  case inconsistentVoterSet = 94
  case invalidUpdateVersion = 95
  case featureUpdateFailed = 96
  case principalDeserializationFailure = 97
  case snapshotNotFound = 98
  case positionOutOfRange = 99
  case unknownTopicId = 100
  case duplicateBrokerRegistration = 101
  case brokerIdNotRegistered = 102
  case inconsistentTopicId = 103
  case inconsistentClusterId = 104
  case transactionalIdNotFound = 105
  case fetchSessionTopicIdError = 106
  case ineligibleReplica = 107
  case newLeaderElected = 108
  case offsetMovedToTieredStorage = 109
  case fencedMemberEpoch = 110
  case unreleasedInstanceId = 111
  case unsupportedAssignor = 112
  case staleMemberEpoch = 113
  case mismatchedEndpointType = 114
  case unsupportedEndpointType = 115
  case unknownControllerId = 116
  case unknownSubscriptionId = 117
  case telemetryTooLarge = 118
  case invalidRegistration = 119
  case transactionAbortable = 120
  case invalidRecordState = 121
  case shareSessionNotFound = 122
  case invalidShareSessionEpoch = 123
  case fencedStateEpoch = 124
  case invalidVoterKey = 125
  case duplicateVoter = 126
  case voterNotFound = 127
  case invalidRegularExpression = 128
  case rebootstrapRequired = 129

  /// A code that we do not know reads as UNKNOWN_SERVER_ERROR: a newer broker may send one.
  @inlinable public init(wire code: Int16) { self = ErrorCode(rawValue: code) ?? .unknownServerError }
}

extension ErrorCode: CustomStringConvertible {
  /// Kafka's spelling, such as `NOT_LEADER_OR_FOLLOWER`.
  public var description: String { String(Self.names[Int(rawValue) + 1]) }

  // A list, because reflection asks a type that has a description for that, and would not come back.
  /// From -1 on, in the order of the numbers.
  private static let names = """
    UNKNOWN_SERVER_ERROR NONE OFFSET_OUT_OF_RANGE CORRUPT_MESSAGE UNKNOWN_TOPIC_OR_PARTITION INVALID_FETCH_SIZE
    LEADER_NOT_AVAILABLE NOT_LEADER_OR_FOLLOWER REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE
    MESSAGE_TOO_LARGE STALE_CONTROLLER_EPOCH OFFSET_METADATA_TOO_LARGE NETWORK_EXCEPTION
    COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR INVALID_TOPIC_EXCEPTION
    RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND INVALID_REQUIRED_ACKS
    ILLEGAL_GENERATION INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID UNKNOWN_MEMBER_ID INVALID_SESSION_TIMEOUT
    REBALANCE_IN_PROGRESS INVALID_COMMIT_OFFSET_SIZE TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED
    CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE UNSUPPORTED_VERSION
    TOPIC_ALREADY_EXISTS INVALID_PARTITIONS INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT INVALID_CONFIG
    NOT_CONTROLLER INVALID_REQUEST UNSUPPORTED_FOR_MESSAGE_FORMAT POLICY_VIOLATION OUT_OF_ORDER_SEQUENCE_NUMBER
    DUPLICATE_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING
    INVALID_TRANSACTION_TIMEOUT CONCURRENT_TRANSACTIONS TRANSACTION_COORDINATOR_FENCED
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED SECURITY_DISABLED OPERATION_NOT_ATTEMPTED KAFKA_STORAGE_ERROR
    LOG_DIR_NOT_FOUND SASL_AUTHENTICATION_FAILED UNKNOWN_PRODUCER_ID REASSIGNMENT_IN_PROGRESS
    DELEGATION_TOKEN_AUTH_DISABLED DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED DELEGATION_TOKEN_AUTHORIZATION_FAILED DELEGATION_TOKEN_EXPIRED
    INVALID_PRINCIPAL_TYPE NON_EMPTY_GROUP GROUP_ID_NOT_FOUND FETCH_SESSION_ID_NOT_FOUND INVALID_FETCH_SESSION_EPOCH
    LISTENER_NOT_FOUND TOPIC_DELETION_DISABLED FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH UNSUPPORTED_COMPRESSION_TYPE
    STALE_BROKER_EPOCH OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED PREFERRED_LEADER_NOT_AVAILABLE GROUP_MAX_SIZE_REACHED
    FENCED_INSTANCE_ID ELIGIBLE_LEADERS_NOT_AVAILABLE ELECTION_NOT_NEEDED NO_REASSIGNMENT_IN_PROGRESS
    GROUP_SUBSCRIBED_TO_TOPIC INVALID_RECORD UNSTABLE_OFFSET_COMMIT THROTTLING_QUOTA_EXCEEDED PRODUCER_FENCED
    RESOURCE_NOT_FOUND DUPLICATE_RESOURCE UNACCEPTABLE_CREDENTIAL INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION
    FEATURE_UPDATE_FAILED PRINCIPAL_DESERIALIZATION_FAILURE SNAPSHOT_NOT_FOUND POSITION_OUT_OF_RANGE
    UNKNOWN_TOPIC_ID DUPLICATE_BROKER_REGISTRATION BROKER_ID_NOT_REGISTERED INCONSISTENT_TOPIC_ID
    INCONSISTENT_CLUSTER_ID TRANSACTIONAL_ID_NOT_FOUND FETCH_SESSION_TOPIC_ID_ERROR INELIGIBLE_REPLICA
    NEW_LEADER_ELECTED OFFSET_MOVED_TO_TIERED_STORAGE FENCED_MEMBER_EPOCH UNRELEASED_INSTANCE_ID
    UNSUPPORTED_ASSIGNOR STALE_MEMBER_EPOCH MISMATCHED_ENDPOINT_TYPE UNSUPPORTED_ENDPOINT_TYPE UNKNOWN_CONTROLLER_ID
    UNKNOWN_SUBSCRIPTION_ID TELEMETRY_TOO_LARGE INVALID_REGISTRATION TRANSACTION_ABORTABLE INVALID_RECORD_STATE
    SHARE_SESSION_NOT_FOUND INVALID_SHARE_SESSION_EPOCH FENCED_STATE_EPOCH INVALID_VOTER_KEY DUPLICATE_VOTER
    VOTER_NOT_FOUND INVALID_REGULAR_EXPRESSION REBOOTSTRAP_REQUIRED
    """.split { $0.isWhitespace }
}
