import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ElectLeaders, v0–2: leadership goes back to the preferred leader (KIP-183), or, from v1 on and only when asked for, to
  /// whoever is alive (KIP-460). Without names all partitions are meant, and only those that needed it are answered.
  func electLeaders(_ call: Call<ElectLeadersRequest>) {
    let request = call.request
    guard let type = ElectionType(rawValue: request.electionType) else {
      var response = ElectLeadersResponse()
      response.errorCode = .invalidRequest
      return call.answer(response)
    }
    change { draft in
      let asked =
        request.topicPartitions?.map { ($0.topic, $0.partitions) }
        ?? draft.image.topicsByName.map { ($0.name.text, Array(0..<Int32($0.partitions.count))) }
      return asked.map { topic, partitions in
        (
          topic,
          partitions.map { index -> (Int32, Refusal?) in
            let decision = draft.image.elect(
              type, topic: topic, partition: PartitionIndex(index), inherited: self.inherited(draft.image))
            if case .failure(let refusal) = draft.add(decision) { return (index, refusal) }
            return (index, nil)
          }
        )
      }
    } then: { result in
      var response = ElectLeadersResponse()
      switch result {
      case .failure(let refusal): response.errorCode = refusal.code
      case .success(let elected):
        response.replicaElectionResults = elected.compactMap { topic, partitions in
          Self.entry(topic, partitions, namesAll: request.topicPartitions == nil)
        }
      }
      call.answer(response)
    }
  }

  private static func entry(
    _ topic: String, _ partitions: [(Int32, Refusal?)], namesAll: Bool
  ) -> ElectLeadersResponse.ReplicaElection? {
    var entry = ElectLeadersResponse.ReplicaElection()
    entry.topic = topic
    entry.partitionResult = partitions.compactMap { index, refusal in
      if namesAll, refusal?.code == .electionNotNeeded { return nil }
      var result = ElectLeadersResponse.Partition()
      result.partitionID = index
      result.errorCode = refusal?.code ?? .none
      result.errorMessage = refusal?.message
      return result
    }
    return namesAll && entry.partitionResult.isEmpty ? nil : entry
  }
}
