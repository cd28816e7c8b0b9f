import Vocabulary

/// What a replica is in its epoch. Epoch, vote and leader are durable and stand in `ElectionRecord`; here is what a
/// restart may forget.
enum Role {
  /// No leader is known, and no vote was given. An observer's deadline is `.never`.
  case unattached(electionDeadline: Instant)
  /// A vote was given to somebody else, who has not won yet.
  case voted(electionDeadline: Instant)
  /// Asks whether an election would be won, before it disturbs anybody with a new epoch (KIP-996).
  case prospective(Campaign)
  case candidate(Campaign)
  case leader(Leadership)
  case follower(Following)
  /// Led in this epoch, and does so no longer.
  case resigned(Resignation)
}

/// Who has answered to a request for votes.
struct Campaign {
  var granted: [NodeID]
  var denied: [NodeID] = []
  var deadline: Instant
  /// Elections lost in a row: each doubles what is waited at most.
  let losses: Int
  var isBackingOff = false

  func isWon(among voters: VoterSet) -> Bool {
    granted.count { voters.contains($0) } >= voters.majority
  }
  func isLost(among voters: VoterSet) -> Bool {
    voters.count - denied.count { voters.contains($0) } < voters.majority
  }
  mutating func record(_ ballot: Ballot, by voter: NodeID) {
    granted.removeAll { $0 == voter }
    denied.removeAll { $0 == voter }
    switch ballot {
    case .granted: granted.append(voter)
    case .denied: denied.append(voter)
    }
  }
}

struct Following {
  /// What came of the last Fetches. A follower that is in touch with its leader, or was a moment ago, gives no pre-vote to
  /// anybody else.
  enum Contact { case none, fetched, missedOnce }
  let leader: NodeID
  var fetchDeadline: Instant
  /// An observer whose deadline has passed: it cannot stand for election, so that it asks everybody it knows.
  var isOutOfTouch = false
  var contact = Contact.none
  var nextUpdate: Instant
  var snapshot: Download?
}

/// A snapshot on its way from the leader.
struct Download {
  enum Phase { case fetching, checking }
  let id: SnapshotID
  var position = ByteCount.zero
  var phase = Phase.fetching
}

struct Resignation {
  let successors: [ReplicaKey]
  var acknowledged: [NodeID] = []
  let deadline: Instant
}

struct Leadership {
  let epoch: LeaderEpoch
  /// The offset of the LeaderChange record.
  let start: Offset
  var progress: [Progress] = []
  /// Voters that have fetched since `quorumDeadline` was last moved.
  var fetched: [NodeID] = []
  var quorumDeadline: Instant
  var nextBegin: Instant
  var parked: [Parked] = []
  var change: PendingChange?
  /// The set of the epoch's start, for a bug that tests plant.
  let votersAtStart: VoterSet

  func progress(of key: ReplicaKey) -> Progress? { progress.first { $0.key == key } }
}

/// How far a replica's durable log reaches, as its Fetch requests tell.
struct Progress {
  let key: ReplicaKey
  var end: Offset
  var lastFetch: Instant
  /// When it last had everything.
  var caughtUp: Instant?
}

/// A Fetch that waits for records.
struct Parked {
  let token: Token
  let request: FetchRequest
  let deadline: Instant
}

/// A change of the voters that is not committed yet (KIP-853): at most one at a time.
struct PendingChange {
  enum Kind { case add, remove }
  let kind: Kind
  let token: Token
  let offset: Offset
  let deadline: Instant
}
