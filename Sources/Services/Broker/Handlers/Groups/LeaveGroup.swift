import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// LeaveGroup, v0–5: members go at once rather than when their sessions end; from v3 on several, and static ones by
  /// their instance (KIP-345).
  func leaveGroup(_ call: Call<LeaveGroupRequest>) {
    let request = call.request
    let version = call.context.version
    let leavers =
      version >= 3
      ? request.members.map {
        LeaveRequest.Leaver(member: MemberID($0.memberID), instance: $0.groupInstanceID.map { InstanceID($0) })
      }
      : [LeaveRequest.Leaver(member: MemberID(request.memberID))]
    let leave = LeaveRequest(group: GroupID(request.groupID), members: leavers)
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.leave(leave, token, at: now, into: &effects)
    } answer: { answer in
      guard case .leave(let left) = answer else { unexpected(answer) }
      call.answer(self.response(left, version))
    } refused: { code in
      call.answer(self.response(LeaveAnswer(error: code, members: []), version))
    }
  }

  private func response(_ left: LeaveAnswer, _ version: Int16) -> LeaveGroupResponse {
    var response = LeaveGroupResponse()
    response.errorCode = left.error
    guard version >= 3 else {
      if left.error == .none, let only = left.members.first { response.errorCode = only.error }
      return response
    }
    response.members = left.members.map { member in
      var entry = LeaveGroupResponse.Member()
      entry.memberID = member.member.text
      entry.groupInstanceID = member.instance?.text
      entry.errorCode = member.error
      return entry
    }
    return response
  }
}
