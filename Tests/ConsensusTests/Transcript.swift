import Consensus
import SimulatedWorld
import Testing
import Vocabulary

/// One replica, what it is told, and what it does about it, as text: `>` before each input, its effects below.
///
/// Node n has the directory `a` until it gets another, and writes as `na`. Chance is the same at each step, so that an
/// election timeout of 1,000 ms always ends before 2,000 ms.
struct Transcript {
  var quorum: Quorum
  var now = Instant(nanoseconds: 0)
  var lines: [String] = []
  private var nextToken: UInt64 = 1

  init(
    _ node: Int32, voters: [Int32] = [1, 2, 3], election: ElectionRecord = ElectionRecord(), log: LogIndex? = nil,
    settings: QuorumSettings = QuorumSettings()
  ) {
    let index = log ?? LogIndex(voters: set(voters))
    quorum = Quorum(
      local: Voter(key(node)), settings: settings, election: election, log: index, at: now, chance: 0)
  }

  mutating func say(_ input: Input, after wait: Int64 = 0) {
    now = now + .milliseconds(wait)
    var effects: [Effect] = []
    quorum.handle(input, at: now, chance: 0, into: &effects)
    lines.append("> \(QuorumWords.text(input))")
    lines += effects.map { QuorumWords.text($0) }
  }

  mutating func ask(_ request: Request, after wait: Int64 = 0) {
    defer { nextToken += 1 }
    say(.request(request, Token(nextToken)), after: wait)
  }

  mutating func tell(_ answer: Answer, to id: UInt64, after wait: Int64 = 0) {
    say(.answer(answer, to: RequestID(id)), after: wait)
  }

  /// Everything since the last call has to be this.
  mutating func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let said = lines.joined(separator: "\n")
    lines = []
    #expect(said == text, sourceLocation: sourceLocation)
  }

  mutating func forget() { lines = [] }

  // MARK: Ways to a role

  /// Wins the election of the next epoch with the votes of the others, and has its first records durable.
  mutating func win() {
    say(.tick, after: 2000)
    answerAll { .vote(head($0.epoch), .granted) }
    answerAll { .vote(head($0.epoch), .granted) }
    say(.persisted(upTo: quorum.log.end, epoch: quorum.epoch))
    answerAll { .beginQuorumEpoch(head($0.epoch, leader: $0.local.key.id.value)) }
    forget()
  }

  private mutating func answerAll(_ answer: (Quorum) -> Answer) {
    let sent = lines.compactMap { line -> UInt64? in
      guard line.hasPrefix("send #") else { return nil }
      return UInt64(line.dropFirst(6).prefix { $0.isNumber })
    }
    lines = []
    for id in sent { tell(answer(quorum), to: id) }
  }

  mutating func follow(_ leader: Int32, in epoch: Int32) {
    ask(.beginQuorumEpoch(BeginQuorumEpoch(leader: NodeID(leader), epoch: LeaderEpoch(epoch), voter: quorum.local.key)))
    forget()
  }

  mutating func fetch(
    by node: Int32, _ offset: Int64, _ lastEpoch: Int32, epoch: Int32? = nil, maxWait: Int64 = 0, after wait: Int64 = 0
  ) {
    ask(
      .fetch(
        FetchRequest(
          replica: key(node), epoch: epoch.map { LeaderEpoch($0) } ?? quorum.epoch, offset: Offset(offset),
          lastFetchedEpoch: LeaderEpoch(lastEpoch), maxWait: .milliseconds(maxWait))), after: wait)
  }

  mutating func vote(
    _ kind: VoteRequest.Kind, for candidate: Int32, epoch: Int32, log end: Int64, _ lastEpoch: Int32,
    voter: ReplicaKey? = nil
  ) {
    ask(
      .vote(
        VoteRequest(
          kind, candidate: key(candidate), voter: voter ?? quorum.local.key, epoch: LeaderEpoch(epoch),
          lastEpoch: LeaderEpoch(lastEpoch), end: Offset(end))))
  }
}

func key(_ node: Int32, _ directory: UInt64 = 1) -> ReplicaKey {
  ReplicaKey(NodeID(node), UniqueID(high: 0, low: directory))
}
func set(_ nodes: [Int32]) -> VoterSet { VoterSet(nodes.map { Voter(key($0)) }) }

func head(_ epoch: LeaderEpoch, leader: Int32? = nil, _ error: ErrorCode = .none) -> AnswerHead {
  AnswerHead(error, epoch: epoch, leader: leader.map { NodeID($0) })
}
func head(_ epoch: Int32, leader: Int32? = nil, _ error: ErrorCode = .none) -> AnswerHead {
  head(LeaderEpoch(epoch), leader: leader, error)
}

/// A log with these epochs, from their first offsets on.
func log(_ epochs: [(Int32, Int64)], end: Int64, voters: [Int32] = [1, 2, 3]) -> LogIndex {
  LogIndex(
    epochs: epochs.map { EpochStart(epoch: LeaderEpoch($0.0), start: Offset($0.1)) }, end: Offset(end),
    voters: VoterSet(), entries: [VotersEntry(offset: Offset(1), voters: set(voters))])
}

func data(_ base: Int64, _ epoch: Int32, count: Int32 = 1) -> LogBatch {
  LogBatch(base: Offset(base), epoch: LeaderEpoch(epoch), count: count, content: .data(UInt64(base)))
}
func voters(_ base: Int64, _ epoch: Int32, _ nodes: [Int32]) -> LogBatch {
  LogBatch(base: Offset(base), epoch: LeaderEpoch(epoch), count: 1, content: .voters(set(nodes)))
}
