import Replication
import Vocabulary

/// A controller that is right because it is one value: it elects from the in-sync set, or else from those who have
/// left it while it was too small to commit anything (KIP-966), and from nobody else.
struct ReplicatedController {
  struct Broker {
    var epoch: BrokerEpoch
    var availability: BrokerStatus.Availability
    var heardAt: Int64
  }
  private(set) var state: PartitionState
  /// Have all that is committed although they are not in sync.
  private(set) var eligible: NodeSet = []
  private(set) var brokers: [Broker]
  /// Rises with everything that the brokers are told.
  private(set) var version = 1
  /// Who was in sync at each partition epoch.
  private(set) var history: [NodeSet]
  private(set) var elections = 0
  private(set) var promotions = 0
  private(set) var complaint: String?
  private let minimum: Minimum
  private var lives: Int64

  init(_ shape: ReplicatedShape) {
    lives = Int64(shape.members.count)
    brokers = shape.members.map {
      Broker(epoch: BrokerEpoch(Int64($0.node.value) + 1), availability: .active, heardAt: 0)
    }
    minimum = shape.minimum
    let inSync = NodeSet(shape.members.filter { $0.kind == .sync }.map(\.node))
    state = PartitionState(
      leader: .elected(NodeID(0), BrokerEpoch(1)), leaderEpoch: LeaderEpoch(0), partitionEpoch: PartitionEpoch(0),
      inSync: inSync, members: shape.members)
    history = [inSync]
  }

  var statuses: [BrokerStatus] {
    brokers.enumerated().map { BrokerStatus(NodeID(Int32($0)), epoch: $1.epoch, $1.availability) }
  }
  /// Everybody who must have all that is committed.
  var complete: NodeSet { state.inSync.union(eligible) }

  /// A broker has come up. One that may have lost the end of its log is not believed to have what it had.
  mutating func register(_ node: NodeID, lostTail: Bool, at now: Int64) -> BrokerEpoch {
    lives += 1
    version += 1
    let epoch = BrokerEpoch(lives)
    brokers[Int(node.value)] = Broker(epoch: epoch, availability: .active, heardAt: now)
    if lostTail, complete.contains(node) {
      eligible = eligible.removing(node)
      change(to: state.inSync.removing(node), lost: [node])
    }
    switch state.leader {
    case .elected(node, _), .none: elect()
    case .elected: break
    }
    return epoch
  }

  mutating func hear(_ node: NodeID, _ epoch: BrokerEpoch, at now: Int64) {
    let index = Int(node.value)
    guard brokers[index].epoch == epoch else { return }
    brokers[index].heardAt = now
    guard brokers[index].availability == .fenced else { return }
    brokers[index].availability = .active
    version += 1
    if case .none = state.leader { elect() }
  }

  mutating func fenceTheSilent(at now: Int64, session: Int64) {
    for index in brokers.indices where brokers[index].availability == .active {
      guard now - brokers[index].heardAt > session else { continue }
      brokers[index].availability = .fenced
      version += 1
      let node = NodeID(Int32(index))
      if state.inSync.contains(node) { change(to: state.inSync.removing(node), lost: []) }
      if case .elected(node, _) = state.leader { elect() }
    }
  }

  /// Moves the leadership although nothing is wrong.
  mutating func moveLeader() { if case .elected = state.leader, candidates(state.inSync).count > 1 { elect() } }

  mutating func alter(_ proposal: Proposal) -> ProposalAnswer {
    guard proposal.leaderEpoch == state.leaderEpoch else { return .refused(.fencedLeaderEpoch) }
    guard proposal.partitionEpoch == state.partitionEpoch else { return .refused(.invalidUpdateVersion) }
    guard proposal.inSync.contains(proposal.leader) else { return .refused(.invalidRequest) }
    for node in proposal.inSync.nodes {
      if state.member(node)?.kind == .observer, !proposal.promoted.contains(node) {
        complaint = "observer \(node.value) was proposed as if it were a sync replica"
      }
    }
    for node in proposal.inSync.subtracting(state.inSync).nodes {
      let broker = brokers[Int(node.value)]
      guard broker.availability == .active, proposal.joining[node] == broker.epoch else {
        return .refused(.ineligibleReplica)
      }
      if proposal.promoted.contains(node) { promotions += 1 }
    }
    change(to: proposal.inSync, lost: [])
    return .confirmed(
      leaderEpoch: state.leaderEpoch, partitionEpoch: state.partitionEpoch, inSync: state.inSync)
  }

  private mutating func change(to inSync: NodeSet, lost: NodeSet) {
    eligible =
      minimum.isMet(by: inSync, of: state.members)
      ? [] : complete.subtracting(inSync).subtracting(lost)
    state.inSync = inSync
    state.partitionEpoch = PartitionEpoch(state.partitionEpoch.value + 1)
    history.append(inSync)
    version += 1
  }

  private func candidates(_ nodes: NodeSet) -> [NodeID] {
    nodes.nodes.filter { brokers[Int($0.value)].availability == .active }
  }

  private mutating func elect() {
    let inSync = candidates(state.inSync)
    let choice = inSync.isEmpty ? candidates(eligible) : inSync
    state.leaderEpoch = LeaderEpoch(state.leaderEpoch.value + 1)
    if choice.isEmpty {
      state.leader = .none
      change(to: state.inSync, lost: [])
      return
    }
    elections += 1
    let node = choice[Int(state.leaderEpoch.value) % choice.count]
    state.leader = .elected(node, brokers[Int(node.value)].epoch)
    change(to: state.inSync.adding(node), lost: [])
  }
}
