import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// AlterPartitionReassignments, v0–1: replicas move, each partition on its own (KIP-455); without replicas what is under
  /// way is cancelled. v1 can forbid that the number of replicas changes (KIP-860).
  func alterPartitionReassignments(_ call: Call<AlterPartitionReassignmentsRequest>) {
    let request = call.request
    change { draft in
      request.topics.map { topic in
        topic.partitions.map { partition -> Refusal? in
          let target = partition.replicas.map { $0.map { NodeID($0) } }
          if !request.allowReplicationFactorChange, let target,
            let refusal = Self.changeOfFactor(topic.name, partition.partitionIndex, target, draft.image)
          {
            return refusal
          }
          let decision = draft.image.reassign(
            topic: topic.name, partition: PartitionIndex(partition.partitionIndex), to: target,
            inherited: self.inherited(draft.image))
          if case .failure(let refusal) = draft.add(decision) { return refusal }
          return nil
        }
      }
    } then: { result in
      var response = AlterPartitionReassignmentsResponse()
      response.errorMessage = nil
      response.allowReplicationFactorChange = request.allowReplicationFactorChange
      switch result {
      case .failure(let refusal):
        response.errorCode = refusal.code
        response.errorMessage = refusal.message
      case .success(let refusals):
        response.responses = zip(request.topics, refusals).map { topic, refusals in
          var entry = AlterPartitionReassignmentsResponse.Topic()
          entry.name = topic.name
          entry.partitions = zip(topic.partitions, refusals).map { partition, refusal in
            var one = AlterPartitionReassignmentsResponse.Partition()
            one.partitionIndex = partition.partitionIndex
            one.errorCode = refusal?.code ?? .none
            one.errorMessage = refusal?.message
            return one
          }
          return entry
        }
      }
      call.answer(response)
    }
  }

  private static func changeOfFactor(
    _ topic: String, _ index: Int32, _ target: [NodeID], _ image: MetadataImage
  ) -> Refusal? {
    guard let state = TopicName(topic).flatMap(image.topic(named:)),
      state.partitions.indices.contains(Int(index))
    else { return nil }
    let partition = state.partitions[Int(index)]
    let present = partition.replicas.count - partition.adding.count
    guard present != target.count else { return nil }
    return Refusal(
      .invalidReplicationFactor,
      "\(topic)-\(index) has \(present) replicas and would have \(target.count); the request forbids to change that.")
  }

  /// ListPartitionReassignments, v0: what is under way (KIP-455).
  func listPartitionReassignments(_ call: Call<ListPartitionReassignmentsRequest>) {
    let asked = call.request.topics.map { topics in
      topics.flatMap { topic in topic.partitionIndexes.map { (topic: topic.name, partition: PartitionIndex($0)) } }
    }
    change { draft in
      draft.image.reassignments(of: asked)
    } then: { result in
      var response = ListPartitionReassignmentsResponse()
      response.errorMessage = nil
      switch result {
      case .failure(let refusal):
        response.errorCode = refusal.code
        response.errorMessage = refusal.message
      case .success(let ongoing): response.topics = Self.byTopic(ongoing)
      }
      call.answer(response)
    }
  }

  private static func byTopic(_ ongoing: [OngoingReassignment]) -> [ListPartitionReassignmentsResponse.Topic] {
    var topics: [ListPartitionReassignmentsResponse.Topic] = []
    for reassignment in ongoing {
      if topics.last?.name != reassignment.topic.text {
        var topic = ListPartitionReassignmentsResponse.Topic()
        topic.name = reassignment.topic.text
        topics.append(topic)
      }
      var entry = ListPartitionReassignmentsResponse.Partition()
      entry.partitionIndex = reassignment.partition.value
      entry.replicas = reassignment.replicas.map(\.value)
      entry.addingReplicas = reassignment.adding.map(\.value)
      entry.removingReplicas = reassignment.removing.map(\.value)
      topics[topics.count - 1].partitions.append(entry)
    }
    return topics
  }
}
