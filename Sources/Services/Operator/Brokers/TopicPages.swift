import KafkaClient
import KafkaProtocol
import Reconciliation
import Vocabulary

extension Conversation {
  /// All topics, a page at a time (KIP-966): what an answer about ten thousand of them comes to in memory would be there
  /// for a moment every few seconds.
  func topics(_ client: ClusterClient) async throws -> TopicPages {
    var pages = TopicPages()
    var cursor: DescribeTopicPartitionsRequest.Cursor?
    repeat {
      let request = DescribeTopicPartitionsRequest {
        $0.responsePartitionLimit = TopicPages.partitionsPerPage
        $0.cursor = cursor
      }
      cursor = try pages.add(try await client.sendToAny(request).response)
    } while cursor != nil
    return pages
  }
}

/// What brokers say of all topics, in the order of their names. Values that many have alike are kept once.
struct TopicPages {
  /// As many as brokers put into one answer at most (`max.request.partition.size.limit`).
  static let partitionsPerPage: Int32 = 2000

  private struct Topic {
    let name: String
    let id: UniqueID
    var partitions: [PartitionFacts] = []
  }
  private var topics: [Topic] = []
  /// Whether the last topic goes on in the next page.
  private var isPartial = false
  /// Where the next page begins.
  private var cursor: (topic: String, partition: Int32)?
  private var nodeLists: [[NodeID]: [NodeID]] = [:]
  private var partitionLists: [[PartitionFacts]: [PartitionFacts]] = [:]

  var names: [(name: String, id: UniqueID)] { topics.map { ($0.name, $0.id) } }

  /// Returns where the next page begins; nil after the last one.
  mutating func add(
    _ page: DescribeTopicPartitionsResponse
  ) throws(Conversation.Unknown) -> DescribeTopicPartitionsRequest.Cursor? {
    // It was deleted since the page before ended in it.
    if isPartial, page.topics.first?.name != topics.last?.name { topics.removeLast() }
    for topic in page.topics {
      guard let name = topic.name else { continue }
      guard topic.errorCode == .none else {
        throw Conversation.Unknown("the topic \(name) cannot be described: \(topic.errorCode).")
      }
      if topics.last.map({ $0.name != name || $0.id != topic.topicID }) ?? true {
        topics.append(Topic(name: name, id: topic.topicID))
      }
      var partitions = topics[topics.count - 1].partitions
      for partition in topic.partitions {
        guard Int(partition.partitionIndex) == partitions.count else {
          throw Conversation.Unknown("the topic \(name) changed while it was described.")
        }
        partitions.append(
          PartitionFacts(
            replicas: same(partition.replicaNodes), inSync: same(partition.isrNodes),
            leader: partition.leaderID >= 0 ? NodeID(partition.leaderID) : nil))
      }
      topics[topics.count - 1].partitions = same(partitions)
    }
    isPartial = page.nextCursor.map { $0.partitionIndex > 0 && $0.topicName == topics.last?.name } ?? false
    guard let next = page.nextCursor else { return nil }
    // Who answers the same again would be asked for ever.
    guard !page.topics.isEmpty, cursor.map({ $0 < (next.topicName, next.partitionIndex) }) ?? true else {
      throw Conversation.Unknown("brokers come to no end when they say which topics there are.")
    }
    cursor = (next.topicName, next.partitionIndex)
    return .init {
      $0.topicName = next.topicName
      $0.partitionIndex = next.partitionIndex
    }
  }

  private mutating func same(_ nodes: [Int32]) -> [NodeID] {
    let ids = nodes.map { NodeID($0) }
    if let shared = nodeLists[ids] { return shared }
    nodeLists[ids] = ids
    return ids
  }

  private mutating func same(_ partitions: [PartitionFacts]) -> [PartitionFacts] {
    if let shared = partitionLists[partitions] { return shared }
    partitionLists[partitions] = partitions
    return partitions
  }

  /// Notes which partitions are being moved.
  mutating func add(_ moves: [String: [Int: ListPartitionReassignmentsResponse.Partition]]) {
    guard !moves.isEmpty else { return }
    for place in topics.indices {
      for (index, move) in moves[topics[place].name] ?? [:] where topics[place].partitions.indices.contains(index) {
        topics[place].partitions[index].adding = move.addingReplicas.map { NodeID($0) }
        topics[place].partitions[index].removing = move.removingReplicas.map { NodeID($0) }
      }
    }
  }

  /// With the topics' own settings. `observers` says which of some replicas only copy, by those.
  func facts(
    _ configs: [String: [String: String]], observers: ([NodeID], [String: String]) -> [NodeID]
  ) -> [TopicFacts] {
    topics.map { topic in
      let config = configs[topic.name] ?? [:]
      var facts = TopicFacts(topic.name, id: "\(topic.id)", config: config, partitions: topic.partitions)
      for index in facts.partitions.indices {
        let found = observers(facts.partitions[index].replicas, config)
        // Written to where there are some: what is written to is a copy of its own.
        if !found.isEmpty { facts.partitions[index].observers = found }
      }
      return facts
    }
  }
}
