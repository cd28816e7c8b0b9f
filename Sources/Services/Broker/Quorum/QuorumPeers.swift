import Consensus
import EventLoop
import KafkaClient
import KafkaProtocol
import Synchronization
import Vocabulary

/// How the other nodes are asked: one connection to each.
extension MetadataQuorum {
  /// Bootstrap servers have no ids that are known: they get negative ones, as in Kafka.
  static func pseudoID(_ index: Int) -> NodeID { NodeID(Int32(-2 - index)) }

  /// Nobody has more controllers; further ones are not noted.
  private static let learnedMax = 1000

  /// Where a controller is, as far as anybody says. Nil where nobody does.
  func address(of controller: NodeID) -> BrokerAddress? { state.withLock { address(of: controller, $0) } }

  /// Of several addresses each is tried once the one before it has failed: what was configured is as old as this process,
  /// the voters' record is as old as the last time that the voter reached a leader, and either may be the newer one.
  private func address(of node: NodeID, _ state: QuorumState) -> BrokerAddress? {
    let servers = setup.bootstrapServers
    if let index = servers.indices.first(where: { Self.pseudoID($0) == node }) { return servers[index] }
    if node == setup.local.key.id {
      return QuorumMessages.address(setup.local.endpoints, listener: setup.controllerListener)
    }
    if let learned = state.learned[node] { return learned }
    let configured = setup.configuredVoters.first { $0.id == node }?.address
    let voter = state.quorum.log.voters.voters.first { $0.key.id == node }
    let recorded = voter.flatMap { QuorumMessages.address($0.endpoints, listener: setup.controllerListener) }
    let isRecordsTurn = state.failures[node, default: 0] % 2 == 1
    return isRecordsTurn ? recorded ?? configured : configured ?? recorded
  }

  func place(of leader: NodeID?) -> QuorumMessages.LeaderPlace? {
    guard let leader, let address = address(of: leader) else { return nil }
    return QuorumMessages.LeaderPlace(id: leader, address: address)
  }

  /// Notes where a leader says it is.
  func learn(_ place: QuorumMessages.LeaderPlace?) {
    guard let place, place.id != setup.local.key.id else { return }
    state.withLock { state in
      guard state.learned.count < Self.learnedMax || state.learned[place.id] != nil else { return }
      state.learned[place.id] = place.address
    }
  }

  /// The connection to a node, which is another one when its address has changed.
  private func peer(_ node: NodeID) -> Peer? {
    let (found, stale) = state.withLock { state -> (Peer?, Peer?) in
      guard let address = address(of: node, state) else { return (nil, nil) }
      let known = state.peers[node]
      if let known, known.address == address { return (known, nil) }
      let peer = makePeer(address)
      state.peers[node] = peer
      return (peer, known)
    }
    stale?.close()
    return found
  }

  func makePeer(_ address: BrokerAddress) -> Peer {
    Peer(
      address, clientID: "quorum-\(setup.local.key.id.value)", connectSpan: setup.settings.requestTimeout,
      loop: setup.loop, pool: setup.pool)
  }

  func send(_ request: Request, _ id: RequestID, to node: NodeID) {
    if case .endQuorumEpoch = request { state.withLock { _ = $0.goodbyes.insert(id) } }
    guard let peer = peer(node) else { return run { self.failed(id) } }
    let cluster = setup.clusterID
    switch request {
    case .vote(let vote):
      // A node that does not know of pre-votes would give a real one.
      ask(peer, QuorumMessages.request(vote, cluster: cluster), id, node, lowest: vote.kind == .preVote ? 2 : 0) {
        QuorumMessages.read($0.response).map { ($0, .nothing) }
      }
    case .beginQuorumEpoch(let begin):
      let endpoints = setup.local.endpoints
      ask(peer, QuorumMessages.request(begin, cluster: cluster, endpoints: endpoints), id, node) {
        QuorumMessages.read($0.response).map { ($0, .nothing) }
      }
    case .endQuorumEpoch(let end):
      let endpoints = setup.local.endpoints
      ask(peer, QuorumMessages.request(end, cluster: cluster, endpoints: endpoints), id, node) {
        QuorumMessages.read($0.response).map { ($0, .nothing) }
      }
    case .fetch(let fetch):
      let known = state.withLock { $0.quorum.highWatermark }
      let message = QuorumMessages.request(fetch, cluster: cluster, highWatermark: known)
      ask(peer, message, id, node, lowest: QuorumMessages.fetchLowest) { answer in
        try QuorumMessages.read(answer.response, body: answer.frame[answer.bodyStart...]).map {
          ($0.heard, .batches($0.bytes))
        }
      }
    case .fetchSnapshot(let fetch):
      let message = QuorumMessages.request(fetch, cluster: cluster, pieceMax: setup.settings.pieceMax)
      ask(peer, message, id, node) { answer in
        QuorumMessages.read(answer.response, body: answer.frame[answer.bodyStart...]).map {
          ($0.heard, .piece($0.bytes))
        }
      }
    case .updateVoter(let update):
      ask(peer, QuorumMessages.request(update, cluster: cluster), id, node) {
        (QuorumMessages.read($0.response), .nothing)
      }
    // Only administrators ask for these.
    case .addVoter, .removeVoter: run { self.failed(id) }
    }
  }

  private func ask<Question: RequestBody>(
    _ peer: Peer, _ question: Question, _ id: RequestID, _ node: NodeID, lowest: Int16 = 0,
    read: @escaping @Sendable (PeerAnswer<Question.Response>) throws -> (QuorumMessages.Heard, Arrived)?
  ) {
    peer.ask(question, lowest: lowest, within: setup.settings.requestTimeout) { [weak self] result in
      guard let self else { return }
      self.run { self.came(result, id, node, peer.address, read) }
    }
  }

  private func came<Response: ResponseBody>(
    _ result: Result<PeerAnswer<Response>, ClientError>, _ id: RequestID, _ node: NodeID, _ address: BrokerAddress,
    _ read: (PeerAnswer<Response>) throws -> (QuorumMessages.Heard, Arrived)?
  ) {
    do {
      guard let (heard, arrived) = try read(try result.get()) else { return failed(id, node, address) }
      learn(heard.leader)
      handle(.answer(heard.answer, to: id), with: arrived)
      state.withLock { $0.isOver(id) }?()
    } catch {
      if let fault = error as? MetadataBatchFault {
        setup.report("node \(node.value) sent records that are not used", "\(fault)")
      }
      failed(id, node, address)
    }
  }

  /// There is no answer, or none that can be used. The node may not be at this address any more.
  private func failed(_ id: RequestID, _ node: NodeID, _ address: BrokerAddress) {
    state.withLock { state in
      // Several requests fail with one connection: only the first of them means the address that is taken now.
      guard self.address(of: node, state) == address else { return }
      if state.learned.removeValue(forKey: node) == nil { state.failures[node, default: 0] &+= 1 }
    }
    failed(id)
  }

  private func failed(_ id: RequestID) {
    let told = state.withLock { $0.isOver(id) }
    handle(.failed(id))
    told?()
  }
}
