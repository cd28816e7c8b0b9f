import KafkaProtocol
import Reconciliation
import Testing
import Vocabulary

@testable import Operator

@Suite struct TopicPagesTests {
  private static func page(
    _ topics: [(name: String, id: UInt64, partitions: Range<Int32>)], next: (String, Int32)? = nil
  ) -> DescribeTopicPartitionsResponse {
    var page = DescribeTopicPartitionsResponse()
    page.topics = topics.map { topic in
      var found = DescribeTopicPartitionsResponse.Topic()
      found.name = topic.name
      found.topicID = UniqueID(high: 1, low: topic.id)
      found.partitions = topic.partitions.map { index in
        var partition = DescribeTopicPartitionsResponse.Partition()
        partition.partitionIndex = index
        partition.leaderID = index == 1 ? -1 : 100
        partition.replicaNodes = [100, 200]
        partition.isrNodes = [100]
        return partition
      }
      return found
    }
    page.nextCursor = next.map { name, index in
      var cursor = DescribeTopicPartitionsResponse.Cursor()
      cursor.topicName = name
      cursor.partitionIndex = index
      return cursor
    }
    return page
  }

  private static func told(_ pages: TopicPages) -> [String] {
    pages.facts([:], observers: { _, _ in [] }).map { "\($0.name) \($0.partitions.count)" }
  }

  @Test func aTopicThatLiesOnTwoPagesIsOne() throws {
    var pages = TopicPages()
    let next = try pages.add(Self.page([("a", 1, 0..<1), ("b", 2, 0..<2)], next: ("b", 2)))
    #expect(next?.topicName == "b" && next?.partitionIndex == 2)
    #expect(try pages.add(Self.page([("b", 2, 2..<3), ("c", 3, 0..<1)])) == nil)
    var move = ListPartitionReassignmentsResponse.Partition()
    move.addingReplicas = [300]
    pages.add(["b": [2: move]])
    let facts = pages.facts(["b": ["x": "y"]], observers: { replicas, config in config.isEmpty ? [] : [replicas[1]] })
    let ids = [NodeID(100), NodeID(200)]
    var leaderless = PartitionFacts(replicas: ids, inSync: [ids[0]], leader: nil)
    var moved = PartitionFacts(replicas: ids, inSync: [ids[0]], leader: ids[0])
    let plain = moved
    var first = moved
    moved.adding = [NodeID(300)]
    (first.observers, leaderless.observers, moved.observers) = ([ids[1]], [ids[1]], [ids[1]])
    #expect(
      facts == [
        TopicFacts("a", id: "\(UniqueID(high: 1, low: 1))", partitions: [plain]),
        TopicFacts(
          "b", id: "\(UniqueID(high: 1, low: 2))", config: ["x": "y"], partitions: [first, leaderless, moved]),
        TopicFacts("c", id: "\(UniqueID(high: 1, low: 3))", partitions: [plain]),
      ])
  }

  @Test func aTopicThatIsDeletedBetweenItsPagesIsNotThere() throws {
    var pages = TopicPages()
    _ = try pages.add(Self.page([("a", 1, 0..<1), ("b", 2, 0..<2)], next: ("b", 2)))
    _ = try pages.add(Self.page([("c", 3, 0..<1)]))
    #expect(Self.told(pages) == ["a 1", "c 1"])
    var last = TopicPages()
    _ = try last.add(Self.page([("a", 1, 0..<1), ("b", 2, 0..<2)], next: ("b", 2)))
    _ = try last.add(Self.page([]))
    #expect(Self.told(last) == ["a 1"])
    // A page that ends with a topic says so by the name of the next.
    var whole = TopicPages()
    _ = try whole.add(Self.page([("a", 1, 0..<2)], next: ("b", 0)))
    _ = try whole.add(Self.page([("c", 3, 0..<1)]))
    #expect(Self.told(whole) == ["a 2", "c 1"])
  }

  @Test func aTopicThatIsMadeAnewBetweenItsPagesIsNotKnown() throws {
    var pages = TopicPages()
    _ = try pages.add(Self.page([("b", 2, 0..<2)], next: ("b", 2)))
    #expect(throws: Conversation.Unknown.self) { try pages.add(Self.page([("b", 9, 2..<3)])) }
  }

  @Test func pagesThatLeadNowhereAreNotFollowedForEver() throws {
    var pages = TopicPages()
    let page = Self.page([("a", 1, 0..<1)], next: ("b", 0))
    _ = try pages.add(page)
    #expect(throws: Conversation.Unknown.self) { try pages.add(page) }
    pages = TopicPages()
    #expect(throws: Conversation.Unknown.self) { try pages.add(Self.page([], next: ("a", 0))) }
  }
}
