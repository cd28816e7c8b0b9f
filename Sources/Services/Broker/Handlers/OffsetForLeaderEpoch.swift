import KafkaProtocol
import Vocabulary

extension Broker {
  /// OffsetForLeaderEpoch, v2–4: where an epoch ended, so that a reader notices that its log was cut (KIP-320).
  ///
  /// The answer is the largest epoch that is not above the one asked for, with its end; (-1, -1) when there is none.
  func offsetForLeaderEpoch(_ call: Call<OffsetForLeaderEpochRequest>) {
    var response = OffsetForLeaderEpochResponse()
    response.topics = call.request.topics.map { topic in
      var answer = OffsetForLeaderEpochResponse.Topic()
      answer.topic = topic.topic
      let held = heldTopic(topic.topic)
      answer.partitions = topic.partitions.map { ask in
        var end = OffsetForLeaderEpochResponse.Partition()
        end.partition = ask.partition
        guard let partition = held?.partition(ask.partition) else {
          end.errorCode = held?.absence(of: ask.partition) ?? .unknownTopicOrPartition
          return end
        }
        if let code = partition.refusalAsLeader(forEpoch: ask.currentLeaderEpoch) {
          end.errorCode = code
          return end
        }
        let (epoch, offset) = partition.endOffset(ofEpoch: LeaderEpoch(ask.leaderEpoch))
        end.leaderEpoch = epoch.value
        end.endOffset = offset.value
        return end
      }
      return answer
    }
    call.answer(response)
  }
}
