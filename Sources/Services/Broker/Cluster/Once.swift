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

/// Several may answer, and the first of them counts.
final class FirstAnswer<Value: Sendable>: Sendable {
  private let take: Mutex<(@Sendable (Value) -> Void)?>
  init(_ take: @escaping @Sendable (Value) -> Void) { self.take = Mutex(take) }

  func give(_ value: Value) {
    let take = take.withLock { take in
      defer { take = nil }
      return take
    }
    take?(value)
  }
}
