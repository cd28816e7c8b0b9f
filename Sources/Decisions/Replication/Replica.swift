// One broker's copy of one partition: whom it copies from, or who copies from it; what of it is committed; and when a
// producer may be told so. The log, the network, the clock and the controller are outside: inputs say what happened,
// effects say what to do, in an order that is part of the contract.

public import Vocabulary

public struct Replica: Sendable {
  /// What this copy does, with only what is true while it does it.
  public enum Role: Sendable {
    /// Nobody to copy from and nothing to lead: no metadata yet, no leader, not a member, or a newer leader epoch was
    /// heard of than the metadata has told.
    case waiting
    case leader(Leadership)
    /// Copies to be in sync.
    case follower(Following)
    /// Copies, and is not counted.
    case observer(Following)
  }

  public let id: NodeID
  /// This life of the broker.
  public let brokerEpoch: BrokerEpoch
  public internal(set) var log: LogSummary
  public internal(set) var settings: ReplicationSettings
  public internal(set) var role = Role.waiting
  /// The newest leader epoch that was heard of, from whomever.
  public internal(set) var leaderEpoch: LeaderEpoch
  public internal(set) var partitionEpoch = PartitionEpoch.none
  var brokers: [NodeID: BrokerStatus] = [:]
  private var fetches: UInt64 = 0

  /// As it comes up: it knows what recovery found and nothing else.
  public init(id: NodeID, brokerEpoch: BrokerEpoch, recovered log: LogSummary, settings: ReplicationSettings) {
    self.id = id
    self.brokerEpoch = brokerEpoch
    self.log = log
    self.settings = settings
    leaderEpoch = log.epochs.latest
  }

  public mutating func handle(_ input: Input, at now: Instant, into effects: inout [Effect]) {
    switch input {
    case .assigned(let state): adopt(state, at: now, into: &effects)
    case .brokersChanged(let statuses):
      for status in statuses { brokers[status.node] = status }
      whileLeading(at: now, into: &effects) { lead, scene in lead.reconsider(&scene) }
    case .appended(let write): appended(write, at: now, into: &effects)
    case .mirrored(let epochs, let end): mirrored(epochs, upTo: end, at: now, into: &effects)
    case .mirrorRestarted(let start): mirrorRestarted(at: start, at: now, into: &effects)
    case .fetchRequested(let request): fetchRequested(request, at: now, into: &effects)
    case .fetchAnswered(let id, let outcome): fetchAnswered(id, outcome, at: now, into: &effects)
    case .proposalAnswered(let id, let answer): proposalAnswered(id, answer, at: now, into: &effects)
    case .logStartMoved(let start): logStartMoved(to: start)
    case .settingsChanged(let settings): self.settings = settings
    case .controllerSilent:
      whileLeading(at: now, into: &effects) { lead, scene in lead.sendWritersAway(&scene) }
    case .tick:
      whileLeading(at: now, into: &effects) { lead, scene in lead.tick(&scene) }
      whileFollowing { copy, replica in replica.tick(&copy, at: now, into: &effects) }
    }
    precondition(log.start <= log.highWatermark && log.highWatermark <= log.end, "the high watermark left the log")
  }

  // MARK: Roles

  private mutating func adopt(_ state: PartitionState, at now: Instant, into effects: inout [Effect]) {
    guard state.partitionEpoch > partitionEpoch else { return }
    partitionEpoch = state.partitionEpoch
    // Somebody has heard of a newer leader already: this one is history, and there is more metadata to come.
    guard state.leaderEpoch >= leaderEpoch else { return }
    let isNewEpoch = state.leaderEpoch > leaderEpoch
    leaderEpoch = state.leaderEpoch
    guard let member = state.member(id), case .elected(let leader, let life) = state.leader else {
      return standDown(into: &effects)
    }
    if leader == id {
      lead(state, life, isNewEpoch: isNewEpoch, at: now, into: &effects)
    } else {
      follow(leader, as: member.kind, isNewEpoch: isNewEpoch, at: now, into: &effects)
    }
  }

