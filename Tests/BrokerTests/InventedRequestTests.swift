import ClusterMetadata
import KafkaProtocol
import SimulatedWorld
import Telemetry
import Testing
import Vocabulary

@testable import Broker

/// Requests that are well formed and mean anything at all, against a broker that has topics and groups.
@Suite struct InventedRequestTests {
  private static let connectionsOfASeed = 500

  private func createTopics(_ client: Client) throws {
    var request = CreateTopicsRequest()
    request.timeoutMs = 1000
    request.topics = ["a", "b"].map { name in
      var topic = CreateTopicsRequest.Topic()
      topic.name = name
      topic.numPartitions = 2
      topic.replicationFactor = 1
      return topic
    }
    #expect(try client.ask(request, version: 7).topics.allSatisfy { $0.errorCode == .none })
    var coordinator = FindCoordinatorRequest()
    coordinator.coordinatorKeys = ["g"]
    #expect(try client.ask(coordinator, version: 4).coordinators.first?.errorCode == ErrorCode.none)
  }

  /// Whatever was asked for, the next process finds the same topics.
  @Test(arguments: [UInt64(1), 2, 3, 4]) func noRequestEndsTheBrokerOrHoldsUpAnybodyElse(seed: UInt64) throws {
    let folder = try TemporaryFolder()
    let before = try serve(seed, in: folder)
    let again = try RunningBroker(in: folder)
    #expect(again.broker.image.topics == before.topics)
    #expect(again.broker.image.configs == before.configs)
    #expect(again.broker.partitions.partitionCount == before.partitionCount)
  }

  /// What the cluster has agreed on at the end.
  private func serve(_ seed: UInt64, in folder: TemporaryFolder) throws -> MetadataImage {
    let running = try RunningBroker(
      [
        "group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "2",
        "group.min.session.timeout.ms": "1",
      ], in: folder)
    let bystander = try running.connect()
    try createTopics(bystander)
    let topicIDs = running.broker.image.topicsByName.map(\.id)
    var random = SeededRandom(seed: seed)
    for number in 0..<Self.connectionsOfASeed {
      let client = try running.connect()
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        // To unregister the only broker takes its leaders away, as it should.
        let routes = Routes.broker.all.filter { $0.key != .unregisterBroker }
        let route = try #require(routes.randomElement(using: &random))
        let message = try #require(allRequests.first { $0.key == route.key })
        let frame = try Inventor.frame(
          of: message, version: .random(in: route.served, using: &random),
          random: SeededRandom(seed: random.next()), topicIDs: topicIDs)
        if !client.send(frame: frame) { break }
      }
      try client.finish()
      if number % 20 == 0 {
        #expect(try bystander.ask(ApiVersionsRequest(), version: 0).errorCode == .none, "after \(number) connections")
      }
    }
    #expect(running.broker.metrics.requests.value > Self.connectionsOfASeed, "most were read")
    #expect(try bystander.ask(MetadataRequest(), version: 12).clusterID == running.broker.clusterID)
    return running.broker.image
  }
}
