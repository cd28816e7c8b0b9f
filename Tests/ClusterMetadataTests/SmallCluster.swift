import ClusterMetadata
import Testing
import Vocabulary

/// Brokers in Regions that register, serve and fail, for tests that tell one story.
struct SmallCluster {
  var image = MetadataImage()
  static let topicID = UniqueID(high: 7, low: 0)

  /// Brokers get the ids 1, 2, 3 … in the order of their racks.
  init(_ racks: [String?]) {
    for (index, rack) in racks.enumerated() { start(Int32(index + 1), rack: rack) }
  }

  static func registration(_ id: Int32, rack: String?, incarnation: UInt64 = 1) -> BrokerRegistration {
    BrokerRegistration(
      id: NodeID(id), epoch: 0, incarnation: UniqueID(high: UInt64(bitPattern: Int64(id)), low: incarnation),
      endpoints: [], rack: rack,
      isFenced: true,
      logDirectories: [UniqueID(high: 100, low: UInt64(id.magnitude)), UniqueID(high: 101, low: UInt64(id.magnitude))])
  }

  mutating func start(_ id: Int32, rack: String?, after end: PreviousEnd = .clean, incarnation: UInt64 = 1) {
    apply(image.admit(Self.registration(id, rack: rack, incarnation: incarnation), after: end, session: .ended).records)
    beat(id, .serve)
  }

  mutating func apply(_ records: [MetadataRecord]) { image.replay(all: records) }

  @discardableResult
  mutating func beat(
    _ id: Int32, _ wish: BrokerHeartbeat.Wish, othersKnow: Bool = false
  ) -> HeartbeatAnswer? {
    let decision = image.heartbeat(
      BrokerHeartbeat(
        broker: NodeID(id), epoch: image.brokers[NodeID(id)]?.epoch ?? -1, wish: wish, hasReadItsRegistration: true,
        othersKnowItStops: othersKnow))
    apply(decision.records)
    return try? decision.answer.get()
  }

  mutating func fence(_ ids: Int32...) { for id in ids { apply(image.fence(NodeID(id))) } }

  /// One topic "t" with one partition on these brokers.
  mutating func topic(on replicas: [Int32], _ configs: [String: String] = [:]) throws {
    let decision = image.create(
      TopicCreation(
        name: "t", layout: .assigned([0: replicas.map { NodeID($0) }]),
        configs: configs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, id: Self.topicID),
      defaults: TopicDefaults(partitions: 1, replicationFactor: 1))
    _ = try decision.answer.get()
    apply(decision.records)
  }

  func create(
    partitions: Int32, factor: Int16? = nil, _ configs: [String: String], id: UInt64 = 0
  ) -> Decision<Result<CreatedTopic, Refusal>> {
    image.create(
      TopicCreation(
        name: "t", layout: .counted(partitions: partitions, replicationFactor: factor),
        configs: configs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, id: UniqueID(high: 7, low: id)),
      defaults: TopicDefaults(partitions: 1, replicationFactor: 3))
  }

  var partitions: [PartitionState] { image.topicsByName.first?.partitions ?? [] }
  var partition: PartitionState { partitions[0] }
  var leader: Int32 { partition.leader.value }
  var inSync: [Int32] { partition.inSync.map(\.value).sorted() }
  var eligible: [Int32] { partition.eligible.map(\.value).sorted() }
  func region(_ id: NodeID) -> String { image.brokers[id]?.location.region ?? "?" }

  /// The broker says that its replica lies in its first directory.
  mutating func assignFirstDirectory(on id: Int32) {
    guard let broker = image.brokers[NodeID(id)], let directory = broker.logDirectories.first else { return }
    apply(
      image.assign(
        directory, toReplicaOf: PartitionIndex(0), topic: Self.topicID, on: broker.id, epoch: broker.epoch
      ).records)
  }

  func propose(
    _ members: [Int32], leaderEpoch: Int32? = nil, partitionEpoch: Int32? = nil, epochs: [Int32: Int64] = [:],
    recovery: LeaderRecovery = .recovered
  ) -> Decision<Result<PartitionState, Refusal>> {
    let partition = partition
    return image.alterInSync(
      InSyncProposal(
        topic: Self.topicID, partition: PartitionIndex(0),
        leaderEpoch: leaderEpoch.map { LeaderEpoch($0) } ?? partition.leaderEpoch,
        partitionEpoch: partitionEpoch ?? partition.partitionEpoch,
        members: members.map { .init(NodeID($0), epoch: epochs[$0] ?? image.brokers[NodeID($0)]?.epoch) },
        recovery: recovery), by: partition.leader, epoch: image.brokers[partition.leader]?.epoch ?? -1)
  }

  mutating func agree(_ members: [Int32]) throws {
    let decision = propose(members)
    _ = try decision.answer.get()
    apply(decision.records)
  }
}
