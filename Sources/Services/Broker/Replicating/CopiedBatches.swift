import KafkaProtocol
import LogStorage
import Replication
import Vocabulary

/// Reads what a leader has sent for one partition. Until it has been checked here it may be anything.
enum CopiedBatches {
  /// - Parameter bytes: the records, which may end with a batch that is cut off.
  /// - Returns: what the replica is told, and how many bytes of whole batches there are.
  static func check(
    _ bytes: UnsafeRawBufferPointer, for ask: Replication.FetchRequest, highWatermark: Offset, logStart: Offset
  ) -> (FetchOutcome, count: Int) {
    var cursor = RecordBatchCursor(bytes)
    var epochs: [EpochStart] = []
    var end = ask.offset
    do {
      while let batch = try cursor.next() {
        let header = batch.header
        guard batch.isChecksumValid, header.attributes.compression != nil, header.partitionLeaderEpoch.value >= 0,
          header.baseOffset >= .zero, header.nextOffset > header.baseOffset, header.nextOffset > end
        else { return (.refused(.corruptMessage), 0) }
        if epochs.isEmpty {
          // Only where nothing is kept yet may a batch begin before the offset that was asked for.
          guard header.baseOffset >= ask.offset || ask.offset == ask.logStart else {
            return (.refused(.corruptMessage), 0)
          }
          epochs.append(EpochStart(header.partitionLeaderEpoch, at: ask.offset))
        } else {
          guard header.baseOffset >= end else { return (.refused(.corruptMessage), 0) }
          if epochs.last?.epoch != header.partitionLeaderEpoch {
            epochs.append(EpochStart(header.partitionLeaderEpoch, at: header.baseOffset))
          }
        }
        end = header.nextOffset
      }
    } catch {
      return (.refused(.corruptMessage), 0)
    }
    guard bytes.isEmpty || !epochs.isEmpty else { return (.refused(.corruptMessage), 0) }
    let copied = Copied(
      from: ask.offset, upTo: end, epochs: epochs, highWatermark: highWatermark, logStart: logStart)
    return (.records(copied), cursor.position)
  }

  /// What an answer says that has no records in it.
  static func refusal(in answer: FetchResponse.Partition) -> FetchOutcome? {
    switch answer.errorCode {
    case .none:
      guard answer.divergingEpoch.epoch >= 0 else { return nil }
      return .diverging(
        EpochEnd(LeaderEpoch(answer.divergingEpoch.epoch), upTo: Offset(answer.divergingEpoch.endOffset)))
    case .offsetOutOfRange:
      // The leader puts its log's end where the high watermark stands otherwise.
      return .outOfRange(logStart: Offset(answer.logStartOffset), logEnd: Offset(answer.highWatermark))
    case let code: return .refused(code)
    }
  }
}
