import KafkaProtocol
import Synchronization
public import Vocabulary

/// Compaction: keeps the last value of every key, and every offset where it was.
///
/// First the keys of the dirty part are read into a bounded map, key → last offset. Then the segments are
/// written anew without the records that a later one replaces, and swapped in so that a crash at any moment
/// leaves either the old segments or the new one. The active segment is never touched, nor anything that is
/// not durable yet. Batches keep their base offset, last offset, epoch, producer and sequence; the last batch
/// of what is written and the last of each producer stay, if need be without records.
///
/// Only what lies below the last stable offset is cleaned: see `CleanedTransactions`.
public struct Cleaner: Sendable {
  /// `log.cleaner.dedupe.buffer.size`: what does not fit waits for the next run.
  public var bufferBytes = ByteCount.mebibytes(128)
  /// A compressed batch that becomes larger is kept as it is.
  public var decodedBytesMax = ByteCount.mebibytes(256)

  public init() {}

  public struct Outcome: Hashable, Sendable {
    /// Everything before it is clean now: for `cleaner-offset-checkpoint`.
    public let firstDirtyOffset: Offset
    public let bytesBefore: ByteCount
    public let bytesAfter: ByteCount
  }

  /// Cleans a log once. `firstDirty` is what the last run returned, `bound` the last stable offset. For a blocking
  /// pool: reads and writes all that is not active.
  public func clean(
    _ log: PartitionLog, from firstDirty: Offset, upTo bound: Offset, now: Timestamp
  ) throws(StorageError) -> Outcome {
    let round = try log.cleaningRound(from: firstDirty, upTo: bound, now: now)
    let before = round.segments.reduce(0) { $0 + $1.size }
    guard round.dirtyBytes > 0 else {
      return Outcome(
        firstDirtyOffset: round.firstDirty, bytesBefore: ByteCount(Int(before)), bytesAfter: ByteCount(Int(before)))
    }
    var keys = KeyOffsets(
      bytes: bufferBytes.value, keys: Int(clamping: round.end.value - round.firstDirty.value))
    var transactions = CleanedTransactions()
    let covered = try readKeys(of: round, log, into: &keys, &transactions)
    var after: Int64 = 0
    for group in round.groups(settings: log.settings) {
      after += try SegmentRewrite(
        log: log, segments: group, keys: keys, producers: round.producers, now: now, decodedBytesMax: decodedBytesMax
      ).run(&transactions)
    }
    return Outcome(
      firstDirtyOffset: covered, bytesBefore: ByteCount(Int(before)), bytesAfter: ByteCount(Int(after)))
  }

  /// Says up to where the keys are known.
  private func readKeys(
    of round: CleaningRound, _ log: PartitionLog, into keys: inout KeyOffsets,
    _ transactions: inout CleanedTransactions
  ) throws(StorageError) -> Offset {
    for segment in round.segments where segment.size > 0 && segment.end > round.firstDirty {
      try transactions.enter(segment, of: log)
      let file = try segment.log.file(on: log.disk, log.openFiles)
      var walk = HeaderWalk(file, path: segment.log.path, from: 0, to: segment.size)
      while let (header, position) = try walk.next() {
        if header.attributes.isControl {
          transactions.lastMarkers[header.producerID.value] = header.baseOffset.value
          continue
        }
        guard header.lastOffset >= round.firstDirty, header.recordsCount > 0, !transactions.isAborted(header) else {
          continue
        }
        let bytes = try file.bytes(at: position, count: header.totalBytes)
        if let full = bytes.withUnsafeBytes({ note($0, from: round.firstDirty, in: &keys) }) { return full }
      }
    }
    return round.end
  }

  /// The first offset that found no room; nil when all did. What cannot be decoded is left alone.
  private func note(_ bytes: UnsafeRawBufferPointer, from first: Offset, in keys: inout KeyOffsets) -> Offset? {
    guard let batch = try? RecordBatch(bytes), let body = try? DecodedBody(batch, limit: decodedBytesMax) else {
      return nil
    }
    return body.withRecords(of: batch.header) { records in
      while let record = try? records.next() {
        guard let key = record.key, record.offset >= first else { continue }
        guard keys.note(key, at: record.offset.value) else { return record.offset }
      }
      return nil
    }
  }
}

