import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// DescribeTopicPartitions, v0: topics in the order of their names, a page at a time (KIP-966).
  ///
  /// No topics means all. The cursor names the first partition of the next page.
  func describeTopicPartitions(_ call: Call<DescribeTopicPartitionsRequest>) {
    let request = call.request
    let image = self.image
    let asked = request.topics.isEmpty ? image.topicsByName.map(\.name.text) : Set(request.topics.map(\.name)).sorted()
    var room = max(1, min(Int(request.responsePartitionLimit), 2000))
    var response = DescribeTopicPartitionsResponse()
    for name in asked where name >= request.cursor?.topicName ?? "" {
      let first = name == request.cursor?.topicName ? Int(max(0, request.cursor?.partitionIndex ?? 0)) : 0
      if room == 0 {
        response.nextCursor = cursor(name, first)
        break
      }
      var entry = DescribeTopicPartitionsResponse.Topic()
      entry.name = name
      switch image.topic(.name(name)) {
      case .failure(let refusal): entry.errorCode = refusal.code
      case .success(let topic):
        let last = min(topic.partitions.count, first + room)
        fill(&entry, topic, first..<max(first, last))
        room -= entry.partitions.count
        if last < topic.partitions.count { response.nextCursor = cursor(name, last) }
      }
      response.topics.append(entry)
      if response.nextCursor != nil { break }
    }
    call.answer(response)
  }

  private func cursor(_ topic: String, _ partition: Int) -> DescribeTopicPartitionsResponse.Cursor {
    var cursor = DescribeTopicPartitionsResponse.Cursor()
    cursor.topicName = topic
    cursor.partitionIndex = Int32(clamping: partition)
    return cursor
  }

  private func fill(
    _ entry: inout DescribeTopicPartitionsResponse.Topic, _ topic: TopicState, _ range: Range<Int>
  ) {
    entry.topicID = topic.id
    entry.isInternal = topic.name.isInternal
    entry.topicAuthorizedOperations = AuthorizedOperations.topic
    entry.partitions = range.map { index in
      let state = topic.partitions[index]
      var partition = DescribeTopicPartitionsResponse.Partition()
      partition.partitionIndex = Int32(index)
      partition.errorCode = state.leader == .none ? .leaderNotAvailable : .none
      partition.leaderID = state.leader.value
      partition.leaderEpoch = state.leaderEpoch.value
      partition.replicaNodes = state.replicas.map(\.value)
      partition.isrNodes = state.inSync.map(\.value)
      partition.eligibleLeaderReplicas = []
      partition.lastKnownElr = []
      return partition
    }
  }
}
