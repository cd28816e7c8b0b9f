import EventLoop
import KafkaProtocol
public import Vocabulary

/// Which offset of a partition is asked for.
public enum OffsetTime: Sendable, Hashable {
  /// The first that is there.
  case earliest
  /// The one that the next record gets.
  case latest
  /// The first record with this time or a later one.
  case from(Timestamp)

  var wire: Int64 {
    switch self {
    case .earliest: -2
    case .latest: -1
    case .from(let time): time.milliseconds
    }
  }
}

extension ClusterClient {
  /// Where no record is as late as the time that is asked for, the end of the partition.
  public func offset(of partition: TopicPartition, at time: OffsetTime) async throws(ClientError) -> Offset {
    let found = try await offsetIfAny(of: partition, at: time)
    if let found { return found }
    return try await offset(of: partition, at: .latest)
  }

  private func offsetIfAny(of partition: TopicPartition, at time: OffsetTime) async throws(ClientError) -> Offset? {
    let request = ListOffsetsRequest { request in
      request.replicaID = -1
      request.timeoutMs = Int32(clamping: settings.requestSpan.milliseconds)
      request.topics = [
        .init { topic in
          topic.name = partition.topic.text
          topic.partitions = [
            .init {
              $0.partitionIndex = partition.partition.value
              $0.timestamp = time.wire
            }
          ]
        }
      ]
    }
    let reply = try await call(request, to: .leader(partition)) { response in
      PartialRefusal(partition.description, response.topics.first?.partitions.first?.errorCode ?? .unknownServerError)
    }
    let offset = reply.response.topics.first?.partitions.first?.offset ?? -1
    if offset < 0, case .from = time { return nil }
    return Offset(max(0, offset))
  }

  /// The same for every partition of a topic, in the order of their numbers.
  public func offsets(of topic: TopicName, at time: OffsetTime) async throws(ClientError) -> [(PartitionIndex, Offset)]
  {
    var found: [(PartitionIndex, Offset)] = []
    for partition in try await self.topic(topic).partitions {
      found.append((partition.index, try await offset(of: TopicPartition(topic, partition.index), at: time)))
    }
    return found
  }
}
