public import Vocabulary

/// When a producer wants its answer.
public enum Acks: Hashable, Sendable {
  /// `acks=1`, and `acks=0`, whose answer is not sent.
  case leader
  /// `acks=all`.
  case allInSync
}

/// An append that is in the leader's log, and for whose answer somebody waits.
public struct Write: Hashable, Sendable {
  public let id: WriteID
  public let acks: Acks
  /// The offset after the last record.
  public let end: Offset
  /// After it the producer is told REQUEST_TIMED_OUT.
  public let deadline: Instant
  public init(_ id: WriteID, _ acks: Acks, upTo end: Offset, deadline: Instant) {
    self.id = id
    self.acks = acks
    self.end = end
    self.deadline = deadline
  }
}

/// What a follower asks for.
public struct FetchRequest: Hashable, Sendable {
  public let id: FetchID
  public let from: NodeID
  public let brokerEpoch: BrokerEpoch
  /// The leader epoch that the follower believes in (KIP-320).
  public let leaderEpoch: LeaderEpoch
  /// The follower's log end.
  public let offset: Offset
  /// The epoch of the last record that it has; `.none` when its log is empty (KIP-595's divergence check).
  public let lastEpoch: LeaderEpoch
  public let logStart: Offset
  public init(
    id: FetchID, from: NodeID, brokerEpoch: BrokerEpoch, leaderEpoch: LeaderEpoch, offset: Offset,
    lastEpoch: LeaderEpoch, logStart: Offset
  ) {
    self.id = id
    self.from = from
    self.brokerEpoch = brokerEpoch
    self.leaderEpoch = leaderEpoch
    self.offset = offset
    self.lastEpoch = lastEpoch
    self.logStart = logStart
  }
}

/// What the leader says to a fetch.
public enum FetchAnswer: Hashable, Sendable {
  /// Records from the offset that was asked for, up to `end` at most (exclusive); maybe none.
  case records(upTo: Offset, highWatermark: Offset, logStart: Offset)
  /// The logs differ before the offset that was asked for: the largest epoch of the leader's that is not above the
  /// follower's, and its end.
  case diverging(EpochEnd)
  case outOfRange(logStart: Offset, logEnd: Offset)
  /// FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION.
  case refused(ErrorCode)
}

/// Records that came to a follower. The bytes are with the caller.
public struct Copied: Hashable, Sendable {
  public let start: Offset
  /// Exclusive; equals `start` when there was nothing new.
  public let end: Offset
  /// Which epochs wrote them; the first one begins at `start`.
  public let epochs: [EpochStart]
  public let highWatermark: Offset
  public let logStart: Offset
  public init(from start: Offset, upTo end: Offset, epochs: [EpochStart], highWatermark: Offset, logStart: Offset) {
    self.start = start
    self.end = end
    self.epochs = epochs
    self.highWatermark = highWatermark
    self.logStart = logStart
  }
}

/// How a follower's fetch ended.
public enum FetchOutcome: Hashable, Sendable {
  case records(Copied)
  case diverging(EpochEnd)
  case outOfRange(logStart: Offset, logEnd: Offset)
  case refused(ErrorCode)
}

/// A leader asks the controller for another in-sync set (AlterPartition, KIP-497). The controller takes it only when
/// the leader epoch and the partition epoch are still these, and gives a new partition epoch even to a proposal that
/// changes nothing: that is how a leader makes an older proposal of its own void.
public struct Proposal: Hashable, Sendable {
  public let id: ProposalID
  public let leader: NodeID
  public let leaderEpoch: LeaderEpoch
  public let partitionEpoch: PartitionEpoch
  public let inSync: NodeSet
  /// Observers among them, who stand in for sync replicas that are missing.
  public let promoted: NodeSet
  /// The life of each newcomer that caught up: a later one may not have the records (KIP-903).
  public let joining: [NodeID: BrokerEpoch]
}

public enum ProposalAnswer: Hashable, Sendable {
  case confirmed(leaderEpoch: LeaderEpoch, partitionEpoch: PartitionEpoch, inSync: NodeSet)
  case refused(ErrorCode)
}

/// What happened. The effects of one input are performed before the next one is handed in.
public enum Input: Sendable {
  /// The cluster's metadata says so about the partition. Older than what is known does nothing.
  case assigned(PartitionState)
  /// The cluster's metadata says so about the brokers, in the order of the metadata log.
  case brokersChanged([BrokerStatus])
  /// `admit` allowed it and the log has it. Also for a repeated write that the log had before.
  case appended(Write)
  /// The leader of a mirrored partition has appended what another cluster's leader wrote, under the epochs of that
  /// cluster, none of which is above its own.
  case mirrored(epochs: [EpochStart], upTo: Offset)
  /// The leader of a mirrored partition has begun anew at an offset that is beyond its end: what lies between is not to
  /// be had any more.
  case mirrorRestarted(at: Offset)
  /// A follower's fetch has come.
  case fetchRequested(FetchRequest)
  /// An answer to our own fetch has come.
  case fetchAnswered(FetchID, FetchOutcome)
  case proposalAnswered(ProposalID, ProposalAnswer)
  /// Retention or DeleteRecords moved the start of the leader's log; never above the high watermark.
  case logStartMoved(Offset)
  /// Comes right before the `.assigned` of the same metadata, and decides nothing by itself: by a lower minimum too much
  /// would be committed before the replica hears that it does not lead any more, or who is eligible no more.
  case settingsChanged(ReplicationSettings)
  /// No controller has answered for a session (`broker.session.timeout.ms`): it may have elected another leader. Comes again and again for as long as it lasts.
  case controllerSilent
  /// Some time has passed; comes several times within the shortest of the settings' spans.
  case tick
}

public enum WriteAnswer: Hashable, Sendable {
  case acknowledged
  case refused(ErrorCode)
}

/// What is to be done, in this order: what is appended or truncated is done before a fetch or an answer says so.
public enum Effect: Hashable, Sendable {
  /// Cuts the log; durable before the next effect.
  case truncate(to: Offset)
  /// Removes everything and begins anew at an offset.
  case restart(at: Offset)
  /// Appends the records that came with this fetch's answer as they are.
  case append(FetchID, from: Offset, upTo: Offset)
  /// Removes what the leader has removed.
  case deleteBefore(Offset)
  /// The high watermark has moved: readers that wait are woken; it is checkpointed when convenient.
  case keepHighWatermark(Offset)
  case answerWrite(WriteID, WriteAnswer)
  case answerFetch(FetchRequest, FetchAnswer)
  case propose(Proposal)
  /// A fetch for the leader.
  case fetch(from: NodeID, FetchRequest)
}
