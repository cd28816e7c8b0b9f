import KafkaProtocol
public import Vocabulary

/// A listener of a controller, as the voters' records have it (KIP-853).
public struct VoterEndpoint: Sendable, Hashable {
  public let listener: String
  public let address: BrokerAddress
  public init(listener: String, address: BrokerAddress) {
    self.listener = listener
    self.address = address
  }
}

/// One replica of the metadata log, as the quorum's leader knows it (KIP-836).
public struct QuorumReplica: Sendable, Hashable {
  public let id: NodeID
  /// `.zero` where it is not known.
  public let directory: UniqueID
  /// Nil where it has not fetched from this leader.
  public let logEnd: Offset?
  /// In milliseconds since 1970, by the leader's clock; nil where it never did.
  public let lastFetch: Int64?
  public let lastCaughtUp: Int64?
  /// Of voters.
  public let endpoints: [VoterEndpoint]
}

/// The metadata quorum, as its leader describes it.
public struct QuorumView: Sendable, Hashable {
  public let leader: NodeID
  public let epoch: LeaderEpoch
  public let highWatermark: Offset
  public let voters: [QuorumReplica]
  public let observers: [QuorumReplica]

  /// How far the leader's log goes.
  public var end: Offset { voters.first { $0.id == leader }?.logEnd ?? highWatermark }
  /// The moment of the description, by the leader's clock.
  public var time: Int64? { voters.first { $0.id == leader }?.lastFetch }

  /// How many records a replica lacks; nil where nobody knows.
  public func lag(of replica: QuorumReplica) -> Int64? { replica.logEnd.map { max(0, end - $0) } }
}

extension ClusterClient {
  /// Asks the quorum's leader, through any broker.
  public func quorum() async throws(ClientError) -> QuorumView {
    let request = DescribeQuorumRequest { request in
      request.topics = [
        .init {
          $0.topicName = TopicName.clusterMetadata.text
          $0.partitions = [.init { $0.partitionIndex = 0 }]
        }
      ]
    }
    let reply = try await call(request, to: .any) { response in
      let partition = response.topics.first?.partitions.first
      let code = response.errorCode != .none ? response.errorCode : partition?.errorCode ?? .unknownServerError
      return PartialRefusal("the quorum", code, response.errorMessage ?? partition?.errorMessage)
    }
    let partition = reply.response.topics.first?.partitions.first ?? .init()
    var endpoints: [Int32: [VoterEndpoint]] = [:]
    for node in reply.response.nodes {
      endpoints[node.nodeID] = node.listeners.map {
        VoterEndpoint(listener: $0.name, address: BrokerAddress(host: $0.host, port: $0.port))
      }
    }
    func replica(_ state: DescribeQuorumResponse.ReplicaState) -> QuorumReplica {
      QuorumReplica(
        id: NodeID(state.replicaID), directory: state.replicaDirectoryID,
        logEnd: state.logEndOffset < 0 ? nil : Offset(state.logEndOffset),
        lastFetch: state.lastFetchTimestamp < 0 ? nil : state.lastFetchTimestamp,
        lastCaughtUp: state.lastCaughtUpTimestamp < 0 ? nil : state.lastCaughtUpTimestamp,
        endpoints: endpoints[state.replicaID] ?? [])
    }
    return QuorumView(
      leader: NodeID(partition.leaderID), epoch: LeaderEpoch(partition.leaderEpoch),
      highWatermark: Offset(partition.highWatermark), voters: partition.currentVoters.map(replica),
      observers: partition.observers.map(replica))
  }

  /// Makes an observer a voter (KIP-853). Answered when the new set of voters is committed.
  public func addVoter(
    _ id: NodeID, _ directory: UniqueID, _ endpoints: [VoterEndpoint], cluster: String?
  ) async throws(ClientError) {
    let request = AddRaftVoterRequest { request in
      request.clusterID = cluster
      request.timeoutMs = Int32(clamping: settings.requestSpan.milliseconds)
      request.voterID = id.value
      request.voterDirectoryID = directory
      request.listeners = endpoints.map { endpoint in
        .init {
          $0.name = endpoint.listener
          $0.host = endpoint.address.host
          $0.port = endpoint.address.port
        }
      }
    }
    _ = try await call(request, to: .any) {
      PartialRefusal("controller \(id.value)", $0.errorCode, $0.errorMessage)
    }
  }

  /// Takes a voter out of the quorum (KIP-853). Answered when the new set of voters is committed.
  public func removeVoter(_ id: NodeID, _ directory: UniqueID) async throws(ClientError) {
    let request = RemoveRaftVoterRequest { request in
      request.clusterID = nil
      request.voterID = id.value
      request.voterDirectoryID = directory
    }
    _ = try await call(request, to: .any) {
      PartialRefusal("controller \(id.value)", $0.errorCode, $0.errorMessage)
    }
  }
}
