import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// SyncGroup, v0–5: the leader hands in the assignment, everyone gets their part of it.
  func syncGroup(_ call: Call<SyncGroupRequest>) {
    let request = call.request
    let sync = SyncRequest(
      group: GroupID(request.groupID), member: MemberID(request.memberID),
      instance: request.groupInstanceID.map { InstanceID($0) }, generation: Generation(request.generationID),
      protocolType: request.protocolType, protocolName: request.protocolName,
      assignments: Dictionary(request.assignments.map { (MemberID($0.memberID), $0.assignment) }) { _, last in last })
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.sync(sync, token, at: now, into: &effects)
    } answer: { answer in
      guard case .sync(let synced) = answer else { unexpected(answer) }
      var response = SyncGroupResponse()
      response.errorCode = synced.error
      response.protocolType = synced.protocolType
      response.protocolName = synced.protocolName
      response.assignment = synced.assignment
      call.answer(response)
    } refused: { code in
      var response = SyncGroupResponse()
      response.errorCode = code
      call.answer(response)
    }
  }
}
