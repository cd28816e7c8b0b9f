import LogStorage
import Synchronization
import Vocabulary

/// The checkpoints of a log directory: recovery points, log starts and high watermarks, by partition.
final class Checkpoints: Sendable {
  private let directory: LogDirectory
  private let report: @Sendable (String, String) -> Void
  /// Held from the choice of what the checkpoints say until it is written, so that a partition that goes away
  /// meanwhile does not come back into them.
  private let choosing = Mutex<Void>(())
  private let saved: Mutex<Saved>

  private struct Saved {
    /// As they stand on disk.
    var highWatermarks: [TopicPartition: Offset]
    /// How many logs were cut: a choice that was made before a cut is made anew.
    var cuts = 0
  }

  init(directory: LogDirectory, report: @escaping @Sendable (String, String) -> Void) {
    self.directory = directory
    self.report = report
    saved = Mutex(Saved(highWatermarks: directory.highWatermarks))
  }

  /// What the last life wrote down, or this one since; zero where there is nothing.
  func highWatermark(of name: TopicPartition) -> Offset { saved.withLock { $0.highWatermarks[name] ?? .zero } }

  func save(_ partitions: () -> [Partition]) {
    choosing.withLock { _ in
      let partitions = partitions()
      var recovery: [TopicPartition: Offset] = [:]
      var starts: [TopicPartition: Offset] = [:]
      for partition in partitions {
        recovery[partition.name] = partition.log.syncedOffset
        let start = partition.log.startOffset
        if start > .zero { starts[partition.name] = start }
      }
      do throws(StorageError) {
        try directory.save(.recoveryPoints, recovery)
        try directory.save(.logStarts, starts)
        try saveHighWatermarks(of: partitions)
      } catch {
        report("checkpoints cannot be written", "\(error)")
      }
    }
  }

  func saveHighWatermarks(of partitions: [Partition]) throws(StorageError) {
    var isWritten = false
    while !isWritten {
      let cuts = saved.withLock { $0.cuts }
      var marks: [TopicPartition: Offset] = [:]
      for partition in partitions { marks[partition.name] = partition.highWatermark }
      isWritten = try saved.withLock { saved throws(StorageError) in
        guard saved.cuts == cuts else { return false }
        if saved.highWatermarks != marks { try directory.save(.highWatermarks, marks) }
        saved.highWatermarks = marks
        return true
      }
    }
  }

  /// The log was cut: what is on disk must not vouch for what comes in that place.
  func lower(_ name: TopicPartition, to offset: Offset) throws(StorageError) {
    try saved.withLock { saved throws(StorageError) in
      saved.cuts += 1
      guard let mark = saved.highWatermarks[name], mark > offset else { return }
      var marks = saved.highWatermarks
      marks[name] = offset
      try directory.save(.highWatermarks, marks)
      saved.highWatermarks = marks
    }
  }

  /// Before anything new may have their names.
  func forget(_ names: Set<TopicPartition>) {
    choosing.withLock { _ in
      saved.withLock { saved in
        saved.cuts += 1
        saved.highWatermarks = saved.highWatermarks.filter { !names.contains($0.key) }
        do {
          if !names.isEmpty { try directory.forget(names) }
        } catch {
          report("checkpoints still name a deleted topic", "\(error)")
        }
      }
    }
  }
}
