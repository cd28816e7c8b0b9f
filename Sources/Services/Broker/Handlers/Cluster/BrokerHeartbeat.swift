import ClusterMetadata
import EventLoop
import KafkaProtocol
import Vocabulary

extension Broker {
  /// BrokerHeartbeat, v0–1: a broker is alive, and says what it wants: to serve, to be fenced, or to stop (KIP-631).
  ///
  /// It stops asking to be fenced when it has read its own registration and opened its logs. v1 names log directories
  /// that have failed (KIP-858).
  func brokerHeartbeat(_ call: Call<BrokerHeartbeatRequest>) {
    let request = call.request
    let id = NodeID(request.brokerID)
    if let connection = call.context.connection { lifelines.heard(id, by: connection.id) }
    let wish: BrokerHeartbeat.Wish = request.wantShutDown ? .stop : request.wantFence ? .beFenced : .serve
    changeKnowingSessions(
      { draft, sessions, now -> (answer: Result<HeartbeatAnswer, Refusal>, movesLeaders: Bool) in
        let inherited = self.inherited(draft.image)
        let before = draft.records.count
        if !request.offlineLogDirs.isEmpty {
          let lost = draft.image.failDirectories(
            request.offlineLogDirs, of: id, epoch: request.brokerEpoch, inherited: inherited)
          if case .failure(let refusal) = draft.add(lost) { return (.failure(refusal), false) }
        }
        let beat = BrokerHeartbeat(
          broker: id, epoch: request.brokerEpoch, wish: wish, hasReadItsRegistration: true,
          othersKnowItStops: sessions.everyoneElseKnows(shutdownOf: id, at: now))
        let answer = draft.add(draft.image.heartbeat(beat, inherited: inherited))
        if case .success = answer {
          sessions.touch(id, metadata: Offset(request.currentMetadataOffset), at: now)
        }
        return (answer, wish == .stop && draft.records.count > before)
      },
      recorded: { decided, sessions, end in
        if case .success = decided.answer, decided.movesLeaders { sessions.shutdownBegan(id, at: end) }
      }
    ) { result in
      var response = BrokerHeartbeatResponse()
      switch result.flatMap(\.answer) {
      case .success(let answer):
        response.isCaughtUp = true
        response.isFenced = answer.isFenced
        response.shouldShutDown = answer.mayStop
      case .failure(let refusal): response.errorCode = refusal.code
      }
      call.answer(response)
    }
  }

  /// UnregisterBroker, v0: a broker that is gone for good is forgotten (KIP-631).
  func unregisterBroker(_ call: Call<UnregisterBrokerRequest>) {
    let id = NodeID(call.request.brokerID)
    changeKnowingSessions({ draft, sessions, _ -> Result<Void, Refusal> in
      let answer = draft.add(draft.image.unregister(id, inherited: self.inherited(draft.image)))
      if case .success = answer { sessions.forget(id) }
      return answer
    }) { result in
      var response = UnregisterBrokerResponse()
      response.errorMessage = nil
      if case .failure(let refusal) = result.flatMap({ $0 }) {
        response.errorCode = refusal.code
        response.errorMessage = refusal.message
      }
      call.answer(response)
    }
  }
}
