import ClusterMetadata
import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

/// Who comes to the wrong broker is told where the right one is (KIP-951).
@Suite struct LeaderHintsTests {
  private let image: MetadataImage
  private let id = UniqueID(high: 3, low: 4)

  init() throws {
    var image = MetadataImage()
    for node: Int32 in [1, 2] {
      image.replay(
        .brokerRegistered(
          BrokerRegistration(
            id: NodeID(node), epoch: Int64(node), incarnation: id,
            endpoints: [
              Endpoint(name: "IN", host: "inside-\(node)", port: 1),
              Endpoint(name: "OUT", host: "out-\(node)", port: 2),
            ], rack: "r\(node)", isFenced: false, logDirectories: [])))
    }
    image.replay(.topicCreated(try #require(TopicName("t")), id))
    for (index, leader) in [Int32(1), 2, -1, 1].enumerated() {
      image.replay(
        .partitionCreated(
          topic: id, PartitionIndex(Int32(index)),
          ClusterMetadata.PartitionState(
            replicas: [NodeID(1), NodeID(2)], inSync: [NodeID(1)], leader: NodeID(leader),
            leaderEpoch: LeaderEpoch(7), partitionEpoch: 0, directories: [.zero, .zero])))
    }
    self.image = image
  }

  @Test func everyLeaderIsNamedOnceAtTheListenerOfTheClient() {
    let image = image
    var hints = LeaderHints(on: NodeID(3), image: { image }, listener: "OUT")
    #expect(hints.leader(of: 0, of: .name("t"), refusedWith: .notLeaderOrFollower).map { $0.id } == NodeID(1))
    #expect(hints.leader(of: 1, of: .id(id), refusedWith: .notLeaderOrFollower).map { $0.id } == NodeID(2))
    #expect(hints.leader(of: 3, of: .id(id), refusedWith: .notLeaderOrFollower).map { $0.epoch } == LeaderEpoch(7))
    #expect(hints.nodes.map(\.host) == ["out-1", "out-2"])
    #expect(hints.nodes.map(\.rack) == ["r1", "r2"])
  }

  @Test func whereNobodyLeadsNobodyIsNamed() {
    let image = image
    var hints = LeaderHints(on: NodeID(3), image: { image }, listener: "OUT")
    #expect(hints.leader(of: 2, of: .name("t"), refusedWith: .notLeaderOrFollower).map { $0.id } == NodeID.none)
    #expect(hints.leader(of: 9, of: .name("t"), refusedWith: .notLeaderOrFollower) == nil)
    #expect(hints.leader(of: 0, of: .name("other"), refusedWith: .notLeaderOrFollower) == nil)
    #expect(hints.nodes.isEmpty)
  }

  /// It would ask here again, and be told the same.
  @Test func whoeverSaysThatItDoesNotLeadDoesNotNameItself() {
    let image = image
    var hints = LeaderHints(on: NodeID(1), image: { image }, listener: "OUT")
    #expect(hints.leader(of: 0, of: .name("t"), refusedWith: .notLeaderOrFollower) == nil)
    #expect(hints.nodes.isEmpty)
    #expect(hints.leader(of: 0, of: .name("t"), refusedWith: .fencedLeaderEpoch).map { $0.id } == NodeID(1))
    #expect(hints.leader(of: 1, of: .name("t"), refusedWith: .notEnoughReplicas) == nil)
  }
}
