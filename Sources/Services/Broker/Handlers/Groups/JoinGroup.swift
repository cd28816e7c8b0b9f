import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// JoinGroup, v0–9: a member enters a classic group, or a rebalance of it; the answer comes when the round is complete.
  ///
  /// v4 makes a new member come back with its id (KIP-394), v5 has static members (KIP-345), v9 lets the leader keep
  /// the assignment (KIP-814).
  func joinGroup(_ call: Call<JoinGroupRequest>) {
    let request = call.request
    let version = call.context.version
    let timeout = version >= 1 ? request.rebalanceTimeoutMs : request.sessionTimeoutMs
    let join = JoinRequest(
      group: GroupID(request.groupID), member: MemberID(request.memberID),
      instance: request.groupInstanceID.map { InstanceID($0) }, client: call.context.client,
      sessionTimeout: .milliseconds(Int64(request.sessionTimeoutMs)),
      rebalanceTimeout: .milliseconds(Int64(timeout)), protocolType: request.protocolType,
      protocols: request.protocols.map {
        MemberProtocol(
          name: $0.name, metadata: $0.metadata,
          subscribedTopics: request.protocolType == "consumer" ? SubscriptionBytes.topics(in: $0.metadata) : nil)
      },
      unknownMember: version >= 4 ? .mustRejoinWithItsID : .joinsAtOnce,
      skipping: version >= 9 ? .supported : .unsupported, nonce: .random())
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.join(join, token, at: now, into: &effects)
    } answer: { answer in
      guard case .join(let joined) = answer else { unexpected(answer) }
      call.answer(self.response(joined, version))
    } refused: { code in
      call.answer(self.response(JoinAnswer(error: code, member: MemberID(request.memberID)), version))
    }
  }

  private func response(_ joined: JoinAnswer, _ version: Int16) -> JoinGroupResponse {
    var response = JoinGroupResponse()
    response.errorCode = joined.error
    response.generationID = joined.generation.value
    response.protocolType = joined.protocolType
    response.protocolName = version >= 7 ? joined.protocolName : joined.protocolName ?? ""
    response.leader = joined.leader.text
    response.skipAssignment = joined.duty == .skipAssignment
    response.memberID = joined.member.text
    response.members = joined.members.map { member in
      var entry = JoinGroupResponse.Member()
      entry.memberID = member.member.text
      entry.groupInstanceID = member.instance?.text
      entry.metadata = member.metadata
      return entry
    }
    return response
  }
}

/// An answer of another kind than the request is our own bug, never a peer's.
func unexpected(_ answer: GroupAnswer) -> Never {
  preconditionFailure("the coordinator answered with the wrong kind of answer: \(answer)")
}

extension RequestContext {
  var client: ClientIdentity { ClientIdentity(id: clientID ?? "", host: clientHost) }
}
