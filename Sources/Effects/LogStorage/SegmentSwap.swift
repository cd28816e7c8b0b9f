import KafkaProtocol
import Synchronization
import Vocabulary

// How a compacted segment takes its predecessors' place:
//
//   1. `.log.cleaned` is written and synced. A crash before 2 removes it.
//   2. It is renamed to `.log.swap`, durably. From here on recovery finishes what follows.
//      Where one of them has transactions that were taken back, `.txnindex.cleaned` has become `.txnindex.swap` before,
//      durably: whoever sees the first finds the second, or has renamed it already.
//   3. The indexes of the first predecessor go: they would lie about the new file.
//   4. Readers are led to the new file, and `.txnindex.swap` takes its place; those that hold an old one go on with it.
//   5. The other predecessors go, durably: recovery must never see them beside the finished file.
//   6. `.log.swap` is renamed to `.log`, over the first predecessor, durably; its indexes are written.

extension PartitionLog {
  func swap(
    _ old: [CleaningRound.Piece], for output: SegmentRewrite.Output, cleaned: String
  ) throws(StorageError) {
    let base = output.base
    let swap = SegmentFile.log.path(in: directory, baseOffset: base.value) + SegmentFile.swapSuffix
    try housekeeping.withLock { _ throws(StorageError) in
      // Retention or a truncation may have taken some of them since they were read, or the log has ended.
      let isCurrent = try state.withLock { state throws(StorageError) in
        try state.checkWritable(directory)
        return old.allSatisfy { piece in
          state.segments.dropLast().contains { $0.log === piece.log && $0.size == piece.size }
        }
      }
      guard isCurrent else {
        try disk.unlink(output.aborted.path)
        return try disk.unlink(cleaned)
      }
      let aborted = try prepareTransactionIndex(output, old)
      try disk.rename(cleaned, to: swap)
      try disk.syncDirectory(directory)
      for kind in [SegmentFile.offsetIndex, .timeIndex] {
        try disk.unlink(kind.path(in: directory, baseOffset: base.value))
      }
      let slot = FileSlot(directory: directory, baseOffset: base.value, suffix: SegmentFile.swapSuffix)
      slot.install(output.file, openFiles)
      try replace(old, with: slot, output, aborted)
      for piece in old { piece.log.discard(openFiles) }
      for piece in old where piece.base != base {
        for kind in SegmentFile.allCases where kind != .producerSnapshot {
          try disk.unlink(kind.path(in: directory, baseOffset: piece.base.value))
        }
      }
      if old.count > 1 { try removeOldSnapshots() }
      if old.count > 1 || aborted != nil { try disk.syncDirectory(directory) }
      if let aborted, output.aborted.count == 0 { try disk.unlink(Self.withoutSuffix(aborted)) }
      try slot.dropSuffix(on: disk)
      try saveIndex(output.finishedIndex, of: base)
      try disk.syncDirectory(directory)
      state.withLock { state in
        guard let place = state.segments.firstIndex(where: { $0.log === slot }) else { return }
        state.segments[place].isIndexUnsynced = true
        state.unsyncedNames.insert(.files)
      }
    }
  }

  /// The new file of aborted transactions, under its name until it takes the old one's place; nil where none of the
  /// segments has any.
  private func prepareTransactionIndex(
    _ output: SegmentRewrite.Output, _ old: [CleaningRound.Piece]
  ) throws(StorageError) -> String? {
    let bases = Set(old.map(\.base))
    let hasAny = state.withLock { state in
      state.segments.contains { bases.contains($0.baseOffset) && $0.abortedCount > 0 }
    }
    guard hasAny else { return nil }
    var writer = output.aborted
    try writer.finishDurably()
    let swap = TransactionIndexFiles(disk: disk, directory: directory).path(output.base) + SegmentFile.swapSuffix
    try disk.rename(writer.path, to: swap)
    try disk.syncDirectory(directory)
    return swap
  }

  private static func withoutSuffix(_ path: String) -> String { String(path.dropLast(SegmentFile.swapSuffix.count)) }

