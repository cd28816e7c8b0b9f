import EventLoop
import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

/// Sources that ask for topics by their names in Fetch: Kafka 2.8 to 3.0.
@Suite struct FetchByNameTests {
  private let old = UniqueID(high: 1, low: 1)
  private let new = UniqueID(high: 1, low: 2)
  private let other = UniqueID(high: 1, low: 3)

  private func view(_ topics: [String: UniqueID]) -> SourceCluster.View {
    var known: [TopicName: SourceCluster.Topic] = [:]
    for (text, id) in topics {
      guard let name = TopicName(text) else { continue }
      known[name] = SourceCluster.Topic(id: id, isInternal: false, partitions: [], replicationFactor: 1)
    }
    return SourceCluster.View(clusterID: "c", brokers: [:], topics: known, at: monotonicNow())
  }

  private func fetched(_ name: String, _ index: Int32 = 0) -> FetchResponse.Topic {
    var partition = FetchResponse.Partition()
    partition.partitionIndex = index
    partition.highWatermark = 7
    partition.records = .inFrame(0..<10)
    var topic = FetchResponse.Topic()
    topic.topic = name
    topic.partitions = [partition]
    return topic
  }

  private func metadata(_ topics: [(String, UniqueID, ErrorCode)]) -> MetadataResponse {
    var response = MetadataResponse()
    response.topics = topics.map { name, id, code in
      var topic = MetadataResponse.Topic()
      topic.name = name
      topic.topicID = id
      topic.errorCode = code
      return topic
    }
    return response
  }

  /// Otherwise the source would keep it in the session, and answer every Fetch at once with what nobody wants.
  @Test func aTopicIsForgottenByTheNameThatItWasAskedForBy() throws {
    var session = MirrorFetcher.Naming()
    func named(_ topics: [UniqueID], forgetting: [UniqueID], _ asked: [UniqueID: String]) -> FetchRequest {
      var request = FetchRequest()
      request.topics = topics.map { id in
        var topic = FetchRequest.Topic()
        topic.topicID = id
        return topic
      }
      request.forgottenTopicsData = forgetting.map { id in
        var topic = FetchRequest.ForgottenTopic()
        topic.topicID = id
        return topic
      }
      session.name(&request, asked.compactMapValues { TopicName($0) })
      return request
    }
    #expect(
      named([old, other], forgetting: [], [old: "orders", other: "payments"]).topics.map(\.topic) == [
        "orders", "payments",
      ])
    // The topic has been made again meanwhile, and is not asked for any more.
    let next = named([], forgetting: [old], [other: "payments"])
    #expect(next.topics.isEmpty && next.forgottenTopicsData.map(\.topic) == ["orders"])
    #expect(named([], forgetting: [other], [:]).forgottenTopicsData.map(\.topic) == ["payments"])
  }

  @Test func whatIsOfTheSameTopicIsTakenByItsID() throws {
    var response = FetchResponse()
    response.responses = [fetched("orders"), fetched("payments", 3)]
    let view = view(["orders": old, "payments": other])
    let question = try #require(NamedFetch.question(about: response, in: view))
    #expect(question.topics?.map(\.name) == ["orders", "payments"] && !question.allowAutoTopicCreation)
    let known = NamedFetch.identified(
      response, in: view,
      by: metadata([("payments", other, .none), ("orders", old, .none)]))
    #expect(known.responses.map(\.topicID) == [old, other])
    #expect(known.responses.allSatisfy { $0.partitions[0].errorCode == .none && $0.partitions[0].highWatermark == 7 })
  }

  @Test(
    arguments: [
      (UniqueID(high: 1, low: 2), ErrorCode.none), (.zero, .none),
      (UniqueID(high: 1, low: 1), .unknownTopicOrPartition),
      (nil, .none),
    ] as [(UniqueID?, ErrorCode)])
  func nothingIsTakenOfATopicThatMayBeAnotherOne(id: UniqueID?, code: ErrorCode) {
    var response = FetchResponse()
    response.responses = [fetched("orders", 2)]
    let known = NamedFetch.identified(
      response, in: view(["orders": old]), by: metadata(id.map { [("orders", $0, code)] } ?? []))
    #expect(known.responses.map(\.topicID) == [old], "the copy is told")
    #expect(known.responses[0].partitions.map(\.errorCode) == [.unknownTopicId])
    #expect(known.responses[0].partitions.map(\.partitionIndex) == [2])
    guard case .null = known.responses[0].partitions[0].records else {
      Issue.record("records of another topic are handed on")
      return
    }
  }

  @Test func whatNobodyAskedForIsLeftOut() {
    var response = FetchResponse()
    response.responses = [fetched("secrets"), fetched("no name!")]
    let known = NamedFetch.identified(
      response, in: view(["orders": old]), by: metadata([("secrets", other, .none)]))
    #expect(known.responses.isEmpty)
    #expect(NamedFetch.question(about: response, in: view(["orders": old])) == nil)
  }
}
