import ClusterMetadata
import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DeleteGroups, v0–2: forgets groups that have no members (KIP-229).
  func deleteGroups(_ call: Call<DeleteGroupsRequest>) {
    let names = call.request.groupsNames
    let gathering = Gathering<DeleteGroupsResponse.Group>(count: names.count) { results in
      var response = DeleteGroupsResponse()
      response.results = results
      call.answer(response)
    }
    for (index, name) in names.enumerated() {
      @Sendable func put(_ code: ErrorCode) {
        var entry = DeleteGroupsResponse.Group()
        entry.groupID = name
        entry.errorCode = code
        gathering.put(entry, at: index)
      }
      groups.ask(name) { coordinator, token, now, effects in
        coordinator.deleteGroups(
          [GroupID(name)], isClosed: self.image.isClosedToCommits, token, at: now, into: &effects)
      } answer: { answer in
        guard case .deleteGroups(let deleted) = answer else { unexpected(answer) }
        put(deleted.first?.error ?? .groupIdNotFound)
      } refused: { code in
        // Without a topic of group offsets there are no groups.
        put(code == .notCoordinator ? .groupIdNotFound : code)
      }
    }
  }
}
