import KafkaProtocol
import Vocabulary

/// A client's batch that has passed every check that needs no lock.
struct PreparedBatch {
  let header: RecordBatchHeader
  /// `.none` where the topic keeps the producers' own timestamps.
  let logAppendTime: Timestamp
  /// What to store instead, where the topic asks for another codec.
  let replacement: [UInt8]?

  /// Checks the batch, and sets its timestamps in place as the topic asks.
  init(
    _ bytes: UnsafeMutableRawBufferPointer, origin: AppendOrigin, settings: LogSettings, now: Timestamp
  ) throws(AppendRefusal) {
    guard origin != .client || bytes.count <= settings.batchBytesMax.value else {
      throw AppendRefusal(
        .messageTooLarge, "a batch of \(bytes.count) bytes; at most \(settings.batchBytesMax.value) are accepted")
    }
    let batch: RecordBatch
    var seen: RecordsSeen?
    do {
      batch = try ClientBatch.check(
        UnsafeRawBufferPointer(bytes), control: origin == .coordinator ? .allowed : .refused)
      if batch.header.attributes.compression == Compression.none {
        let keys: KeyRule = settings.isCompacted && !batch.header.attributes.isControl ? .required : .optional
        seen = try ClientBatch.checkRecords(of: batch.header, body: batch.body, keys: keys)
      }
    } catch {
      throw AppendRefusal(error)
    }
    header = batch.header
    replacement = nil
    switch settings.timestampType {
    case .logAppendTime:
      logAppendTime = now
      RecordBatchEdit.setMaxTimestamp(now, type: .logAppendTime, in: bytes)
    case .createTime:
      logAppendTime = .none
      let largest = seen?.largestTimestamp ?? header.maxTimestamp
      let smallest = seen?.smallestTimestamp ?? header.baseTimestamp
      if origin == .client { try Self.check(smallest, largest, settings, now) }
      // A largest timestamp that lies would mislead retention and searches by time.
      if largest != header.maxTimestamp || header.attributes.timestampType != .createTime {
        RecordBatchEdit.setMaxTimestamp(largest, type: .createTime, in: bytes)
      }
    }
  }

  private static func check(
    _ smallest: Timestamp, _ largest: Timestamp, _ settings: LogSettings, _ now: Timestamp
  ) throws(AppendRefusal) {
    if let after = settings.timestampAfterMax, largest.milliseconds > now.milliseconds &+ after.milliseconds {
      throw AppendRefusal(
        .invalidTimestamp,
        "timestamp \(largest.milliseconds) is more than \(after.milliseconds) ms after this broker's clock")
    }
    if let before = settings.timestampBeforeMax, smallest.milliseconds >= 0,
      smallest.milliseconds < now.milliseconds &- before.milliseconds
    {
      throw AppendRefusal(
        .invalidTimestamp,
        "timestamp \(smallest.milliseconds) is more than \(before.milliseconds) ms before this broker's clock")
    }
  }

  /// Which record has the batch's largest timestamp; for one that was not walked over, the last.
  func offsetOfLargestTimestamp(in header: RecordBatchHeader) -> Offset { header.lastOffset }
}