  private func replace(
    _ old: [CleaningRound.Piece], with slot: FileSlot, _ output: SegmentRewrite.Output, _ aborted: String?
  ) throws(StorageError) {
    try writing { state throws(StorageError) in
      guard let first = state.segments.firstIndex(where: { $0.log === old[0].log }) else { return }
      // In one step with the records, so that nobody sees the ones without the others.
      if let aborted { try disk.rename(aborted, to: Self.withoutSuffix(aborted)) }
      let end = state.segments[first + old.count].baseOffset
      state.recentAborted.forget(before: end)
      var new = Segment(
        baseOffset: output.base, log: slot, size: output.size, latest: output.latest,
        openedAt: state.segments[first].openedAt, firstTimestamp: output.firstTimestamp, isUnsynced: false,
        isIndexUnsynced: false)
      new.abortedCount = output.aborted.count
      state.segments.replaceSubrange(first..<first + old.count, with: [new])
      state.readEnds.removeAll()
      state.generation += 1
    }
  }
}

extension SegmentRewrite.Output {
  var finishedIndex: SegmentIndex {
    var finished = index
    if let latest { finished.noteTime(latest.time, relativeOffset: latest.offset - base) }
    return finished
  }
}

extension LogOpening {
  /// Finishes a swap that a crash interrupted after its second step.
  func finishSwap(_ name: String, among names: [String]) throws(StorageError) {
    let swap = "\(directory)/\(name)"
    guard let (base, kind) = SegmentFile.parse(String(name.dropLast(SegmentFile.swapSuffix.count))), kind == .log else {
      // That of aborted transactions goes with the segment that it is for, and without one is worth nothing.
      return try disk.unlink(swap)
    }
    let index = SegmentFile.transactionIndex.path(in: directory, baseOffset: base)
    let indexSwap = index + SegmentFile.swapSuffix
    let file = try disk.open(swap)
    let size = try file.size()
    var scan = BatchScan(file, size: size, from: 0, nextOffset: Offset(base))
    var places = SegmentIndex()
    var end = base
    var latest = (time: Timestamp.none, offset: Offset(base))
    scanning: while true {
      switch try scan.next() {
      case .end: break scanning
      case .bad:
        // It was synced before it got this name, so this is no crash but damage: the old segments are kept.
        try disk.unlink(indexSwap)
        return try disk.unlink(swap)
      case .batch(let header, let position, _):
        end = header.nextOffset.value
        if header.maxTimestamp > latest.time { latest = (header.maxTimestamp, header.lastOffset) }
        places.note(
          lastRelativeOffset: header.lastOffset.value - base, position: position, bytes: header.totalBytes,
          interval: settings.indexInterval.value, maxTimestamp: latest.time,
          maxTimestampRelativeOffset: latest.offset.value - base)
      }
    }
    let replaced = names.compactMap { SegmentFile.parse($0) }.filter {
      $0.kind == .log && $0.baseOffset > base && $0.baseOffset < end
    }
    if try disk.size(of: indexSwap) != nil {
      try disk.rename(indexSwap, to: index)
      try disk.syncDirectory(directory)
    }
    for segment in replaced { try removeSegmentFiles(segment.baseOffset) }
    for kind in [SegmentFile.offsetIndex, .timeIndex] { try disk.unlink(kind.path(in: directory, baseOffset: base)) }
    try disk.syncDirectory(directory)
    try disk.rename(swap, to: SegmentFile.log.path(in: directory, baseOffset: base))
    places.noteTime(latest.time, relativeOffset: latest.offset.value - base)
    try save(places, of: base)
    try disk.syncDirectory(directory)
  }

  func save(_ index: SegmentIndex, of base: Int64) throws(StorageError) {
    try disk.create(SegmentFile.offsetIndex.path(in: directory, baseOffset: base)).write(index.offsetFileBytes, at: 0)
    try disk.create(SegmentFile.timeIndex.path(in: directory, baseOffset: base)).write(index.timeFileBytes, at: 0)
  }
}
