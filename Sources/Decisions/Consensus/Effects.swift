public import Vocabulary

/// What happens to a replica.
public enum Input: Hashable, Sendable {
  /// Time passed. Due at `Quorum.nextDeadline` at the latest.
  case tick
  case request(Request, Token)
  case answer(Answer, to: RequestID)
  /// No answer will come: the connection broke, or could not be made.
  case failed(RequestID)
  /// The local controller, which leads in this epoch, has records: each a name of its own and a number of offsets.
  case propose(epoch: LeaderEpoch, [Proposal])
  /// Everything before an offset is durable; the epoch is that of the last batch before it.
  case persisted(upTo: Offset, epoch: LeaderEpoch)
  /// A snapshot of committed records is durable. With `dropPrefix` the log before its end goes.
  case tookSnapshot(Snapshot, SnapshotUse)
  /// The file that `Effect.checkSnapshot` named is whole and durable, and these are the voters that it holds.
  case checkedSnapshot(Snapshot, voters: VoterSet)
  /// Hand the leadership over, because this process ends or for the sake of balance.
  case resign
}

public enum SnapshotUse: Hashable, Sendable { case keepPrefix, dropPrefix }

public struct Proposal: Hashable, Sendable {
  public let name: UInt64
  /// How many offsets it takes: 1 or more.
  public let count: Int32
  public init(name: UInt64, count: Int32) {
    self.name = name
    self.count = count
  }
}

/// What a replica must not forget: Kafka's `quorum-state` file.
public struct ElectionRecord: Hashable, Sendable {
  public var epoch: LeaderEpoch
  public var votedFor: ReplicaKey?
  public var leader: NodeID?
  public init(epoch: LeaderEpoch = LeaderEpoch(0), votedFor: ReplicaKey? = nil, leader: NodeID? = nil) {
    self.epoch = epoch
    self.votedFor = votedFor
    self.leader = leader
  }
}

/// What the caller does, one after the other in this order. `persist`, `truncate`, `installSnapshot` and `dropPrefix`
/// are durable before the next effect begins; `append` is only written, and `Input.persisted` tells when it is durable.
/// A caller that cannot do one of them stops the replica: nothing after it may happen.
public enum Effect: Hashable, Sendable {
  case persist(ElectionRecord)
  /// Write these batches at the end of the log, make them durable soon, and say so.
  case append([LogBatch])
  /// Remove every record from this offset on.
  case truncate(to: Offset)
  case send(Request, RequestID, to: NodeID)
  case answer(Answer, Token)
  /// This replica leads. Proposals are welcome, and the state is complete once the high watermark passes `start`.
  case becameLeader(LeaderEpoch, start: Offset)
  case lostLeadership(LeaderEpoch)
  /// The leader that this replica knows of is another one, or unknown.
  case leaderChanged(NodeID?, LeaderEpoch)
  /// Everything before this offset is committed, for ever.
  case highWatermark(Offset)
  /// The batches came too late: this replica does not lead in their epoch.
  case refuse([Proposal], ErrorCode)
  /// The bytes of a piece that just arrived belong into the file of a snapshot that is not in use yet.
  case writeSnapshot(Piece)
  /// All pieces are there: check the file, make it durable, and answer with `Input.checkedSnapshot`.
  case checkSnapshot(Snapshot)
  /// The snapshot takes the place of the whole log, which is empty from here on and begins at its end: in one step,
  /// so that a crash leaves either the old log or the new state.
  case installSnapshot(SnapshotID)
  /// Nobody needs the records before this offset any more: the newest snapshot has them.
  case dropPrefix(before: Offset)
  /// A peer said what cannot be; nothing was done.
  case report(Anomaly)
}

/// What can only come from a peer with a bug, a wrong configuration or a lost disk.
public enum Anomaly: Hashable, Sendable {
  case secondLeader(NodeID, LeaderEpoch)
  case truncationOfCommitted(Offset)
  case batchOutOfPlace(Offset)
}

/// Times and limits of a replica, with Kafka's keys and defaults.
public struct QuorumSettings: Hashable, Sendable {
  /// `controller.quorum.election.timeout.ms`; what is waited is this and up to as much again.
  public var electionTimeout = TimeSpan.milliseconds(1000)
  /// `controller.quorum.fetch.timeout.ms`
  public var fetchTimeout = TimeSpan.milliseconds(2000)
  /// `controller.quorum.election.backoff.max.ms`
  public var electionBackoffMax = TimeSpan.milliseconds(1000)
  /// `controller.quorum.request.timeout.ms`
  public var requestTimeout = TimeSpan.milliseconds(2000)
  /// `controller.quorum.retry.backoff.ms`
  public var retryBackoff = TimeSpan.milliseconds(20)
  /// How long a Fetch waits for records at the leader.
  public var fetchMaxWait = TimeSpan.milliseconds(500)
  /// One piece of a snapshot.
  public var pieceMax = ByteCount.mebibytes(8)
  /// An observer that has not been at the end of the log for so long cannot become a voter.
  public var caughtUpWithin = TimeSpan.seconds(3600)
  /// An observer that does not fetch for so long is forgotten.
  public var observerSession = TimeSpan.seconds(300)
  /// Observers that are followed, and Fetch requests that wait. More are served, but cannot become voters, and are
  /// answered at once.
  public var observersMax = 1000
  /// Whom a replica asks that knows of no leader, beside the voters.
  public var bootstrap: [NodeID] = []
  public init() {}
}
