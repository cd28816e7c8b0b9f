import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// Heartbeat, v0–4: keeps a member in its classic group, or tells it to rejoin.
  func heartbeat(_ call: Call<KafkaProtocol.HeartbeatRequest>) {
    let request = call.request
    let heartbeat = Coordination.HeartbeatRequest(
      group: GroupID(request.groupID), member: MemberID(request.memberID),
      instance: request.groupInstanceID.map { InstanceID($0) }, generation: Generation(request.generationID))
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.heartbeat(heartbeat, token, at: now, into: &effects)
    } answer: { answer in
      guard case .heartbeat(let code) = answer else { unexpected(answer) }
      call.answer(heartbeatAnswer(code))
    } refused: { code in
      call.answer(heartbeatAnswer(code))
    }
  }
}

private func heartbeatAnswer(_ code: ErrorCode) -> HeartbeatResponse {
  var response = HeartbeatResponse()
  response.errorCode = code
  return response
}
