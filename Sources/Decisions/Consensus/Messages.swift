public import Vocabulary

/// Names a request of ours until its answer comes. It begins again with every start of the process.
public struct RequestID: Hashable, Comparable, Sendable {
  public let value: UInt64
  public init(_ value: UInt64) { self.value = value }
  public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// The caller's name for somebody who waits for an answer.
public struct Token: Hashable, Sendable {
  public let value: UInt64
  public init(_ value: UInt64) { self.value = value }
}

/// What replicas and administrators ask. The cluster's id and the topic were checked by the caller.
public enum Request: Hashable, Sendable {
  case vote(VoteRequest)
  case beginQuorumEpoch(BeginQuorumEpoch)
  case endQuorumEpoch(EndQuorumEpoch)
  case fetch(FetchRequest)
  case fetchSnapshot(FetchSnapshotRequest)
  case updateVoter(UpdateVoter)
  case addVoter(Voter)
  case removeVoter(ReplicaKey)
}

/// Vote (KIP-595), with who is meant (KIP-853) and whether it counts (KIP-996).
public struct VoteRequest: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Asks whether a vote would be given; it changes nothing on either side.
    case preVote
    case vote
  }
  public var kind: Kind
  public var candidate: ReplicaKey
  public var voter: ReplicaKey
  public var epoch: LeaderEpoch
  /// The epoch of the candidate's last durable record, and where its durable log ends.
  public var lastEpoch: LeaderEpoch
  public var end: Offset
  public init(
    _ kind: Kind, candidate: ReplicaKey, voter: ReplicaKey, epoch: LeaderEpoch, lastEpoch: LeaderEpoch, end: Offset
  ) {
    self.kind = kind
    self.candidate = candidate
    self.voter = voter
    self.epoch = epoch
    self.lastEpoch = lastEpoch
    self.end = end
  }
}

/// A new leader presents itself to a voter.
public struct BeginQuorumEpoch: Hashable, Sendable {
  public var leader: NodeID
  public var epoch: LeaderEpoch
  public var voter: ReplicaKey
  public init(leader: NodeID, epoch: LeaderEpoch, voter: ReplicaKey) {
    self.leader = leader
    self.epoch = epoch
    self.voter = voter
  }
}

/// A leader resigns, and says who should follow it: the longest log first.
public struct EndQuorumEpoch: Hashable, Sendable {
  public var leader: NodeID
  public var epoch: LeaderEpoch
  public var successors: [ReplicaKey]
  public init(leader: NodeID, epoch: LeaderEpoch, successors: [ReplicaKey]) {
    self.leader = leader
    self.epoch = epoch
    self.successors = successors
  }
}

/// Asks for what follows `offset`, and thereby says that everything before it is durable here.
public struct FetchRequest: Hashable, Sendable {
  public var replica: ReplicaKey
  public var epoch: LeaderEpoch
  public var offset: Offset
  public var lastFetchedEpoch: LeaderEpoch
  /// How long the leader may wait for records.
  public var maxWait: TimeSpan
  public init(
    replica: ReplicaKey, epoch: LeaderEpoch, offset: Offset, lastFetchedEpoch: LeaderEpoch, maxWait: TimeSpan
  ) {
    self.replica = replica
    self.epoch = epoch
    self.offset = offset
    self.lastFetchedEpoch = lastFetchedEpoch
    self.maxWait = maxWait
  }
}

/// Asks for the next piece of a snapshot (KIP-630).
public struct FetchSnapshotRequest: Hashable, Sendable {
  public var replica: ReplicaKey
  public var epoch: LeaderEpoch
  public var snapshot: SnapshotID
  public var position: ByteCount
  public init(replica: ReplicaKey, epoch: LeaderEpoch, snapshot: SnapshotID, position: ByteCount) {
    self.replica = replica
    self.epoch = epoch
    self.snapshot = snapshot
    self.position = position
  }
}

/// A voter tells the leader its new endpoints or directory (KIP-853).
public struct UpdateVoter: Hashable, Sendable {
  public var epoch: LeaderEpoch
  public var voter: Voter
  public init(epoch: LeaderEpoch, voter: Voter) {
    self.epoch = epoch
    self.voter = voter
  }
}

/// What every answer says beside its own matter.
public struct AnswerHead: Hashable, Sendable {
  public var error: ErrorCode
  public var epoch: LeaderEpoch
  public var leader: NodeID?
  public init(_ error: ErrorCode, epoch: LeaderEpoch, leader: NodeID?) {
    self.error = error
    self.epoch = epoch
    self.leader = leader
  }
}

public enum Answer: Hashable, Sendable {
  case vote(AnswerHead, Ballot)
  case beginQuorumEpoch(AnswerHead)
  case endQuorumEpoch(AnswerHead)
  case fetch(AnswerHead, highWatermark: Offset, Fetched)
  case fetchSnapshot(AnswerHead, Piece?)
  case updateVoter(AnswerHead)
  case addVoter(AnswerHead)
  case removeVoter(AnswerHead)

  public var head: AnswerHead {
    switch self {
    case .vote(let head, _), .beginQuorumEpoch(let head), .endQuorumEpoch(let head), .fetch(let head, _, _),
      .fetchSnapshot(let head, _), .updateVoter(let head), .addVoter(let head), .removeVoter(let head):
      head
    }
  }
}

public enum Ballot: Hashable, Sendable { case granted, denied }

/// What a Fetch brings.
public enum Fetched: Hashable, Sendable {
  case nothing
  /// In answers that we give: whole batches from here up to there, as many as the caller likes to send at once.
  case range(from: Offset, to: Offset)
  /// In answers that we get: the headers of the batches that came; control batches with their content.
  case batches([LogBatch])
  case diverging(EpochEnd)
  case snapshot(SnapshotID)
}

/// A piece of a snapshot.
public struct Piece: Hashable, Sendable {
  public var snapshot: SnapshotID
  /// Of the whole snapshot.
  public var size: ByteCount
  public var position: ByteCount
  public var count: ByteCount
  public init(snapshot: SnapshotID, size: ByteCount, position: ByteCount, count: ByteCount) {
    self.snapshot = snapshot
    self.size = size
    self.position = position
    self.count = count
  }
}
