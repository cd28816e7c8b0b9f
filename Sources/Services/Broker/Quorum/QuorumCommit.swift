import ClusterMetadata
import Consensus
import EventLoop
import KafkaProtocol
import LogStorage
import Synchronization
import Vocabulary

/// From committed to applied: the image, and whoever lives by it.
extension MetadataQuorum {
  /// How much is read and applied at a time. Each time the image is copied as far as it changes, since others may look
  /// at it meanwhile.
  private static let chunkBytes = 8 << 20

  func apply(upTo end: Offset) throws {
    while true {
      let applied = appliedOffset
      guard applied < end else { break }
      let step = try ownBatches(at: applied, upTo: end) ?? readBatches(at: applied, upTo: end)
      // A high watermark within a batch is none of ours: the rest comes with the next one.
      guard step.end > applied else { break }
      var image = self.image
      for record in step.records { image.replay(record) }
      let now = image
      published.withLock { published in
        published.image = now
        published.applied = step.end
      }
      state.withLock { $0.bytesSinceSnapshot += step.byteCount }
      observer.withLock { $0 }?.committed(step.records, now, upTo: step.end)
    }
    announce()
    try takeSnapshotIfDue()
  }

  private struct Applied {
    var records: [ClusterMetadata.MetadataRecord] = []
    var end: Offset
    var byteCount = 0
  }

  /// What this node made itself, it need not read back.
  private func ownBatches(at applied: Offset, upTo end: Offset) -> Applied? {
    state.withLock { state in
      let stale = state.own.prefix { $0.base < applied }.count
      state.own.removeFirst(stale)
      guard state.own.first?.base == applied else { return nil }
      var step = Applied(end: applied)
      let ready = state.own.prefix { $0.end <= end }
      for batch in ready {
        step.records += batch.records
        step.byteCount += batch.bytes.count
        step.end = batch.end
      }
      state.own.removeFirst(ready.count)
      return ready.isEmpty ? nil : step
    }
  }

  private func readBatches(at applied: Offset, upTo end: Offset) throws -> Applied {
    var step = Applied(end: applied)
    guard
      case .slice(let slice) = try setup.log.read(
        from: applied, maxBytes: Self.chunkBytes, upTo: end, minimum: .oneBatch)
    else { return step }
    let bytes = try slice.bytes()
    try bytes.withUnsafeBytes { raw in
      var batches = RecordBatchCursor(raw)
      while let batch = try batches.next() {
        guard batch.header.baseOffset >= step.end else { continue }
        guard batch.header.nextOffset <= end else { return }
        step.records += try MetadataBatches.facts(batch)
        step.byteCount += batch.header.totalBytes
        step.end = batch.header.nextOffset
      }
    }
    return step
  }

  /// The image is complete once the epoch's first record is applied.
  private func announce() {
    let applied = appliedOffset
    let epoch = state.withLock { state -> LeaderEpoch? in
      guard case .catchingUp(let epoch, let start) = state.leading, applied > start else { return nil }
      state.leading = .announced(epoch)
      return epoch
    }
    if let epoch { observer.withLock { $0 }?.becameLeader(epoch) }
  }
}
