import KafkaProtocol
import RecordCompression
import Synchronization
import Vocabulary

/// Writes some neighbouring segments anew as one, without the records that were replaced, and swaps it in.
struct SegmentRewrite {
  let log: PartitionLog
  let segments: [CleaningRound.Piece]
  let keys: KeyOffsets
  let producers: [Int64: ProducerStates.Entry]
  let now: Timestamp
  let decodedBytesMax: ByteCount
  /// Written in pieces of this size.
  static let writeBytes = 1 << 20

  /// How many bytes the segments take now.
  func run(_ transactions: inout CleanedTransactions) throws(StorageError) -> Int64 {
    let oldSize = segments.reduce(0) { $0 + $1.size }
    guard let first = segments.first, oldSize > 0 else { return oldSize }
    let path = SegmentFile.log.path(in: log.directory, baseOffset: first.base.value)
    let cleaned = path + SegmentFile.cleanedSuffix
    var output = Output(
      file: try log.disk.create(cleaned), base: first.base, interval: log.settings.indexInterval.value,
      aborted: TransactionIndexWriter(
        disk: log.disk,
        path: TransactionIndexFiles(disk: log.disk, directory: log.directory).path(first.base)
          + SegmentFile.cleanedSuffix))
    for segment in segments where segment.size > 0 {
      try rewrite(segment, isLast: segment.base == segments.last { $0.size > 0 }?.base, &transactions, into: &output)
    }
    try output.flush()
    if !output.hasChanged, segments.count == 1 {
      try log.disk.unlink(cleaned)
      try log.disk.unlink(output.aborted.path)
      return oldSize
    }
    try output.file.syncData()
    try log.swap(segments, for: output, cleaned: cleaned)
    return output.size
  }

  private func rewrite(
    _ segment: CleaningRound.Piece, isLast: Bool, _ transactions: inout CleanedTransactions, into output: inout Output
  ) throws(StorageError) {
    try transactions.enter(segment, of: log)
    let file = try segment.log.file(on: log.disk, log.openFiles)
    var walk = HeaderWalk(file, path: segment.log.path, from: 0, to: segment.size)
    while let (header, position) = try walk.next() {
      let bytes = try file.bytes(at: position, count: header.totalBytes)
      let isEnd = isLast && position + Int64(header.totalBytes) == segment.size
      let mustStay = isEnd || tellsProducer(header, transactions)
      let isOver = transactions.note(header)
      let filtered =
        header.attributes.isControl
        ? bytes.withUnsafeBytes { filterMarker($0, header, isOver: isOver && !mustStay) }
        : bytes.withUnsafeBytes { filter($0, header, isAborted: transactions.isAborted(header)) }
      switch filtered {
      case .unchanged: try output.append(bytes, header)
      case .changed(let fewer):
        output.hasChanged = true
        let rewritten = fewer.withUnsafeBytes { try? RecordBatchHeader($0) }
        try output.append(fewer, rewritten ?? header)
      case .emptied(let empty):
        // A batch that is empty already and has to stay is no change.
        output.hasChanged = output.hasChanged || !mustStay || header.recordsCount > 0
        if mustStay { try output.append(header.recordsCount == 0 ? bytes : empty, header) }
        continue
      }
      if header.attributes.isControl, let transaction = transactions.transaction(endedBy: header) {
        try output.aborted.add(transaction)
      }
    }
  }

  /// Whether a batch tells how far its producer has come.
  private func tellsProducer(_ header: RecordBatchHeader, _ transactions: CleanedTransactions) -> Bool {
    guard header.isIdempotent, let producer = producers[header.producerID.value] else { return false }
    if let last = producer.batches.last { return last.lastOffset == header.lastOffset.value }
    guard header.attributes.isControl, header.producerEpoch.value == producer.epoch else { return false }
    return transactions.lastMarkers[header.producerID.value].map { $0 <= header.baseOffset.value } ?? true
  }

  /// The marker of a transaction of which nothing is left gets a horizon, and goes when that is past.
  private func filterMarker(_ bytes: UnsafeRawBufferPointer, _ header: RecordBatchHeader, isOver: Bool) -> Filtered {
    guard isOver, let batch = try? RecordBatch(bytes), batch.isChecksumValid else { return .unchanged }
    if header.recordsCount == 0 { return .emptied([]) }
    if header.attributes.hasDeleteHorizon { return now >= header.baseTimestamp ? .emptied([]) : .unchanged }
    guard let body = try? DecodedBody(batch, limit: decodedBytesMax),
      let marked = rebuilt(
        header, body, Array(repeating: true, count: Int(header.recordsCount)), horizon: horizon)
    else { return .unchanged }
    return .changed(marked)
  }

  private var horizon: Timestamp {
    Timestamp(milliseconds: now.milliseconds &+ log.settings.deleteRetention.milliseconds)
  }

