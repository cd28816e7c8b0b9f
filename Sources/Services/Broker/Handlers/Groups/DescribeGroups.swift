import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeGroups, v0–6: the members of classic groups. An unknown group is Dead; from v6 on it is
  /// GROUP_ID_NOT_FOUND (KIP-1043).
  func describeGroups(_ call: Call<DescribeGroupsRequest>) {
    let names = call.request.groups.withoutRepetition { $0 }
    let operations = call.request.includeAuthorizedOperations ? AuthorizedOperations.group : .min
    let version = call.context.version
    let gathering = Gathering<DescribeGroupsResponse.Group>(count: names.count) { results in
      var response = DescribeGroupsResponse()
      response.groups = results
      call.answer(response)
    }
    for (index, name) in names.enumerated() {
      groups.ask(name) { coordinator, token, _, effects in
        coordinator.describe([GroupID(name)], token, into: &effects)
      } answer: { answer in
        guard case .describeClassic(let described) = answer else { unexpected(answer) }
        let group = described.first ?? ClassicGroupDescription(group: GroupID(name))
        gathering.put(self.entry(name, group, operations, version), at: index)
      } refused: { code in
        let error: ErrorCode = code == .notCoordinator ? .none : code
        let group = ClassicGroupDescription(group: GroupID(name), error: error)
        gathering.put(self.entry(name, group, operations, version), at: index)
      }
    }
  }

  private func entry(
    _ name: String, _ group: ClassicGroupDescription, _ operations: Int32, _ version: Int16
  ) -> DescribeGroupsResponse.Group {
    var entry = DescribeGroupsResponse.Group()
    entry.groupID = name
    entry.errorCode = group.error
    if version >= 6, group.error == .none, group.state == .dead {
      entry.errorCode = .groupIdNotFound
      entry.errorMessage = "Group \(name) not found."
    }
    entry.groupState = group.state.rawValue
    entry.protocolType = group.protocolType
    entry.protocolData = group.protocolName
    entry.authorizedOperations = operations
    entry.members = group.members.map { member in
      var described = DescribeGroupsResponse.Member()
      described.memberID = member.member.text
      described.groupInstanceID = member.instance?.text
      described.clientID = member.client.id
      described.clientHost = member.client.host
      described.memberMetadata = member.metadata
      described.memberAssignment = member.assignment
      return described
    }
    return entry
  }
}