/// What one run of the cleaner looks at.
struct CleaningRound: Sendable {
  struct Piece: Sendable {
    let base: Offset
    /// Where the next segment begins.
    let end: Offset
    let log: FileSlot
    let size: Int64
  }
  /// From the log's start to the first segment that may not be cleaned.
  let segments: [Piece]
  let firstDirty: Offset
  let end: Offset
  let dirtyBytes: Int64
  /// The last batch of each tells its sequence; where there is none the last marker tells its epoch.
  let producers: [Int64: ProducerStates.Entry]

  /// Neighbours that make one segment together, as they are now.
  func groups(settings: LogSettings) -> [[Piece]] {
    var groups: [[Piece]] = []
    var size: Int64 = 0
    for segment in segments {
      if let first = groups.last?.first, size + segment.size <= Int64(settings.segmentBytes.value),
        segment.end.value - first.base.value <= Int64(Int32.max)
      {
        groups[groups.count - 1].append(segment)
        size += segment.size
      } else {
        groups.append([segment])
        size = segment.size
      }
    }
    return groups
  }
}

extension PartitionLog {
  /// Whether the log is worth a run of the cleaner, and how much (the larger, the more): the dirty share of what
  /// may be cleaned, if it reaches `min.cleanable.dirty.ratio`, or 1 when `max.compaction.lag.ms` has passed. Nil otherwise.
  public func cleaningUrgency(
    from firstDirty: Offset, upTo bound: Offset, now: Timestamp
  ) throws(StorageError) -> Double? {
    let settings = settings
    guard settings.isCompacted else { return nil }
    let round = try cleaningRound(from: firstDirty, upTo: bound, now: now)
    guard round.dirtyBytes > 0 else { return nil }
    let total = round.segments.reduce(0) { $0 + $1.size }
    if let lag = settings.compactionLagMax, let dirty = round.segments.first(where: { $0.end > round.firstDirty }) {
      let file = try dirty.log.file(on: disk, openFiles)
      var walk = HeaderWalk(file, path: dirty.log.path, from: 0, to: dirty.size)
      if let (header, _) = try walk.next(),
        now.milliseconds &- header.maxTimestamp.milliseconds > lag.milliseconds
      {
        return 1
      }
    }
    let ratio = Double(round.dirtyBytes) / Double(max(1, total))
    return ratio >= settings.dirtyRatioMin ? ratio : nil
  }

  func cleaningRound(
    from firstDirty: Offset, upTo bound: Offset, now: Timestamp
  ) throws(StorageError) -> CleaningRound {
    let (all, limit, producers, start, lag) = try state.withLock { state throws(StorageError) in
      try state.checkWritable(directory)
      return (
        state.segments,
        min(bound, state.syncedOffset, state.producers.transactions.firstOpen.map { Offset($0) } ?? bound),
        state.producers.entries, state.segments[0].baseOffset, state.settings.compactionLagMin
      )
    }
    var pieces: [CleaningRound.Piece] = []
    for (segment, next) in zip(all, all.dropFirst()) {
      guard next.baseOffset <= limit else { break }
      if lag > .zero, segment.size > 0, let latest = try latestTime(of: segment),
        latest.time.milliseconds > now.milliseconds &- lag.milliseconds
      {
        break
      }
      pieces.append(.init(base: segment.baseOffset, end: next.baseOffset, log: segment.log, size: segment.size))
    }
    let end = pieces.last?.end ?? start
    // A checkpoint beyond what may be cleaned, as after a truncation, says nothing.
    let first = firstDirty > end ? (pieces.isEmpty ? end : start) : max(firstDirty, start)
    return CleaningRound(
      segments: pieces, firstDirty: first, end: end,
      dirtyBytes: pieces.filter { $0.end > first }.reduce(0) { $0 + $1.size },
      producers: producers)
  }
}
