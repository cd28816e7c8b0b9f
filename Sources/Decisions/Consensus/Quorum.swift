public import Vocabulary

/// One replica of the metadata log: who leads, and what is committed. KRaft: Raft in which followers fetch (KIP-595),
/// with snapshots (KIP-630), voters that change (KIP-853) and a question before every election (KIP-996).
///
/// The obvious ways to lose records are to vote twice after a restart, to count what is not durable, to count what a
/// later leader may still remove, and to count by two ideas of who votes. Therefore votes are persisted before they are
/// sent; a follower fetches the next record only when the one before is durable, so that its fetch offset is its
/// acknowledgement; the high watermark moves only over a record of the leader's own epoch; and there is one voter set,
/// the last one in the log, of which only one may be uncommitted.
///
/// Pure: time and chance are arguments, and everything to be done comes back as effects, whose order is a contract
/// (see `Effect`).
public struct Quorum: Sendable {
  public let local: Voter
  public let settings: QuorumSettings
  public internal(set) var election: ElectionRecord
  public internal(set) var log: LogIndex
  /// Everything before it is committed. After a start it is known only as far as a snapshot reaches.
  public internal(set) var highWatermark: Offset
  var role: Role
  var requests = RequestTable()
  let planted: PlantedBug?

  /// A replica after a start, from what was read back.
  public init(
    local: Voter, settings: QuorumSettings, election: ElectionRecord, log: LogIndex, at now: Instant, chance: UInt64
  ) {
    self.init(
      local: local, settings: settings, election: election, log: log, at: now, chance: chance, planted: nil)
  }

  package init(
    local: Voter, settings: QuorumSettings, election: ElectionRecord, log: LogIndex, at now: Instant, chance: UInt64,
    planted: PlantedBug?
  ) {
    self.local = local
    self.settings = settings
    self.election = election
    self.log = log
    self.planted = planted
    highWatermark = log.snapshot?.id.end ?? log.start
    role = .unattached(electionDeadline: .never)
    var step = Step(now: now, chance: chance)
    role = roleAfterStart(&step)
  }

  /// Tells the replica what happened, and what it has to do in consequence.
  /// - Parameter chance: 64 bits that nobody can guess, other ones each time.
  public mutating func handle(_ input: Input, at now: Instant, chance: UInt64, into effects: inout [Effect]) {
    var step = Step(now: now, chance: chance)
    requests.expire(at: now, retryAfter: settings.retryBackoff)
    switch input {
    case .tick: break
    case .request(let request, let token): receive(request, token, &step)
    case .answer(let answer, let id): receive(answer, to: id, &step)
    case .failed(let id):
      guard let entry = requests.fail(id, retryAt: now + settings.retryBackoff) else { break }
      missed(entry, &step)
    case .propose(let epoch, let proposals): propose(proposals, in: epoch, &step)
    case .persisted(let end, let epoch):
      log.persisted(upTo: end, epoch: epoch)
      advanceHighWatermark(&step)
    case .tookSnapshot(let snapshot, let use): took(snapshot, use, &step)
    case .checkedSnapshot(let snapshot, let voters): install(snapshot, voters: voters, &step)
    case .resign: if case .leader = role { resign(&step) }
    }
    poll(&step)
    effects += step.effects
  }

  public var isVoter: Bool { log.voters.contains(local.key) }
  public var isLeader: Bool { if case .leader = role { true } else { false } }
  /// Nil also while the leader is this replica and it has resigned.
  public var leader: NodeID? {
    if case .resigned = role { return nil }
    return election.leader
  }
  public var epoch: LeaderEpoch { election.epoch }
  /// The role's name in Kafka's metrics (`current-state`).
  public var roleName: String {
    switch role {
    case .unattached: isVoter ? "unattached" : "observer"
    case .voted: "voted"
    case .prospective: "prospective"
    case .candidate: "candidate"
    case .leader: "leader"
    case .follower: isVoter ? "follower" : "observer"
    case .resigned: "resigned"
    }
  }

  private func roleAfterStart(_ step: inout Step) -> Role {
    guard let leader = election.leader else {
      let deadline = log.voters.count == 1 && isVoter ? step.now : electionDeadline(&step)
      return election.votedFor == nil ? .unattached(electionDeadline: deadline) : .voted(electionDeadline: deadline)
    }
    // What this replica had appended as the leader may be lost, so that it must not lead in the same epoch again.
    if leader == local.key.id {
      let alone = log.voters.count == 1 && isVoter
      return .resigned(Resignation(successors: [], deadline: alone ? step.now : anyElectionDeadline(&step)))
    }
    return .follower(following(leader, &step))
  }

  func electionDeadline(_ step: inout Step) -> Instant {
    isVoter ? anyElectionDeadline(&step) : .never
  }

  /// Of voters and observers alike: who has resigned waits for its end whether it still votes or not.
  func anyElectionDeadline(_ step: inout Step) -> Instant {
    step.now + settings.electionTimeout + step.part(of: settings.electionTimeout)
  }

  func following(_ leader: NodeID, _ step: inout Step) -> Following {
    Following(
      leader: leader, fetchDeadline: step.now + settings.fetchTimeout, nextUpdate: step.now + settings.fetchTimeout)
  }
}

/// One input being worked on.
struct Step {
  let now: Instant
  var effects: [Effect] = []
  private var chance: UInt64

  init(now: Instant, chance: UInt64) {
    self.now = now
    self.chance = chance
  }

  /// Of two records in a row only the later one is worth a write: nothing was done between them.
  mutating func persist(_ record: ElectionRecord) {
    if case .persist = effects.last { effects.removeLast() }
    effects.append(.persist(record))
  }

  /// A number below a limit of 1 or more. One draw of the caller's is stretched to as many as are needed (SplitMix64).
  mutating func draw(below limit: UInt64) -> UInt64 {
    chance &+= 0x9e37_79b9_7f4a_7c15
    var z = chance
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return (z ^ (z >> 31)) % limit
  }

  /// From nothing to just below the whole.
  mutating func part(of span: TimeSpan) -> TimeSpan {
    guard span > .zero else { return .zero }
    return TimeSpan(nanoseconds: Int64(draw(below: UInt64(span.nanoseconds))))
  }
}
