import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// Voters that come, go and change their addresses (KIP-853), and what is told of the quorum.
extension MetadataQuorum {
  private func isOurs(_ cluster: String?) -> Bool { cluster == nil || cluster == setup.clusterID }

  private func submit(_ request: Request, _ answer: @escaping @Sendable (AnswerHead?) -> Void) {
    run { [self] in
      let token = state.withLock { state -> Token? in
        guard case .running = state.phase else { return nil }
        return state.wait { answer($0?.head) }
      }
      guard let token else { return answer(nil) }
      handle(.request(request, token))
    }
  }

  func updateRaftVoter(
    _ request: UpdateRaftVoterRequest, answer: @escaping @Sendable (UpdateRaftVoterResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode) {
      var response = UpdateRaftVoterResponse()
      response.errorCode = error
      answer(response)
    }
    guard isOurs(request.clusterID) else { return refuse(.inconsistentClusterId) }
    guard let update = QuorumMessages.read(request) else { return refuse(.invalidRequest) }
    submit(.updateVoter(update)) { [self] head in
      guard let head else { return refuse(.brokerNotAvailable) }
      answer(QuorumMessages.updateResponse(head, place(of: head.leader)))
    }
  }

  /// Answered when the new set is committed, also where an answer before that would do (KIP-1186).
  func addRaftVoter(
    _ request: AddRaftVoterRequest, answer: @escaping @Sendable (AddRaftVoterResponse) -> Void
  ) {
    @Sendable func refuse(_ error: ErrorCode, _ message: String) {
      answer(QuorumMessages.addResponse(error, message))
    }
    guard isOurs(request.clusterID) else {
      return refuse(.inconsistentClusterId, "this cluster is \(setup.clusterID)")
    }
    guard let voter = QuorumMessages.read(request),
      let address = QuorumMessages.address(voter.endpoints, listener: setup.controllerListener)
    else { return refuse(.invalidRequest, "a voter needs an id, a directory id and a listener") }
    if let name = setup.controllerListener, !voter.endpoints.contains(where: { $0.listener == name }) {
      return refuse(.invalidRequest, "the new voter has no endpoint for the listener \(name), which the others use")
    }
    guard state.withLock({ $0.quorum.isLeader }) else {
      return refuse(.notLeaderOrFollower, "this node does not lead the quorum")
    }
    // A node that does not know of directories would vote for replicas that are none.
    let peer = makePeer(address)
    var question = ApiVersionsRequest()
    // Who does not say what it is gets no answer (KIP-511).
    question.clientSoftwareName = "swiftwater"
    question.clientSoftwareVersion = "1"
    peer.ask(question, highest: 3, within: setup.settings.requestTimeout) { [weak self] result in
      peer.close()
      guard let self else { return }
      switch result {
      case .failure(let error): refuse(.requestTimedOut, "the new voter does not answer at \(address): \(error)")
      case .success(let versions) where !QuorumMessages.canVote(versions.response):
        refuse(.invalidRequest, "the node at \(address) does not support kraft.version 1")
      case .success:
        self.submit(.addVoter(voter)) { head in
          guard let head else { return refuse(.brokerNotAvailable, "this replica has stopped") }
          answer(QuorumMessages.addResponse(head.error, QuorumMessages.message(head)))
        }
      }
    }
  }

  func removeRaftVoter(
    _ request: RemoveRaftVoterRequest, answer: @escaping @Sendable (RemoveRaftVoterResponse) -> Void
  ) {
    guard isOurs(request.clusterID) else {
      return answer(
        QuorumMessages.removeResponse(.inconsistentClusterId, "this cluster is \(setup.clusterID)"))
    }
    submit(.removeVoter(QuorumMessages.read(request))) { head in
      guard let head else {
        return answer(QuorumMessages.removeResponse(.brokerNotAvailable, "this replica has stopped"))
      }
      answer(QuorumMessages.removeResponse(head.error, QuorumMessages.message(head)))
    }
  }

  func describeQuorum(
    _ request: DescribeQuorumRequest, answer: @escaping @Sendable (DescribeQuorumResponse) -> Void
  ) {
    run { [self] in
      let quorum = state.withLock { $0.quorum }
      let head = AnswerHead(.none, epoch: quorum.epoch, leader: quorum.leader)
      guard QuorumMessages.isMeant(request) else {
        return answer(QuorumMessages.describeRefusal(.unknownTopicOrPartition, head))
      }
      let clocks = QuorumMessages.Clocks(instant: monotonicNow(), time: wallClockNow())
      guard let description = quorum.description(at: clocks.instant) else {
        return answer(QuorumMessages.describeRefusal(.notLeaderOrFollower, head))
      }
      answer(
        QuorumMessages.describeResponse(
          head, highWatermark: quorum.highWatermark, description, voters: quorum.log.voters, clocks))
    }
  }

  /// The quorum as this node sees it, under the names of Kafka's `raft-metrics`.
  struct Status: Hashable, Sendable {
    /// `current-leader`; -1 where none is known.
    var leader: NodeID
    /// `current-epoch`
    var epoch: LeaderEpoch
    /// `current-vote`; -1 without one.
    var vote: NodeID
    /// `current-state`
    var role: String
    /// `high-watermark`
    var highWatermark: Offset
    /// `log-end-offset`
    var logEnd: Offset
    /// `log-end-epoch`
    var logEndEpoch: LeaderEpoch
    var voters: VoterSet
  }

  var status: Status {
    state.withLock { state in
      let quorum = state.quorum
      return Status(
        leader: quorum.leader ?? .none, epoch: quorum.epoch, vote: quorum.election.votedFor?.id ?? .none,
        role: quorum.roleName, highWatermark: quorum.highWatermark, logEnd: quorum.log.end,
        logEndEpoch: quorum.log.lastEpoch, voters: quorum.log.voters)
    }
  }
}
