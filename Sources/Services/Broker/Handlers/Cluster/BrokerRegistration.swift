import ClusterMetadata
import KafkaProtocol
import Telemetry
import Vocabulary

extension Broker {
  /// BrokerRegistration, v0–4: a broker that starts becomes known, fenced, and gets its epoch (KIP-631).
  ///
  /// From v3 on the broker names the epoch that it had when it last stopped in order (KIP-966): only if that is the one
  /// that is known here does its log end where it ended.
  func registerBroker(_ call: Call<BrokerRegistrationRequest>) {
    let request = call.request
    @Sendable func answer(_ code: ErrorCode, _ epoch: Int64 = -1) {
      var response = BrokerRegistrationResponse()
      response.errorCode = code
      response.brokerEpoch = epoch
      call.answer(response)
    }
    guard request.clusterID == clusterID else { return answer(.inconsistentClusterId) }
    let registration = BrokerRegistration(
      id: NodeID(request.brokerID), epoch: 0, incarnation: request.incarnationID,
      endpoints: request.listeners.map { Endpoint(name: $0.name, host: $0.host, port: $0.port) }, rack: request.rack,
      isFenced: true, logDirectories: request.logDirs)
    changeKnowingSessions({ draft, sessions, now -> Result<Int64, Refusal> in
      let former = draft.image.brokers[registration.id]
      let stoppedInOrder = former == nil || request.previousBrokerEpoch == former?.epoch
      let decision = draft.image.admit(
        registration, after: stoppedInOrder ? .clean : .crash, session: sessions.session(of: registration.id, at: now),
        inherited: self.inherited(draft.image))
      let answer = draft.add(decision)
      if case .success = answer {
        if former?.incarnation == registration.incarnation {
          sessions.touch(registration.id, metadata: .none, at: now)
        } else {
          sessions.restart(registration.id, at: now)
        }
        self.setFeatures(&draft)
      }
      return answer
    }) { result in
      switch result.flatMap({ $0 }) {
      case .success(let epoch): answer(.none, epoch)
      case .failure(let refusal):
        self.log.log(
          .warning, atMostEvery: .seconds(5), "a registration was refused",
          ["broker": "\(registration.id)", "reason": refusal.message])
        answer(refusal.code)
      }
    }
  }

  /// The first broker of a cluster switches the cluster's features on. Later ones leave them as they are: a cluster goes
  /// to a higher level when it is told to.
  func setFeatures(_ draft: inout MetadataDraft) {
    for support in Features.all where draft.image.features[support.name] == nil {
      draft.add([.featureChanged(name: support.name, level: support.levels.upperBound)])
    }
  }
}
