import Glibc
import Synchronization

extension LogDirectory {
  /// Closes many logs side by side, and says which of them were not left clean.
  ///
  /// Every log that was written to needs a few syncs, and the journal merges those that come at once: 32 threads
  /// sync fifty times as many as one. Blocks until all are closed.
  public static func close(_ logs: [PartitionLog], threads: Int = 32) -> [(log: PartitionLog, error: StorageError)] {
    let work = ClosingWork(logs)
    var running: [pthread_t] = []
    for _ in 0..<max(0, min(threads, logs.count) - 1) {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(work)
      let result = pthread_create(
        &thread, nil,
        { raw in
          guard let raw else { return nil }
          Unmanaged<ClosingWork>.fromOpaque(raw).takeRetainedValue().run()
          return nil
        }, argument.toOpaque())
      if result == 0 { running.append(thread) } else { argument.release() }
    }
    work.run()
    for thread in running { pthread_join(thread, nil) }
    return work.failures
  }
}

/// Logs that several threads close, each taking the next.
private final class ClosingWork: Sendable {
  private let logs: [PartitionLog]
  private let next = Atomic<Int>(0)
  private let failed = Mutex<[(log: PartitionLog, error: StorageError)]>([])

  init(_ logs: [PartitionLog]) { self.logs = logs }

  var failures: [(log: PartitionLog, error: StorageError)] { failed.withLock { $0 } }

  func run() {
    while true {
      let place = next.add(1, ordering: .relaxed).oldValue
      guard place < logs.count else { return }
      if case .unclean(let error) = logs[place].close() { failed.withLock { $0.append((logs[place], error)) } }
    }
  }
}
