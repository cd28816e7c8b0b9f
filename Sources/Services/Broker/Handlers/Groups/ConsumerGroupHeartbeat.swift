import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ConsumerGroupHeartbeat, v0–1: joins, leaves and keeps a member of a consumer group (KIP-848); the coordinator
  /// computes who reads what. v1 has regular expressions and ids that clients make.
  ///
  /// Differs from Apache Kafka: expressions are PCRE2's rather than RE2's; the two agree on all that topic names need.
  func consumerGroupHeartbeat(_ call: Call<ConsumerGroupHeartbeatRequest>) {
    let request = call.request
    guard settings.offersConsumerProtocol else {
      return call.answer(refused(.unsupportedVersion, "The consumer group protocol is not enabled."))
    }
    let heartbeat = ConsumerHeartbeatRequest(
      group: GroupID(request.groupID), member: MemberID(request.memberID), epoch: MemberEpoch(request.memberEpoch),
      instance: request.instanceID.map { InstanceID($0) }, rack: request.rackID,
      rebalanceTimeout: request.rebalanceTimeoutMs < 0 ? nil : .milliseconds(Int64(request.rebalanceTimeoutMs)),
      subscribedTopics: request.subscribedTopicNames, subscribedPattern: pattern(request.subscribedTopicRegex),
      assignor: request.serverAssignor,
      owned: request.topicPartitions.map { owned in
        GroupRecordFormat.assignment(owned.map { ($0.topicID, $0.partitions) })
      }, client: call.context.client, nonce: .random())
    let topics = catalogue.current
    groups.ask(request.groupID) { coordinator, token, now, effects in
      coordinator.consumerHeartbeat(heartbeat, token, at: now, topics: topics, into: &effects)
    } answer: { answer in
      guard case .consumerHeartbeat(let beat) = answer else { unexpected(answer) }
      call.answer(self.response(beat))
    } refused: { code in
      call.answer(self.refused(code, nil))
    }
  }

  private func pattern(_ text: String?) -> ConsumerHeartbeatRequest.PatternChange {
    switch text {
    case nil: .unchanged
    case ""?: .none
    case let text?: TopicPattern(text) == nil ? .unreadable : .pattern(SubscriptionPattern(text))
    }
  }

  private func refused(_ code: ErrorCode, _ message: String?) -> ConsumerGroupHeartbeatResponse {
    var response = ConsumerGroupHeartbeatResponse()
    response.errorCode = code
    response.errorMessage = message
    return response
  }

  private func response(_ beat: ConsumerHeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    var response = refused(beat.error, beat.message)
    response.memberID = beat.member?.text
    response.memberEpoch = beat.epoch.value
    response.heartbeatIntervalMs = Int32(clamping: beat.heartbeatInterval.milliseconds)
    response.assignment = beat.assignment.map { assignment in
      var assigned = ConsumerGroupHeartbeatResponse.Assignment()
      assigned.topicPartitions = assignment.topics.map { id, partitions in
        var topic = ConsumerGroupHeartbeatResponse.TopicPartitions()
        topic.topicID = id
        topic.partitions = partitions.map(\.value)
        return topic
      }
      return assigned
    }
    return response
  }
}
