public import KafkaProtocol
public import Vocabulary

/// Who hands batches to a log.
public enum AppendOrigin: Hashable, Sendable {
  /// A producer: one batch, checked in full; gets offsets and the leader's epoch.
  case client
  /// This broker's own coordinators: like a client's, but control records are allowed and
  /// `max.message.bytes` and timestamps are not checked.
  case coordinator
  /// A leader, through Fetch: batches that have offsets and epochs already.
  case replica
}

/// Where a batch went.
public struct Appended: Hashable, Sendable {
  public let baseOffset: Offset
  public let lastOffset: Offset
  /// `.none` where the topic keeps the producers' own timestamps.
  public let logAppendTime: Timestamp
  public let logStartOffset: Offset
  /// The log's end now.
  public let endOffset: Offset
  /// The batch was stored before; the offsets are the original ones, and nothing was written.
  public let isDuplicate: Bool
}

/// Why a log did not take a batch: the peer's fault, not the disk's.
public struct AppendRefusal: Error, Hashable, Sendable {
  public let code: ErrorCode
  public let message: String
  /// The records at fault, by their index in the batch (KIP-467).
  public let recordErrors: [ClientBatchRefusal.RecordFault]

  public init(_ code: ErrorCode, _ message: String, recordErrors: [ClientBatchRefusal.RecordFault] = []) {
    self.code = code
    self.message = message
    self.recordErrors = recordErrors
  }

  init(_ refusal: ClientBatchRefusal) {
    self.init(refusal.code, refusal.message, recordErrors: refusal.records)
  }
}

extension PartitionLog {
  /// What a batch comes to that is taken for written, since nothing is left for it to do.
  public var appendedNothing: Appended {
    let end = endOffset
    return Appended(
      baseOffset: end, lastOffset: end, logAppendTime: .none, logStartOffset: startOffset, endOffset: end,
      isDuplicate: true)
  }
}
