public import KafkaProtocol
public import Vocabulary

/// How far a group has read one partition.
public struct CommittedOffset: Sendable, Hashable {
  public let partition: TopicPartition
  public let offset: Offset
  public let metadata: String
}

/// A group and its members, whichever protocol they speak.
public struct GroupView: Sendable, Hashable {
  public struct Member: Sendable, Hashable {
    public let id: String
    public let instance: String?
    public let client: String
    public let host: String
    public let partitions: [TopicPartition]
  }
  public let name: String
  public let state: String
  /// `classic` or `consumer` (KIP-848).
  public let type: String
  /// The assignor that the members agreed on.
  public let assignor: String
  public let coordinator: BrokerAddress
  public let members: [Member]
}

extension ClusterClient {
  /// Versions above name topics by id.
  private static let offsetsVersionMax: Int16 = 9

  /// The groups of all brokers, in the order of their names.
  public func groups() async throws(ClientError) -> [ListGroupsResponse.Group] {
    try await refreshMetadata([])
    var groups: [ListGroupsResponse.Group] = []
    for node in view.brokers.keys.sorted() {
      let reply = try await call(ListGroupsRequest(), to: .broker(node)) {
        PartialRefusal("the groups of broker \(node.value)", $0.errorCode)
      }
      groups += reply.response.groups
    }
    return groups.sorted { $0.groupID < $1.groupID }
  }

  /// Throws `refused` with GROUP_ID_NOT_FOUND when there is no such group.
  public func group(_ name: String) async throws(ClientError) -> GroupView {
    do throws(ClientError) {
      return try await consumerGroup(name)
    } catch {
      // A classic group is not found by that request, and an older broker does not know it.
      switch error {
      case .unsupported: break
      case .refused(_, _, _, .groupIdNotFound, _), .refused(_, _, _, .unsupportedVersion, _),
        .refused(_, _, _, .invalidGroupId, _):
        break
      default: throw error
      }
    }
    return try await classicGroup(name)
  }

  private func consumerGroup(_ name: String) async throws(ClientError) -> GroupView {
    let reply = try await call(
      ConsumerGroupDescribeRequest { $0.groupIDs = [name] }, to: .coordinator(group: name)
    ) { response in
      let group = response.groups.first
      return PartialRefusal("group \(name)", group?.errorCode ?? .groupIdNotFound, group?.errorMessage)
    }
    let group = reply.response.groups.first ?? .init()
    return GroupView(
      name: name, state: group.groupState, type: "consumer", assignor: group.assignorName,
      coordinator: reply.broker,
      members: group.members.map { member in
        GroupView.Member(
          id: member.memberID, instance: member.instanceID, client: member.clientID, host: member.clientHost,
          partitions: member.assignment.topicPartitions.flatMap { Self.list($0.topicName, $0.partitions) }.sorted())
      })
  }

  private func classicGroup(_ name: String) async throws(ClientError) -> GroupView {
    let reply = try await call(
      DescribeGroupsRequest { $0.groups = [name] }, to: .coordinator(group: name)
    ) { response in
      let group = response.groups.first
      return PartialRefusal("group \(name)", group?.errorCode ?? .groupIdNotFound, group?.errorMessage)
    }
    let group = reply.response.groups.first ?? .init()
    // Before version 6 a group that is not there is a dead one.
    if group.groupState == "Dead" {
      throw .refused(reply.broker, .describeGroups, subject: "group \(name)", .groupIdNotFound, nil)
    }
    return GroupView(
      name: name, state: group.groupState, type: "classic", assignor: group.protocolData, coordinator: reply.broker,
      members: group.members.map { member in
        let assignment = try? ConsumerProtocolAssignment.decode(member.memberAssignment)
        return GroupView.Member(
          id: member.memberID, instance: member.groupInstanceID, client: member.clientID, host: member.clientHost,
          partitions: (assignment?.assignedPartitions ?? []).flatMap { Self.list($0.topic, $0.partitions) }.sorted())
      })
  }

  private static func list(_ topic: String, _ partitions: [Int32]) -> [TopicPartition] {
    guard let name = TopicName(topic) else { return [] }
    return partitions.map { TopicPartition(name, PartitionIndex($0)) }
  }

  /// Only a group without members can be deleted.
  public func deleteGroup(_ name: String) async throws(ClientError) {
    _ = try await call(
      DeleteGroupsRequest { $0.groupsNames = [name] }, to: .coordinator(group: name)
    ) { response in
      PartialRefusal("group \(name)", response.results.first?.errorCode ?? .unknownServerError)
    }
  }

  /// Every offset that the group has committed, in the order of the partitions.
  public func committedOffsets(of group: String) async throws(ClientError) -> [CommittedOffset] {
    let request = OffsetFetchRequest { request in
      request.groupID = group
      request.topics = nil
      request.groups = [
        .init {
          $0.groupID = group
          $0.topics = nil
        }
      ]
    }
    let reply = try await call(request, to: .coordinator(group: group), highest: Self.offsetsVersionMax) { response in
      PartialRefusal("group \(group)", response.groups.first?.errorCode ?? response.errorCode)
    }
    var found: [CommittedOffset] = []
    func add(_ topic: String, _ partition: Int32, _ offset: Int64, _ metadata: String?) {
      guard offset >= 0, let name = TopicName(topic) else { return }
      let place = TopicPartition(name, PartitionIndex(partition))
      found.append(CommittedOffset(partition: place, offset: Offset(offset), metadata: metadata ?? ""))
    }
    for topic in reply.response.topics {
      for one in topic.partitions { add(topic.name, one.partitionIndex, one.committedOffset, one.metadata) }
    }
    for topic in reply.response.groups.flatMap(\.topics) {
      for one in topic.partitions { add(topic.name, one.partitionIndex, one.committedOffset, one.metadata) }
    }
    return found.sorted { $0.partition < $1.partition }
  }

  /// Commits for a group without members; with a member's id and epoch or generation, for that member.
  public func commit(
    _ offsets: [TopicPartition: Offset], for group: String, member: String = "", generation: Int32 = -1
  ) async throws(ClientError) {
    let request = OffsetCommitRequest { request in
      request.groupID = group
      request.memberID = member
      request.generationIDOrMemberEpoch = generation
      for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
        let name = partition.topic.text
        if request.topics.last?.name != name { request.topics.append(.init { $0.name = name }) }
        request.topics[request.topics.count - 1].partitions.append(
          .init {
            $0.partitionIndex = partition.partition.value
            $0.committedOffset = offset.value
          })
      }
    }
    _ = try await call(request, to: .coordinator(group: group), highest: Self.offsetsVersionMax) { response in
      for topic in response.topics {
        for one in topic.partitions {
          let subject = "group \(group), \(topic.name)-\(one.partitionIndex)"
          if let refusal = PartialRefusal(subject, one.errorCode) { return refusal }
        }
      }
      return nil
    }
  }
}
