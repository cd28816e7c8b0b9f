import Replication
import Vocabulary

/// A replica on a stage of its own: the test is the controller, the network and the clock.
struct Stage {
  var replica: Replica
  var now: Int64 = 0
  var members: [Member]
  var state: PartitionState
  private var fetches: UInt64 = 0
  private var writes: UInt64 = 0

  static let lagMax: Int64 = 1000

  /// Broker 0 of three, in Regions a, b and c unless told otherwise; everybody is in sync and in its first life.
  init(
    _ minimum: Minimum = Minimum(replicas: 2, regions: 1), log: LogSummary = Stage.log(upTo: 0),
    members: [Member] = Stage.threeRegions, inSync: NodeSet? = nil, planted: PlantedBug? = nil
  ) {
    var settings = ReplicationSettings(minimum: minimum)
    settings.lagMax = .milliseconds(Self.lagMax)
    settings.planted = planted
    replica = Replica(id: NodeID(0), brokerEpoch: BrokerEpoch(1), recovered: log, settings: settings)
    self.members = members
    let all = NodeSet(members.filter { $0.kind == .sync }.map(\.node))
    state = PartitionState(
      leader: .none, leaderEpoch: LeaderEpoch(0), partitionEpoch: PartitionEpoch(0), inSync: inSync ?? all,
      members: members)
    feed(.brokersChanged(members.map { BrokerStatus($0.node, epoch: BrokerEpoch(1), .active) }))
  }

  static let threeRegions = [
    Member(NodeID(0), in: Region("a")), Member(NodeID(1), in: Region("b")), Member(NodeID(2), in: Region("c")),
  ]

  static func log(upTo end: Int64, highWatermark: Int64 = 0, _ epochs: [(Int32, Int64)] = []) -> LogSummary {
    LogSummary(
      start: .zero, end: Offset(end), highWatermark: Offset(highWatermark),
      epochs: EpochHistory(epochs.map { EpochStart(LeaderEpoch($0), at: Offset($1)) }))
  }

  @discardableResult mutating func feed(_ input: Input) -> [Effect] {
    var effects: [Effect] = []
    replica.handle(input, at: Instant(nanoseconds: now * 1_000_000), into: &effects)
    return effects
  }

  /// The controller has made a broker the leader.
  @discardableResult mutating func elect(_ leader: Int32, epoch: Int32, life: Int64 = 1) -> [Effect] {
    state.leader = .elected(NodeID(leader), BrokerEpoch(life))
    state.leaderEpoch = LeaderEpoch(epoch)
    return change(inSync: state.inSync)
  }

  /// The controller has changed who is in sync.
  @discardableResult mutating func change(inSync: NodeSet) -> [Effect] {
    state.inSync = inSync
    state.partitionEpoch = PartitionEpoch(max(state.partitionEpoch, replica.partitionEpoch).value + 1)
    return feed(.assigned(state))
  }

  @discardableResult mutating func write(upTo end: Int64, _ acks: Acks = .allInSync) -> [Effect] {
    writes += 1
    return feed(
      .appended(
        Write(WriteID(writes), acks, upTo: Offset(end), deadline: Instant(nanoseconds: (now + 30_000) * 1_000_000))))
  }

  /// A follower asks the leader.
  @discardableResult mutating func fetch(
    _ node: Int32, at offset: Int64, last: Int32? = nil, epoch: Int32? = nil, life: Int64 = 1
  ) -> [Effect] {
    fetches += 1
    let lastEpoch = last.map { LeaderEpoch($0) } ?? (offset == 0 ? .none : replica.leaderEpoch)
    return feed(
      .fetchRequested(
        FetchRequest(
          id: FetchID(fetches), from: NodeID(node), brokerEpoch: BrokerEpoch(life),
          leaderEpoch: epoch.map { LeaderEpoch($0) } ?? replica.leaderEpoch, offset: Offset(offset),
          lastEpoch: lastEpoch, logStart: .zero)))
  }

  mutating func confirm(_ proposal: Proposal) -> [Effect] {
    feed(
      .proposalAnswered(
        proposal.id,
        .confirmed(
          leaderEpoch: proposal.leaderEpoch, partitionEpoch: PartitionEpoch(proposal.partitionEpoch.value + 1),
          inSync: proposal.inSync)))
  }

  /// The fetch that the replica waits for is answered.
  mutating func answer(_ outcome: FetchOutcome) -> [Effect] {
    guard let id = underway else { return [] }
    return feed(.fetchAnswered(id, outcome))
  }

  var underway: FetchID? {
    switch replica.role {
    case .follower(let copy), .observer(let copy):
      if case .underway(let id, _) = copy.fetching { return id }
      return nil
    case .leader, .waiting: return nil
    }
  }

  var mark: Int64 { replica.log.highWatermark.value }
  var committed: NodeSet? {
    if case .leader(let lead) = replica.role { return lead.committed }
    return nil
  }
}

extension [Effect] {
  var proposals: [Proposal] { compactMap { if case .propose(let proposal) = $0 { proposal } else { nil } } }
  var writes: [WriteAnswer] { compactMap { if case .answerWrite(_, let answer) = $0 { answer } else { nil } } }
  var answers: [FetchAnswer] { compactMap { if case .answerFetch(_, let answer) = $0 { answer } else { nil } } }
  var fetches: [FetchRequest] { compactMap { if case .fetch(_, let request) = $0 { request } else { nil } } }
}
