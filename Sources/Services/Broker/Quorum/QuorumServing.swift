import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// What other nodes and administrators ask. Each answer comes once, on the quorum's thread or at once.
extension MetadataQuorum {
  /// Gives a request to the quorum. The answer is nil when this replica has stopped.
  private func submit(_ request: Request, _ answer: @escaping QuorumState.Waiting) {
    run { [self] in
      let token = state.withLock { state -> Token? in
        guard case .running = state.phase else { return nil }
        return state.wait(answer)
      }
      guard let token else { return answer(nil) }
      handle(.request(request, token))
    }
  }

  /// A node of another cluster that was given our address must change nothing here.
  private func isOurs(_ cluster: String?) -> Bool { cluster == nil || cluster == setup.clusterID }

  func vote(
    _ request: KafkaProtocol.VoteRequest, answer: @escaping @Sendable (VoteResponse) -> Void
  ) {
    func refuse(_ error: ErrorCode) {
      var response = VoteResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard let vote = QuorumMessages.read(request, local: setup.local.key) else { return refuse(.invalidRequest) }
    submit(.vote(vote)) { [self] given in
      guard case .vote(let head, let ballot)? = given else {
        var response = VoteResponse()
        response.errorCode = .brokerNotAvailable
        return answer(response)
      }
      answer(QuorumMessages.voteResponse(head, ballot, place(of: head.leader)))
    }
  }

  func beginQuorumEpoch(
    _ request: BeginQuorumEpochRequest, answer: @escaping @Sendable (BeginQuorumEpochResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode) {
      var response = BeginQuorumEpochResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard let begin = QuorumMessages.read(request, local: setup.local.key) else { return refuse(.invalidRequest) }
    // Before anybody hears of the new leader, who may want to reach it at once.
    if let address = QuorumMessages.address(QuorumMessages.endpoints(request), listener: setup.controllerListener) {
      run { self.meet(begin, at: address) }
    }
    submit(.beginQuorumEpoch(begin)) { [self] given in
      guard let head = given?.head else { return refuse(.brokerNotAvailable) }
      answer(QuorumMessages.beginResponse(head, place(of: head.leader)))
    }
  }

  private func meet(_ begin: BeginQuorumEpoch, at address: BrokerAddress) {
    let canLead = state.withLock { state in
      begin.epoch >= state.quorum.epoch
        && state.quorum.log.voters.voters.contains { $0.key.id == begin.leader }
    }
    if canLead { learn(QuorumMessages.LeaderPlace(id: begin.leader, address: address)) }
  }

  func endQuorumEpoch(
    _ request: EndQuorumEpochRequest, answer: @escaping @Sendable (EndQuorumEpochResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode) {
      var response = EndQuorumEpochResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard let end = QuorumMessages.read(request) else { return refuse(.invalidRequest) }
    submit(.endQuorumEpoch(end)) { [self] given in
      guard let head = given?.head else { return refuse(.brokerNotAvailable) }
      answer(QuorumMessages.endResponse(head, place(of: head.leader)))
    }
  }

  /// Nobody is kept waiting for longer, whatever was asked for.
  private static let fetchWaitMax = TimeSpan.seconds(30)

  /// Fetch of `__cluster_metadata`, v12 and later. Whether it is meant, the request's topic says: `isMeant`.
  func fetch(
    _ request: KafkaProtocol.FetchRequest, answer: @escaping @Sendable (FetchResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode) {
      var response = FetchResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard var fetch = QuorumMessages.read(request), let partition = QuorumMessages.partition(request) else {
      return refuse(.invalidRequest)
    }
    fetch.maxWait = min(fetch.maxWait, Self.fetchWaitMax)
    let bytesMax = min(
      request.maxBytes, partition.partitionMaxBytes > 0 ? partition.partitionMaxBytes : .max,
      QuorumMessages.fetchBytesMax)
    submit(.fetch(fetch)) { [self] given in
      guard case .fetch(let head, let highWatermark, let fetched)? = given else { return refuse(.brokerNotAvailable) }
      var records: [UInt8] = []
      if case .range(let from, let to) = fetched {
        guard let found = read(from: from, upTo: to, atMost: Int(max(1, bytesMax))) else {
          return refuse(.kafkaStorageError)
        }
        records = found
      }
      answer(
        QuorumMessages.fetchResponse(
          head, highWatermark: highWatermark, fetched, records: records, logStart: setup.log.startOffset,
          place(of: head.leader)))
    }
  }

  /// Whether a Fetch asks for the metadata log.
  static func isMeant(by request: KafkaProtocol.FetchRequest) -> Bool {
    request.topics.contains { $0.topicID == .clusterMetadataTopic || $0.topic == QuorumMessages.topic }
  }

  private func read(from: Offset, upTo end: Offset, atMost limit: Int) -> [UInt8]? {
    do throws(StorageError) {
      guard case .slice(let slice) = try setup.log.read(from: from, maxBytes: limit, upTo: end, minimum: .oneBatch)
      else {
        return []
      }
      return try slice.bytes()
    } catch {
      setup.report("the metadata log cannot be read", "\(error)")
      return nil
    }
  }

  func fetchSnapshot(
    _ request: KafkaProtocol.FetchSnapshotRequest, answer: @escaping @Sendable (FetchSnapshotResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode) {
      var response = FetchSnapshotResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard let fetch = QuorumMessages.read(request) else { return refuse(.invalidRequest) }
    let bytesMax = Int(request.maxBytes)
    submit(.fetchSnapshot(fetch)) { [self] given in
      guard case .fetchSnapshot(let head, let piece)? = given else { return refuse(.brokerNotAvailable) }
      var bytes: [UInt8] = []
      if let piece {
        guard let found = self.bytes(of: piece, atMost: bytesMax) else { return refuse(.kafkaStorageError) }
        bytes = found
      }
      answer(QuorumMessages.snapshotResponse(head, piece, bytes: bytes, place(of: head.leader)))
    }
  }
}
