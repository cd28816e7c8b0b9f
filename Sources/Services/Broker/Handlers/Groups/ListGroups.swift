import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ListGroups, v0–5: every group here; v4 filters by state (KIP-518), v5 by type (KIP-848).
  func listGroups(_ call: Call<ListGroupsRequest>) {
    let filter = ListFilter(states: call.request.statesFilter, types: call.request.typesFilter)
    let shards = groups.all
    let gathering = Gathering<Result<[ListedGroup], Refusal>>(count: shards.count) { parts in
      var response = ListGroupsResponse()
      for part in parts {
        switch part {
        case .success(let listed): response.groups += listed.map(Self.entry)
        case .failure(let refusal): response.errorCode = refusal.code
        }
      }
      call.answer(response)
    }
    for (index, shard) in shards.enumerated() {
      shard.ask { coordinator, token, _, effects in
        coordinator.list(filter, token, into: &effects)
      } answer: { answer in
        guard case .list(let listed) = answer else { unexpected(answer) }
        gathering.put(.success(listed), at: index)
      } refused: { code in
        gathering.put(.failure(Refusal(code, "a partition of group offsets is not ready")), at: index)
      }
    }
  }

  private static func entry(_ group: ListedGroup) -> ListGroupsResponse.Group {
    var entry = ListGroupsResponse.Group()
    entry.groupID = group.group.text
    entry.protocolType = group.protocolType
    entry.groupState = group.state.rawValue
    entry.groupType = group.type.rawValue
    return entry
  }
}
