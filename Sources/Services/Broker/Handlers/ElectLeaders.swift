import KafkaProtocol
import Vocabulary

extension Broker {
  /// ElectLeaders, v0–2: with one replica each, every partition is led by its preferred leader already.
  func electLeaders(_ call: Call<ElectLeadersRequest>) {
    var response = ElectLeadersResponse()
    guard call.request.electionType == 0 || call.request.electionType == 1 else {
      response.errorCode = .invalidRequest
      return call.answer(response)
    }
    // Without names all partitions are asked for, and only those that needed an election are answered: none.
    response.replicaElectionResults = (call.request.topicPartitions ?? []).map { topic in
      var entry = ElectLeadersResponse.ReplicaElection()
      entry.topic = topic.topic
      let held = heldTopic(topic.topic)
      entry.partitionResult = topic.partitions.map { index in
        var result = ElectLeadersResponse.Partition()
        result.partitionID = index
        let isKnown = held?.partition(index) != nil
        result.errorCode = isKnown ? .electionNotNeeded : .unknownTopicOrPartition
        result.errorMessage =
          isKnown ? "Leader election not needed for topic partition." : "No such topic as \(topic.topic)"
        return result
      }
      return entry
    }
    call.answer(response)
  }
}
