import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Testing
import Vocabulary

@testable import Broker

/// What a follower asks its leader for while its limit is reached (KIP-73).
@Suite struct ThrottledFetcherTests {
  private let workshop: Workshop
  private let throttle = ReplicationThrottle()
  private let requests = Events<Asked>()
  private let fetchers: ReplicaFetchers
  /// Partition 0 is catching up under the limit, 1 is not.
  private let partitions: [Partition]

  private struct Asked: Sendable {
    let request: KafkaProtocol.FetchRequest
    let answer: @Sendable (FetchedFrame?) -> Void

    var partitions: [Int32] { request.topics.flatMap(\.partitions).map(\.partition) }
    var forgotten: [Int32] { request.forgottenTopicsData.flatMap(\.partitions) }

    /// Nothing has come.
    func answerNothing() {
      var response = FetchResponse()
      response.sessionID = 7
      answer(FetchedFrame(response: response, frame: [], bodyStart: 0))
    }
  }

  init() throws {
    // One thread: what it is given is done in that order.
    let workshop = try Workshop(threads: 1)
    self.workshop = workshop
    let requests = requests
    var copying = CopySettings()
    copying.wait = .seconds(3600)
    fetchers = ReplicaFetchers(
      ReplicaFetchers.World(
        node: Workshop.node, brokerEpoch: BrokerEpoch(1), settings: copying, loop: workshop.loop,
        pool: workshop.pool, throttle: throttle
      ) { _, request, then in requests.add(Asked(request: request, answer: then)) })
    let settings = TopicSettings(
      ["follower.replication.throttled.replicas": "0:1"], inherited: ConfigResolution(fixed: [:]),
      producerExpiry: .seconds(86_400))
    let topic = try #require(TopicName("t"))
    partitions = try [Int32(0), 1].map { index in
      let log = try PartitionLog.open(
        disk: workshop.disk, openFiles: OpenFiles(limit: 64), directory: "data/t-\(index)",
        topicPartition: TopicPartition(topic, PartitionIndex(index)), topicID: Workshop.topicID,
        settings: LogSettings(), recovery: .clean, now: Timestamp(milliseconds: 1000))
      let partition = Partition(
        log: log, checkpointed: .zero, settings: settings,
        world: ReplicaWorld(node: Workshop.node, brokerEpoch: BrokerEpoch(1)), pool: workshop.pool)
      partition.assign(
        Replication.PartitionState(
          leader: .elected(NodeID(2), BrokerEpoch(2)), leaderEpoch: LeaderEpoch(1), partitionEpoch: PartitionEpoch(1),
          inSync: [NodeID(2)], members: [Member(NodeID(2), in: Region("")), Member(Workshop.node, in: Region(""))]),
        brokers: [])
      return partition
    }
    #expect(partitions.map(\.copiesThrottled) == [true, false])
  }

  private func want(_ index: Int) {
    let ask = Replication.FetchRequest(
      id: FetchID(1), from: Workshop.node, brokerEpoch: BrokerEpoch(1), leaderEpoch: LeaderEpoch(1), offset: .zero,
      lastEpoch: .none, logStart: .zero)
    fetchers.fetch(FetchOrder(partition: partitions[index], leader: NodeID(2), ask: ask, generation: 0))
  }

  /// Returns when the fetcher has done what it was about to do.
  private func settle() throws {
    let done = Events<Void>()
    workshop.pool.run { done.add(()) }
    try done.next()
  }

  @Test func whatIsHeldBackIsAskedForWhenTheLimitIsChanged() throws {
    #expect(throttle.set(rate: 0))
    want(0)
    try settle()
    #expect(requests.count == 0)
    fetchers.lookAgain()
    try settle()
    #expect(requests.count == 0, "nothing has changed")
    #expect(throttle.set(rate: nil))
    fetchers.lookAgain()
    #expect(try requests.next().partitions == [0])
  }

  @Test func whatIsHeldBackIsAskedForWhenItsTimeHasCome() throws {
    _ = throttle.set(rate: 1_000_000)
    throttle.take(1_200_000, at: monotonicNow())
    let ready = throttle.ready(at: monotonicNow())
    want(0)
    #expect(try requests.next().partitions == [0])
    #expect(monotonicNow() >= ready)
  }

  @Test func aLeaderForgetsWhatIsHeldBackAndIsAskedForTheRest() throws {
    want(0)
    let first = try requests.next()
    #expect(first.partitions == [0])
    #expect(first.request.maxWaitMs == 3_600_000)
    want(1)
    _ = throttle.set(rate: 1_000_000)
    throttle.take(61_000_000, at: monotonicNow())
    first.answerNothing()
    let second = try requests.next()
    #expect(second.partitions == [1])
    #expect(second.forgotten == [0])
    #expect(second.request.maxWaitMs <= 60_000, "what is held back does not wait for the other")
    #expect(throttle.set(rate: nil))
    second.answerNothing()
    let third = try requests.next()
    #expect(third.partitions == [0])
    #expect(third.forgotten == [])
  }
}