  private enum Filtered {
    case unchanged
    case changed([UInt8])
    case emptied([UInt8])
  }

  private func filter(
    _ bytes: UnsafeRawBufferPointer, _ header: RecordBatchHeader, isAborted: Bool
  ) -> Filtered {
    guard let batch = try? RecordBatch(bytes), batch.isChecksumValid,
      let body = try? DecodedBody(batch, limit: decodedBytesMax)
    else { return .unchanged }
    if isAborted { return .emptied(rebuilt(header, body, [], horizon: nil) ?? []) }
    let hasHorizon = header.attributes.hasDeleteHorizon
    let isPastHorizon = hasHorizon && now >= header.baseTimestamp
    var keeps: [Bool] = []
    var keepsTombstone = false
    let isReadable = body.withRecords(of: header) { records in
      do {
        while let record = try records.next() {
          let isKept = isRetained(record) && (record.value != nil || !isPastHorizon)
          keeps.append(isKept)
          if isKept, record.value == nil { keepsTombstone = true }
        }
        return true
      } catch {
        return false
      }
    }
    guard isReadable else { return .unchanged }
    guard keeps.contains(true) else { return .emptied(rebuilt(header, body, [], horizon: nil) ?? []) }
    let newHorizon = keepsTombstone && !hasHorizon
    if !newHorizon, keeps.allSatisfy({ $0 }) { return .unchanged }
    guard let result = rebuilt(header, body, keeps, horizon: newHorizon ? horizon : nil) else {
      return .unchanged
    }
    return .changed(result)
  }

  /// A record without a key goes: a topic that became compacted later has no use for it.
  private func isRetained(_ record: Record) -> Bool {
    guard let key = record.key else { return false }
    return keys[key].map { record.offset.value >= $0 } ?? true
  }

  /// The batch with some of its records. A horizon takes the base timestamp's place (KIP-534).
  private func rebuilt(
    _ header: RecordBatchHeader, _ body: DecodedBody, _ keeps: [Bool], horizon: Timestamp?
  ) -> [UInt8]? {
    var attributes = header.attributes
    if horizon != nil { attributes.bits |= RecordBatchAttributes.deleteHorizonBit }
    var builder = RecordBatchBuilder(
      attributes: attributes, producer: header.producer, baseOffset: header.baseOffset,
      leaderEpoch: header.partitionLeaderEpoch, baseTimestamp: horizon ?? header.baseTimestamp)
    if !keeps.isEmpty {
      body.withRecords(of: header) { records in
        var place = 0
        while let record = try? records.next() {
          if keeps[place] { builder.append(record) }
          place += 1
        }
      }
    }
    builder.lastOffsetDelta = header.lastOffsetDelta
    let keepsTime = keeps.isEmpty || header.attributes.timestampType == .logAppendTime
    let time = keepsTime ? header.maxTimestamp : nil
    guard let codec = attributes.compression, codec != .none, !keeps.isEmpty else {
      builder.attributes.bits &= ~RecordBatchAttributes.codecMask
      return builder.build(maxTimestamp: time)
    }
    guard let compressed = try? builder.body.withUnsafeBytes({ try RecordCodec.compress($0, with: codec) }) else {
      return nil
    }
    return builder.build(compressedBody: compressed, maxTimestamp: time)
  }

  /// The new segment as it grows.
  struct Output {
    let file: any DiskFile
    let base: Offset
    let interval: Int
    var aborted: TransactionIndexWriter
    var index = SegmentIndex()
    var latest: (time: Timestamp, offset: Offset)?
    var firstTimestamp: Timestamp?
    var hasChanged = false
    private var pending: [UInt8] = []
    private var written: Int64 = 0

    var size: Int64 { written + Int64(pending.count) }

    init(file: any DiskFile, base: Offset, interval: Int, aborted: TransactionIndexWriter) {
      self.aborted = aborted
      self.file = file
      self.base = base
      self.interval = interval
    }

    mutating func append(_ bytes: [UInt8], _ header: RecordBatchHeader) throws(StorageError) {
      if latest.map({ header.maxTimestamp > $0.time }) ?? true { latest = (header.maxTimestamp, header.lastOffset) }
      if firstTimestamp == nil { firstTimestamp = header.maxTimestamp }
      let latest = latest ?? (header.maxTimestamp, header.lastOffset)
      index.note(
        lastRelativeOffset: header.lastOffset - base, position: size, bytes: bytes.count, interval: interval,
        maxTimestamp: latest.time, maxTimestampRelativeOffset: latest.offset - base)
      pending.append(contentsOf: bytes)
      if pending.count >= SegmentRewrite.writeBytes { try flush() }
    }

    mutating func flush() throws(StorageError) {
      guard !pending.isEmpty else { return }
      try file.write(pending, at: written)
      written += Int64(pending.count)
      pending.removeAll(keepingCapacity: true)
    }
  }
}
