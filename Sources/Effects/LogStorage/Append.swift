import KafkaProtocol
public import Vocabulary

extension PartitionLog {
  /// Appends to the page cache; `flush` makes it durable.
  ///
  /// `batches` is changed in place: offsets, leader epoch, and for LogAppendTime topics the timestamp with the
  /// CRC. For clients and coordinators it must be exactly one batch. A replica's last batch may be cut off; what
  /// is cut off is ignored.
  ///
  /// A client's batch that is part of a transaction needs one of the same producer and epoch that is open here, or
  /// the `ticket` that `standing` gave; otherwise it is INVALID_TXN_STATE. Of a coordinator's batches only markers are
  /// checked: an older producer's gets INVALID_PRODUCER_EPOCH, an older coordinator's TRANSACTION_COORDINATOR_FENCED.
  /// A marker of a producer that has no open transaction is appended all the same, so that its epoch is known.
  ///
  /// A batch that is ahead of its producer's sequence is NOT_LEADER_OR_FOLLOWER a few times, and then
  /// OUT_OF_ORDER_SEQUENCE_NUMBER, or taken where nothing is known of the producer: see `EarlyBatches`.
  ///
  /// Throws when the log has failed or fails now; a refusal is the sender's fault and changes nothing.
  public func append(
    _ batches: UnsafeMutableRawBufferPointer, origin: AppendOrigin, leaderEpoch: LeaderEpoch,
    verified ticket: VerificationTicket? = nil, now: Timestamp
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
      return try appendPrepared(batches, prepared, origin, leaderEpoch, ticket, now: now)
    }
    let result = replacement.withUnsafeMutableBytes { raw in
      Result<Result<Appended, AppendRefusal>, StorageError> { () throws(StorageError) in
        try appendPrepared(raw, prepared, origin, leaderEpoch, ticket, now: now)
      }
    }
    return try result.get()
  }

  private func appendPrepared(
    _ bytes: UnsafeMutableRawBufferPointer, _ prepared: PreparedBatch, _ origin: AppendOrigin,
    _ leaderEpoch: LeaderEpoch, _ ticket: VerificationTicket?, now: Timestamp
  ) throws(StorageError) -> Result<Appended, AppendRefusal> {
    // The closure of a lock may not capture the caller's buffer as its own: it gets the address alone.
    nonisolated(unsafe) let bytes = bytes
    return try writing(.sparesShortageOfDescriptors) { state throws(StorageError) in
      switch state.verdict(on: prepared, origin, ticket, leaderEpoch) {
      case .early(let message):
        let mayClose = state.early.mayCloseGap(before: prepared.header.stamp, in: leaderEpoch, isUnknown: false)
        return .failure(AppendRefusal(mayClose ? .notLeaderOrFollower : .outOfOrderSequenceNumber, message))
      case .unknown(let message):
        guard state.early.mayCloseGap(before: prepared.header.stamp, in: leaderEpoch, isUnknown: true) else { break }
        return .failure(AppendRefusal(.notLeaderOrFollower, message))
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
      let index =
        state.endsOpenTransaction(batch.header, prepared.marker) ? try openTransactionIndex(&state) : nil
      let position = try write(UnsafeRawBufferPointer(bytes), in: &state)
      let aborted = state.note(
        batch.header, marker: prepared.marker, position: position, latestOffset: batch.header.lastOffset)
      if let aborted, let index { try note(aborted, in: index, &state) }
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
      let index = state.takesBack(noted) ? try openTransactionIndex(&state) : nil
      var position = try write(written, in: &state)
      for (header, marker) in noted {
        let aborted = state.note(header, marker: marker, position: position, latestOffset: header.lastOffset)
        if let aborted, let index { try note(aborted, in: index, &state) }
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
  /// Whether a batch takes an open transaction back.
  fileprivate func endsOpenTransaction(_ header: RecordBatchHeader, _ marker: TransactionMarker?) -> Bool {
    guard let marker, !marker.isCommit else { return false }
    return (producers.entries[header.producerID.value]?.transactionStart ?? -1) >= 0
  }

  /// Whether one of some batches takes a transaction back, which an earlier one of them may have begun.
  fileprivate func takesBack(_ batches: [(RecordBatchHeader, TransactionMarker?)]) -> Bool {
    var begun: Set<Int64> = []
    for (header, marker) in batches where header.attributes.isTransactional {
      if endsOpenTransaction(header, marker) { return true }
      if let marker {
        if !marker.isCommit, begun.contains(header.producerID.value) { return true }
      } else {
        begun.insert(header.producerID.value)
      }
    }
    return false
  }

  fileprivate func verdict(
    on prepared: PreparedBatch, _ origin: AppendOrigin, _ ticket: VerificationTicket?, _ leaderEpoch: LeaderEpoch
  ) -> ProducerStates.Verdict {
    let header = prepared.header
    if let marker = prepared.marker { return producers.verdict(onMarkerOf: header, marker) }
    guard header.attributes.isTransactional else { return producers.verdict(on: header, .needless) }
    if origin == .coordinator, ticket == nil { return producers.verdict(on: header, .needless) }
    let lowest = ticket.flatMap {
      tickets.lowestSequence($0, of: header.producerID.value, header.producerEpoch.value, in: leaderEpoch)
    }
    return producers.verdict(on: header, lowest.map { .verified(lowestSequence: $0) } ?? .missing)
  }

  fileprivate func duplicate(_ batch: ProducerStates.Batch, _ prepared: PreparedBatch) -> Appended {
    Appended(
      baseOffset: Offset(batch.firstOffset), lastOffset: Offset(batch.lastOffset),
      logAppendTime: prepared.logAppendTime == .none ? .none : Timestamp(milliseconds: batch.timestamp),
      logStartOffset: startOffset, endOffset: endOffset, isDuplicate: true)
  }
}
