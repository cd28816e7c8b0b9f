import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// OffsetDelete, v0: forgets what a group committed for some partitions that it does not read now (KIP-496).
  func offsetDelete(_ call: Call<OffsetDeleteRequest>) {
    let request = call.request
    let known = request.topics.compactMap { topic in
      TopicName(topic.name).map { OfTopic($0, topic.partitions.map { PartitionIndex($0.partitionIndex) }) }
    }
    let deletion = DeleteOffsetsRequest(group: GroupID(request.groupID), topics: known)
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.deleteOffsets(deletion, closed: self.closedTopics(of: known), token, at: now, into: &effects)
    } answer: { answer in
      guard case .deleteOffsets(let deleted) = answer else { unexpected(answer) }
      var response = OffsetDeleteResponse()
      response.errorCode = deleted.error
      response.topics = deleted.topics.map { topic in
        var entry = OffsetDeleteResponse.Topic()
        entry.name = topic.topic.text
        entry.partitions = topic.partitions.map { result in
          var partition = OffsetDeleteResponse.Partition()
          partition.partitionIndex = result.partition.value
          partition.errorCode = result.error
          return partition
        }
        return entry
      }
      call.answer(response)
    } refused: { code in
      var response = OffsetDeleteResponse()
      response.errorCode = code
      call.answer(response)
    }
  }
}
