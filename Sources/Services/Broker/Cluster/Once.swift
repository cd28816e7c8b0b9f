import Synchronization

/// Something that several may set off, and that happens once.
final class Once: Sendable {
  private let job: Mutex<(@Sendable () -> Void)?>
  init(_ job: @escaping @Sendable () -> Void) { self.job = Mutex(job) }

  func run() {
    let job = job.withLock { job in
      defer { job = nil }
      return job
    }
    job?()
  }
}
