import Coordination
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ConsumerGroupDescribe, v0–1: the members of consumer groups, what they read and what they shall read (KIP-848).
  func consumerGroupDescribe(_ call: Call<ConsumerGroupDescribeRequest>) {
    let names = call.request.groupIDs.withoutRepetition { $0 }
    let operations = call.request.includeAuthorizedOperations ? AuthorizedOperations.group : .min
    let gathering = Gathering<ConsumerGroupDescribeResponse.Group>(count: names.count) { results in
      var response = ConsumerGroupDescribeResponse()
      response.groups = results
      call.answer(response)
    }
    for (index, name) in names.enumerated() {
      groups.ask(name) { coordinator, token, _, effects in
        coordinator.describeConsumerGroups([GroupID(name)], token, into: &effects)
      } answer: { answer in
        guard case .describeConsumer(let described) = answer else { unexpected(answer) }
        let group = described.first ?? ConsumerGroupDescription(group: GroupID(name), error: .groupIdNotFound)
        gathering.put(self.entry(name, group, operations), at: index)
      } refused: { code in
        let error: ErrorCode = code == .notCoordinator ? .groupIdNotFound : code
        gathering.put(
          self.entry(name, ConsumerGroupDescription(group: GroupID(name), error: error), operations), at: index)
      }
    }
  }

  private func entry(
    _ name: String, _ group: ConsumerGroupDescription, _ operations: Int32
  ) -> ConsumerGroupDescribeResponse.Group {
    var entry = ConsumerGroupDescribeResponse.Group()
    entry.groupID = name
    entry.errorCode = group.error
    if group.error == .groupIdNotFound { entry.errorMessage = "Group \(name) not found." }
    entry.groupState = group.state.rawValue
    entry.groupEpoch = group.groupEpoch.value
    entry.assignmentEpoch = group.assignmentEpoch.value
    entry.assignorName = group.assignor
    entry.authorizedOperations = operations
    entry.members = group.members.map { member in
      var described = ConsumerGroupDescribeResponse.Member()
      described.memberID = member.member.text
      described.instanceID = member.instance?.text
      described.rackID = member.rack
      described.memberEpoch = member.epoch.value
      described.clientID = member.client.id
      described.clientHost = member.client.host
      described.subscribedTopicNames = member.subscribedTopics
      described.subscribedTopicRegex = member.subscribedPattern?.text
      described.assignment = assignment(member.assignment)
      described.targetAssignment = assignment(member.target)
      // 1: a member of the consumer protocol; 0 would be a classic one.
      described.memberType = 1
      return described
    }
    return entry
  }

  private func assignment(_ assignment: Assignment) -> ConsumerGroupDescribeResponse.Assignment {
    var described = ConsumerGroupDescribeResponse.Assignment()
    described.topicPartitions = assignment.topics.map { id, partitions in
      var topic = ConsumerGroupDescribeResponse.TopicPartitions()
      topic.topicID = id
      topic.topicName = self.partitions.topic(id)?.name.text ?? ""
      topic.partitions = partitions.map(\.value)
      return topic
    }
    return described
  }
}
