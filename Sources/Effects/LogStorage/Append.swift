import KafkaProtocol
public import Vocabulary

extension PartitionLog {
  /// Appends to the page cache; `flush` makes it durable.
  ///
  /// `batches` is changed in place: offsets, leader epoch, and for LogAppendTime topics the timestamp with the
  /// CRC. For clients and coordinators it must be exactly one batch. A replica's last batch may be cut off; what
  /// is cut off is ignored.
  ///
  /// Throws when the log has failed or fails now; a refusal is the sender's fault and changes nothing.
  public func append(
    _ batches: UnsafeMutableRawBufferPointer, origin: AppendOrigin, leaderEpoch: LeaderEpoch, now: Timestamp
  ) throws(StorageError) -> Result<Appended, AppendRefusal> {
    switch origin {
    case .replica: return try appendFromLeader(batches, now: now)
    case .client, .coordinator: break
    }
    let prepared: PreparedBatch
    do {
      prepared = try PreparedBatch(batches, origin: origin, settings: settings, now: now)
    } catch {
      return .failure(error)
    }
    guard var replacement = prepared.replacement else {
      return try appendPrepared(batches, prepared, leaderEpoch: leaderEpoch, now: now)
    }
    let result = replacement.withUnsafeMutableBytes { raw in
      Result<Result<Appended, AppendRefusal>, StorageError> { () throws(StorageError) in
        try appendPrepared(raw, prepared, leaderEpoch: leaderEpoch, now: now)
      }
    }
    return try result.get()
  }

  private func appendPrepared(
    _ bytes: UnsafeMutableRawBufferPointer, _ prepared: PreparedBatch, leaderEpoch: LeaderEpoch, now: Timestamp
  ) throws(StorageError) -> Result<Appended, AppendRefusal> {
    // The closure of a lock may not capture the caller's buffer as its own: it gets the address alone.
    nonisolated(unsafe) let bytes = bytes
    return try writing(.sparesShortageOfDescriptors) { state throws(StorageError) in
      switch state.producers.verdict(on: prepared.header) {
      case .refused(let code, let message): return .failure(AppendRefusal(code, message))
      case .duplicate(let batch): return .success(state.duplicate(batch, prepared))
      case .follows: break
      }
      try rollIfFull(&state, adding: prepared.header, bytes: bytes.count, now: now)
      let base = state.endOffset
      RecordBatchEdit.setBaseOffset(base, in: bytes)
      RecordBatchEdit.setLeaderEpoch(leaderEpoch, in: bytes)
      guard let batch = try? RecordBatch(UnsafeRawBufferPointer(bytes)) else {
        return .failure(AppendRefusal(.corruptMessage, "the offsets of this partition are used up"))
      }
      let position = try write(UnsafeRawBufferPointer(bytes), in: &state)
      state.note(
        batch.header, marker: TransactionMarker(batch), position: position, latestOffset: batch.header.lastOffset)
      return .success(
        Appended(
          baseOffset: base, lastOffset: batch.header.lastOffset, logAppendTime: prepared.logAppendTime,
          logStartOffset: state.startOffset, endOffset: state.endOffset, isDuplicate: false))
    }
  }

  /// Writes at the end of the active segment and says where that was. What a failed write left behind is cut off.
  private func write(_ bytes: UnsafeRawBufferPointer, in state: inout LogState) throws(StorageError) -> Int64 {
    // What grows has its index in memory: the files of the last clean stop know nothing of what comes now, and
    // retention would take their largest timestamp for the segment's.
    try loadIndex(&state)
    let position = state.active.size
    let file = try state.active.log.file(on: disk, openFiles)
    do {
      try file.write(bytes, at: position)
    } catch {
      try? file.truncate(to: position)
      throw error
    }
    return position
  }

  private func appendFromLeader(
    _ bytes: UnsafeMutableRawBufferPointer, now: Timestamp
  ) throws(StorageError) -> Result<Appended, AppendRefusal> {
    var headers: [(RecordBatchHeader, TransactionMarker?)] = []
    var cursor = RecordBatchCursor(UnsafeRawBufferPointer(bytes))
    do {
      while let batch = try cursor.next() {
        guard batch.isChecksumValid else { throw RecordBatchError.wrongChecksum }
        guard batch.header.attributes.compression != nil else {
          throw RecordBatchError.unknownCompression(batch.header.attributes.codecNumber)
        }
        if let last = headers.last?.0, batch.header.baseOffset < last.nextOffset {
          throw RecordBatchError.impossibleOffsets
        }
        headers.append((batch.header, TransactionMarker(batch)))
      }
    } catch {
      return .failure(AppendRefusal(.corruptMessage, "the leader sent a batch that cannot be read: \(error)"))
    }
    guard let first = headers.first?.0, let last = headers.last?.0 else {
      return .failure(AppendRefusal(.corruptMessage, "the leader sent no whole batch"))
    }
    let whole = UnsafeRawBufferPointer(rebasing: bytes[..<cursor.position])
    nonisolated(unsafe) let written = whole
    let noted = headers
    return try writing(.sparesShortageOfDescriptors) { state throws(StorageError) in
      guard first.baseOffset >= state.endOffset else {
        return .failure(
          AppendRefusal(
            .offsetOutOfRange,
            "the leader sent offset \(first.baseOffset.value), but this log ends at \(state.endOffset.value)"))
      }
      try rollIfFull(&state, adding: last, bytes: written.count, now: now)
      var position = try write(written, in: &state)
      for (header, marker) in noted {
        state.note(header, marker: marker, position: position, latestOffset: header.lastOffset)
        position += Int64(header.totalBytes)
      }
      return .success(
        Appended(
          baseOffset: first.baseOffset, lastOffset: last.lastOffset, logAppendTime: .none,
          logStartOffset: state.startOffset, endOffset: state.endOffset, isDuplicate: false))
    }
  }
}

extension LogState {
  fileprivate func duplicate(_ batch: ProducerStates.Batch, _ prepared: PreparedBatch) -> Appended {
    Appended(
      baseOffset: Offset(batch.firstOffset), lastOffset: Offset(batch.lastOffset),
      logAppendTime: prepared.logAppendTime == .none ? .none : Timestamp(milliseconds: batch.timestamp),
      logStartOffset: startOffset, endOffset: endOffset, isDuplicate: true)
  }
}
