import Synchronization
package import Vocabulary

/// Threads for what may block: waiting for the disk, resolving names. A thread starts when a job finds
/// none idle, up to the limit; further jobs wait in order.
public final class BlockingPool: Sendable {
  private struct State {
    var jobs = Ring<@Sendable () -> Void>()
    var threads: [Thread] = []
    var idle = 0
    var isStopped = false
    /// Jobs under way in a pool that is conducted: one of them waits for another.
    var performing = 0
  }
  private let state = Mutex(State())
  private let available: Semaphore
  private let threadsMax: Int
  private let name: String
  let resolver: NameResolver
  let questions = NameQuestions()
  /// Who has the jobs run in the place of threads.
  private let conductor = Conducting.conductor

  /// Fails only when the process has no descriptor left.
  public convenience init(threads: Int, name: String = "blocking") throws(SystemError) {
    try self.init(threads: threads, name: name) { host, port throws(SystemError) in
      try ResolvedAddress.resolve(host: host, port: port, for: .connecting)
    }
  }

  /// With another resolver than the system's.
  package init(threads: Int, name: String, resolver: @escaping NameResolver) throws(SystemError) {
    precondition(threads > 0, "a pool without threads runs nothing")
    available = try Semaphore()
    threadsMax = threads
    self.name = name
    self.resolver = resolver
    conductor?.joined(self)
  }

  /// Jobs that are given after `stop` are dropped.
  public func run(_ job: @escaping @Sendable () -> Void) {
    let isTaken = state.withLock { state in
      if state.isStopped { return false }
      state.jobs.append(job)
      guard conductor == nil else { return false }
      if state.jobs.count > state.idle && state.threads.count < threadsMax {
        // Without a new thread the job waits for an old one; without any, the next job tries again.
        if let thread = try? Thread(name: name, { [self] in work() }) { state.threads.append(thread) }
      }
      return true
    }
    if isTaken { available.signal() }
  }

  /// Runs what is queued, then ends and joins the threads. Not to be called from a job.
  public func stop() {
    let threads = state.withLock { state in
      state.isStopped = true
      defer { state.threads = [] }
      return state.threads
    }
    conductor?.wait(until: .never) { state.withLock { $0.jobs.isEmpty && $0.performing == 0 } }
    for _ in threads { available.signal() }
    for thread in threads { thread.join() }
  }

  private func work() {
    while true {
      state.withLock { $0.idle += 1 }
      available.wait()
      let job = state.withLock { state in
        state.idle -= 1
        return state.jobs.popFirst()
      }
      // Nothing is there to take only when `stop` signalled.
      guard let job else { return }
      job()
    }
  }
}

extension BlockingPool: ConductedPart {
  package var nextDuty: Instant? {
    state.withLock { $0.jobs.isEmpty || $0.performing == threadsMax ? nil : Instant(nanoseconds: 0) }
  }

  /// Runs one of the jobs that threads would have begun by now.
  package func perform() {
    let job = state.withLock { state -> (@Sendable () -> Void)? in
      let begun = min(state.jobs.count, threadsMax - state.performing)
      guard begun > 0, let conductor else { return nil }
      var passed: [@Sendable () -> Void] = []
      for _ in 0..<Int(conductor.chance() % UInt64(begun)) {
        if let job = state.jobs.popFirst() { passed.append(job) }
      }
      let job = state.jobs.popFirst()
      for earlier in passed { state.jobs.append(earlier) }
      state.performing += 1
      return job
    }
    guard let job else { return }
    job()
    state.withLock { $0.performing -= 1 }
  }

  package func abandon() {
    let jobs = state.withLock { state in
      state.isStopped = true
      defer { state.jobs = Ring() }
      return state.jobs
    }
    _ = consume jobs
  }
}
