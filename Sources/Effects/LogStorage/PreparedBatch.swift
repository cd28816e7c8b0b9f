import KafkaProtocol
import RecordCompression
import Vocabulary

/// A client's batch that has passed every check that needs no lock.
struct PreparedBatch {
  let header: RecordBatchHeader
  /// What a control batch of a coordinator says.
  let marker: TransactionMarker?
  /// `.none` where the topic keeps the producers' own timestamps.
  let logAppendTime: Timestamp
  /// What to store instead, where the topic asks for another codec.
  let replacement: [UInt8]?

  /// Checks the batch, and sets its timestamps in place as the topic asks.
  ///
  /// Every record is walked, and a compressed body is decompressed for it: nobody but the broker can keep a batch that
  /// no consumer can read out of the log. A body that becomes larger than the limit is refused where the topic asks
  /// for another codec or is compacted; elsewhere it is stored as it came, unseen.
  init(
    _ bytes: UnsafeMutableRawBufferPointer, origin: AppendOrigin, settings: LogSettings, now: Timestamp
  ) throws(AppendRefusal) {
    guard origin != .client || bytes.count <= settings.batchBytesMax.value else {
      throw AppendRefusal(
        .messageTooLarge, "a batch of \(bytes.count) bytes; at most \(settings.batchBytesMax.value) are accepted")
    }
    let batch: RecordBatch
    do {
      batch = try ClientBatch.check(
        UnsafeRawBufferPointer(bytes), control: origin == .coordinator ? .allowed : .refused)
    } catch {
      throw AppendRefusal(error)
    }
    header = batch.header
    marker = TransactionMarker(batch)
    guard marker != nil || !header.attributes.isControl else {
      throw AppendRefusal(.invalidRecord, "a control batch that ends no transaction")
    }
    let wanted = settings.codec(for: batch.header)
    var seen: RecordsSeen?
    var recoded: [UInt8]?
    if header.attributes.compression == Compression.none || wanted != nil || settings.isCompacted {
      let keys: KeyRule = settings.isCompacted && !header.attributes.isControl ? .required : .optional
      let limit = DecodedBody.clientLimit(batchBytesMax: settings.batchBytesMax)
      (seen, recoded) = try Self.walk(batch, keys: keys, recode: wanted, limit)
    } else if origin == .client {
      seen = try Self.look(into: batch)
    }
    var time: (Timestamp, TimestampType)?
    switch settings.timestampType {
    case .logAppendTime:
      logAppendTime = now
      time = (now, .logAppendTime)
    case .createTime:
      logAppendTime = .none
      let largest = seen?.largestTimestamp ?? header.maxTimestamp
      let smallest = seen?.smallestTimestamp ?? header.baseTimestamp
      if origin == .client { try Self.check(smallest, largest, settings, now) }
      // A largest timestamp that lies would mislead retention and searches by time.
      if largest != header.maxTimestamp || header.attributes.timestampType != .createTime {
        time = (largest, .createTime)
      }
    }
    if let time {
      RecordBatchEdit.setMaxTimestamp(time.0, type: time.1, in: bytes)
      recoded?.withUnsafeMutableBytes { RecordBatchEdit.setMaxTimestamp(time.0, type: time.1, in: $0) }
    }
    replacement = recoded
  }

  private static func walk(
    _ batch: RecordBatch, keys: KeyRule, recode: (codec: Compression, level: Int?)?, _ limit: ByteCount
  ) throws(AppendRefusal) -> (RecordsSeen, [UInt8]?) {
    let body: DecodedBody
    do {
      body = try DecodedBody(batch, limit: limit)
    } catch .tooLarge {
      throw AppendRefusal(.messageTooLarge, "the batch decompresses to more than \(limit.value) bytes")
    } catch {
      throw AppendRefusal(.corruptMessage, "the batch cannot be decompressed: \(error)")
    }
    let result = body.withBytes { bytes in
      Result<(RecordsSeen, [UInt8]?), AppendRefusal> { () throws(AppendRefusal) in
        let seen: RecordsSeen
        do throws(ClientBatchRefusal) {
          seen = try ClientBatch.checkRecords(of: batch.header, body: bytes, keys: keys)
        } catch {
          throw AppendRefusal(error)
        }
        guard let recode else { return (seen, nil) }
        return (seen, try encode(batch.header, bytes, with: recode))
      }
    }
    return try result.get()
  }

  /// Nil for a batch that is too large to look into.
  private static func look(into batch: RecordBatch) throws(AppendRefusal) -> RecordsSeen? {
    do throws(AppendRefusal) {
      return try walk(batch, keys: .optional, recode: nil, DecodedBody.lookBytesMax).0
    } catch {
      if error.code == .messageTooLarge { return nil }
      throw error
    }
  }

  private static func encode(
    _ header: RecordBatchHeader, _ body: UnsafeRawBufferPointer, with recode: (codec: Compression, level: Int?)
  ) throws(AppendRefusal) -> [UInt8] {
    if recode.codec == .none { return RecordBatchBuilder.batch(like: header, compression: .none, body: body) }
    do {
      let compressed = try RecordCodec.compress(body, with: recode.codec, level: recode.level)
      return compressed.withUnsafeBytes {
        RecordBatchBuilder.batch(like: header, compression: recode.codec, body: $0)
      }
    } catch {
      throw AppendRefusal(.unknownServerError, "the batch cannot be compressed: \(error)")
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
}

extension LogSettings {
  /// The codec to store a batch with; nil to store it as it came. Control batches are never compressed.
  fileprivate func codec(for header: RecordBatchHeader) -> (codec: Compression, level: Int?)? {
    guard case .codec(let codec, let level) = compression, !header.attributes.isControl,
      header.attributes.compression != codec
    else { return nil }
    return (codec, level)
  }
}
