public import Vocabulary

/// What the caller must do, in this order.
///
/// An append is written to the coordinator's partition as one batch, of at most `GroupSettings.appendMax`. An answer is sent once every append that came
/// before it, in this or an earlier call, is committed: whatever it says may rest on those records.
/// When an append fails, the caller gives up this coordinator: it turns the answers it still holds into errors
/// (`GroupAnswer.refused(as:)`), calls `unload(as:into:)`, and loads a new coordinator from the log.
public enum GroupEffect: Hashable, Sendable {
  case append([GroupRecord], by: RecordWriter)
  case answer(Token, GroupAnswer)
  /// Evaluate this regular expression over the names of all topics, and give the result to `resolved`.
  case resolve(SubscriptionPattern)
}

/// In whose name records are written: that decides the producer id of their batch.
public enum RecordWriter: Hashable, Sendable {
  case coordinator
  /// Offsets of an open transaction (KIP-98): they count once its commit marker is in the log.
  case transaction(ProducerID, ProducerEpoch)
}

/// The answer of one request.
public enum GroupAnswer: Hashable, Sendable {
  case join(JoinAnswer)
  case sync(SyncAnswer)
  case heartbeat(ErrorCode)
  case leave(LeaveAnswer)
  case commit(CommitAnswer)
  case fetchOffsets([FetchedGroup])
  case deleteOffsets(DeleteOffsetsAnswer)
  case deleteGroups([DeletedGroup])
  case describeClassic([ClassicGroupDescription])
  case describeConsumer([ConsumerGroupDescription])
  case list([ListedGroup])
  case consumerHeartbeat(ConsumerHeartbeatAnswer)

  /// The same kind of answer, saying only that the request failed: for requests whose records could not be committed,
  /// and for those that wait when the coordinator moves away.
  public func refused(as error: ErrorCode) -> GroupAnswer {
    switch self {
    case .join(let answer): .join(JoinAnswer(error: error, member: answer.member))
    case .sync: .sync(SyncAnswer(error: error))
    case .heartbeat: .heartbeat(error)
    case .leave: .leave(LeaveAnswer(error: error, members: []))
    case .commit(let answer): .commit(answer.refused(as: error))
    case .fetchOffsets(let groups): .fetchOffsets(groups.map { FetchedGroup(group: $0.group, error: error) })
    case .deleteOffsets: .deleteOffsets(DeleteOffsetsAnswer(error: error, topics: []))
    case .deleteGroups(let groups): .deleteGroups(groups.map { DeletedGroup(group: $0.group, error: error) })
    case .describeClassic(let groups):
      .describeClassic(groups.map { ClassicGroupDescription(group: $0.group, error: error) })
    case .describeConsumer(let groups):
      .describeConsumer(groups.map { ConsumerGroupDescription(group: $0.group, error: error) })
    case .list: .list([])
    case .consumerHeartbeat: .consumerHeartbeat(ConsumerHeartbeatAnswer(error: error))
    }
  }
}
