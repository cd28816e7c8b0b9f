import KafkaProtocol
public import Vocabulary

/// A partition whose replicas are being moved (KIP-455).
public struct MovingPartition: Sendable, Hashable {
  public let partition: TopicPartition
  public let replicas: [NodeID]
  public let adding: [NodeID]
  public let removing: [NodeID]
}

/// Who may become a leader (KIP-460).
public enum Election: Int8, Sendable, Hashable {
  /// The first replica, when it is in sync.
  case preferred = 0
  /// Whoever is alive, when nobody in sync is: records that others had alone are lost.
  case unclean = 1
}

/// What came of an election in one partition.
public struct ElectionOutcome: Sendable, Hashable {
  public let partition: TopicPartition
  /// `.electionNotNeeded` where the leader is the right one already.
  public let code: ErrorCode
  public let message: String?
}

extension ClusterClient {
  private var spanMs: Int32 { Int32(clamping: settings.requestSpan.milliseconds) }

  /// Moves a partition to these brokers, the first of which is its preferred leader; nil cancels what is under way. The
  /// move goes on after the answer.
  public func reassign(_ partition: TopicPartition, to replicas: [NodeID]?) async throws(ClientError) {
    let request = AlterPartitionReassignmentsRequest { request in
      request.timeoutMs = spanMs
      request.topics = [
        .init { topic in
          topic.name = partition.topic.text
          topic.partitions = [
            .init {
              $0.partitionIndex = partition.partition.value
              $0.replicas = replicas?.map(\.value)
            }
          ]
        }
      ]
    }
    _ = try await call(request, to: .controller) { response in
      if let refusal = PartialRefusal("\(partition)", response.errorCode, response.errorMessage) { return refusal }
      let one = response.responses.first?.partitions.first
      return PartialRefusal("\(partition)", one?.errorCode ?? .unknownServerError, one?.errorMessage)
    }
  }

  /// Every move that is under way.
  public func reassignments() async throws(ClientError) -> [MovingPartition] {
    let request = ListPartitionReassignmentsRequest { request in
      request.timeoutMs = spanMs
      request.topics = nil
    }
    let reply = try await call(request, to: .controller) {
      PartialRefusal("the reassignments", $0.errorCode, $0.errorMessage)
    }
    return reply.response.topics.flatMap { topic in
      topic.partitions.compactMap { one in
        TopicName(topic.name).map { name in
          MovingPartition(
            partition: TopicPartition(name, PartitionIndex(one.partitionIndex)),
            replicas: one.replicas.map { NodeID($0) }, adding: one.addingReplicas.map { NodeID($0) },
            removing: one.removingReplicas.map { NodeID($0) })
        }
      }
    }.sorted { $0.partition < $1.partition }
  }

  /// Elects leaders; nil means all partitions, and tells only of those that needed it.
  public func elect(_ election: Election, _ partitions: [TopicPartition]?) async throws(ClientError)
    -> [ElectionOutcome]
  {
    let request = ElectLeadersRequest { request in
      request.electionType = election.rawValue
      request.timeoutMs = spanMs
      request.topicPartitions = partitions.map { partitions in
        var topics: [ElectLeadersRequest.TopicPartitions] = []
        for one in partitions.sorted() {
          if topics.last?.topic != one.topic.text { topics.append(.init { $0.topic = one.topic.text }) }
          topics[topics.count - 1].partitions.append(one.partition.value)
        }
        return topics
      }
    }
    let reply = try await call(request, to: .controller) { PartialRefusal("the elections", $0.errorCode) }
    return reply.response.replicaElectionResults.flatMap { topic in
      topic.partitionResult.compactMap { one in
        TopicName(topic.topic).map {
          ElectionOutcome(
            partition: TopicPartition($0, PartitionIndex(one.partitionID)), code: one.errorCode,
            message: one.errorMessage)
        }
      }
    }
  }
}