  private mutating func lead(
    _ state: PartitionState, _ life: BrokerEpoch, isNewEpoch: Bool, at now: Instant, into effects: inout [Effect]
  ) {
    switch role {
    case .leader where !isNewEpoch:
      whileLeading(at: now, into: &effects) { lead, scene in lead.adopt(state, &scene) }
    case .leader, .follower, .observer, .waiting:
      standDown(into: &effects)
      // An earlier life was elected, or led this epoch already: its records may be with the others and lost here, and
      // one epoch must not write an offset twice. The controller has to give a new epoch. The only copy goes on in its
      // epoch: the controller raises it when something may have been lost, and nobody else has anything.
      let isOnlyCopy = state.members.count == 1
      guard life == brokerEpoch,
        isOnlyCopy ? log.epochs.latest <= state.leaderEpoch : log.epochs.latest < state.leaderEpoch
      else { return }
      if settings.planted != .startsNoEpoch || log.epochs.latest == .none {
        log.epochs.begin(state.leaderEpoch, at: log.end)
      }
      role = .leader(Leadership(state, of: id, logEnd: log.end, at: now))
      whileLeading(at: now, into: &effects) { lead, scene in lead.reconsider(&scene) }
    }
  }

  private mutating func follow(
    _ leader: NodeID, as kind: Member.Kind, isNewEpoch: Bool, at now: Instant, into effects: inout [Effect]
  ) {
    let copying: Following
    switch role {
    case .follower(let copy) where !isNewEpoch && copy.leader == leader: copying = copy
    case .observer(let copy) where !isNewEpoch && copy.leader == leader: copying = copy
    case .leader, .follower, .observer, .waiting:
      standDown(into: &effects)
      copying = Following(leader: leader, epoch: leaderEpoch)
    }
    switch kind {
    case .sync: role = .follower(copying)
    case .observer: role = .observer(copying)
    }
    whileFollowing { copy, replica in replica.tick(&copy, at: now, into: &effects) }
  }

  /// Whoever waits for this leader is told to look for another one.
  mutating func standDown(into effects: inout [Effect]) {
    if case .leader(let lead) = role {
      for write in lead.writes { effects.append(.answerWrite(write.id, .refused(.notLeaderOrFollower))) }
      // An epoch that wrote nothing leaves no trace: what comes at this place may be of an older one.
      log.epochs.truncate(to: log.end)
    }
    role = .waiting
  }

  /// A newer epoch was heard of from a broker: what we may decide as a leader is over, whatever the metadata says yet.
  mutating func heard(of epoch: LeaderEpoch, into effects: inout [Effect]) {
    guard epoch > leaderEpoch else { return }
    leaderEpoch = epoch
    standDown(into: &effects)
  }

  mutating func nextFetchID() -> FetchID {
    fetches += 1
    return FetchID(fetches)
  }

  /// Lends the leader what it decides about, and takes it back.
  mutating func whileLeading(
    at now: Instant, into effects: inout [Effect], _ body: (inout Leadership, inout LeaderScene) -> Void
  ) {
    guard case .leader(var lead) = role else { return }
    role = .waiting
    var scene = LeaderScene(log: log, settings: settings, brokers: brokers, now: now, effects: effects)
    effects = []
    body(&lead, &scene)
    log = scene.log
    effects = scene.effects
    partitionEpoch = max(partitionEpoch, lead.partitionEpoch)
    role = .leader(lead)
  }

  mutating func whileFollowing(_ body: (inout Following, inout Replica) -> Void) {
    switch role {
    case .follower(var copy):
      body(&copy, &self)
      if case .follower = role { role = .follower(copy) }
    case .observer(var copy):
      body(&copy, &self)
      if case .observer = role { role = .observer(copy) }
    case .leader, .waiting: return
    }
  }

  private mutating func logStartMoved(to start: Offset) {
    guard start > log.start else { return }
    log.start = min(start, log.highWatermark)
    log.epochs.removeBefore(log.start)
  }
}

/// What a leader sees and changes while it decides.
struct LeaderScene {
  var log: LogSummary
  let settings: ReplicationSettings
  let brokers: [NodeID: BrokerStatus]
  let now: Instant
  var effects: [Effect]
}
