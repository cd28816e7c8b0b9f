import EventLoop
import LogStorage
import Synchronization
import Telemetry
import Vocabulary

/// Compacts the logs that need it most, one after another, and remembers how far each is clean.
final class Compaction: Sendable {
  private let storage: Storage
  private let cleaner: Cleaner
  private let log: Log
  private let cleaned: Mutex<[TopicPartition: Offset]>

  init(storage: Storage, bufferBytes: ByteCount, log: Log) {
    self.storage = storage
    self.log = log
    var cleaner = Cleaner()
    cleaner.bufferBytes = bufferBytes
    self.cleaner = cleaner
    var cleaned: [TopicPartition: Offset] = [:]
    for folder in storage.folders {
      // A lost checkpoint only means that clean segments are read once more.
      let saved = (try? OffsetCheckpoint.cleaned.read(folder.directory.disk, folder.path)) ?? [:]
      cleaned.merge(saved) { min($0, $1) }
    }
    self.cleaned = Mutex(cleaned)
  }

  /// One round: cleans every log that is worth it, the dirtiest first. For the blocking pool.
  func run() {
    let now = wallClockNow()
    let worth = storage.table.allPartitions.compactMap { partition in
      urgency(of: partition, now).map { (partition, $0) }
    }
    guard !worth.isEmpty else { return }
    for (partition, _) in worth.sorted(by: { $0.1 > $1.1 }) { clean(partition, now) }
    let offsets = cleaned.withLock { cleaned in
      cleaned = cleaned.filter { storage.table.partition($0.key) != nil }
      return cleaned
    }
    for folder in storage.folders where !folder.hasFailed {
      do {
        let inFolder = Set(storage.partitions(in: folder).map(\.name))
        try folder.directory.save(.cleaned, offsets.filter { inFolder.contains($0.key) })
      } catch {
        log.warning("the cleaner's checkpoint cannot be written", ["folder": folder.path, "reason": "\(error)"])
      }
    }
  }

  private func firstDirty(of partition: Partition) -> Offset {
    max(cleaned.withLock { $0[partition.name] } ?? .zero, partition.log.startOffset)
  }

  private func urgency(of partition: Partition, _ now: Timestamp) -> Double? {
    guard partition.log.settings.cleanup.contains(.compact), partition.log.failure == nil else { return nil }
    do throws(StorageError) {
      // Only what is on disk is cleaned.
      try partition.log.flush(.rolledSegments)
      return try partition.log.cleaningUrgency(
        from: firstDirty(of: partition), upTo: partition.lastStableOffset, now: now)
    } catch {
      report(partition, error)
      return nil
    }
  }

  private func clean(_ partition: Partition, _ now: Timestamp) {
    do throws(StorageError) {
      let outcome = try cleaner.clean(
        partition.log, from: firstDirty(of: partition), upTo: partition.lastStableOffset, now: now)
      cleaned.withLock { $0[partition.name] = outcome.firstDirtyOffset }
      log.info(
        "compacted",
        [
          "partition": "\(partition.name)", "bytes_before": outcome.bytesBefore.value,
          "bytes_after": outcome.bytesAfter.value, "clean_to": outcome.firstDirtyOffset.value,
        ])
    } catch {
      report(partition, error)
    }
  }

  private func report(_ partition: Partition, _ error: StorageError) {
    log.log(
      .warning, atMostEvery: .seconds(10), "a log cannot be compacted",
      ["partition": "\(partition.name)", "reason": "\(error)"])
  }
}
