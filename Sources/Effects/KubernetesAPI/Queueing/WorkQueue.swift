import EventLoop
import Synchronization
public import Telemetry
public import Vocabulary

/// Thrown by work that has not begun: its key comes again after a time, as many failures behind it as before.
public struct WorkLater: Error {
  public let pause: TimeSpan
  public init(_ pause: TimeSpan) { self.pause = pause }
}

/// A `WorkQueueCore` that tasks wait on, with the real time.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
  private struct State {
    var core: WorkQueueCore<Key>
    var waiting: [CheckedContinuation<Key?, Never>] = []
    var alarm: (at: Instant, task: Task<Void, Never>)?
    var isClosed = false
  }
  private let state: Mutex<State>
  private let worked: Histogram?

  /// With a registry it tells of itself what controllers on client-go tell, under the same names and with `name` as label.
  public init(_ name: String = "", pauses: WorkQueueCore<Key>.Pauses = .init(), metrics: MetricRegistry? = nil) {
    state = Mutex(State(core: WorkQueueCore(pauses: pauses)))
    worked = metrics?.histogram(
      "workqueue_work_duration_seconds", help: "Time that one key takes.", labels: ["name": name],
      bounds: [0.001, 0.01, 0.1, 1, 10, 60])
    guard let metrics else { return }
    let figures: [(String, String, MetricRegistry.Kind, @Sendable (WorkQueueCore<Key>) -> Int)] = [
      ("workqueue_depth", "Keys that wait for a worker.", .gauge, { $0.readyCount }),
      ("workqueue_adds_total", "Keys that were added and did not wait already.", .counter, { $0.addCount }),
      ("workqueue_retries_total", "Keys that failed and came again later.", .counter, { $0.retryCount }),
    ]
    for (figure, help, kind, read) in figures {
      metrics.collect(figure, help: help, kind: kind) { [weak self] in
        guard let self else { return [] }
        return [MetricSample(["name": name], Double(self.state.withLock { read($0.core) }))]
      }
    }
  }
  deinit { state.withLock { $0.alarm?.task.cancel() } }

  /// Keys that come later.
  public var delayed: Int { state.withLock { $0.core.delayedCount } }
  public func failures(of key: Key) -> Int { state.withLock { $0.core.failures(of: key) } }

  public func add(_ key: Key) { change { core, _ in core.add(key) } }
  public func add(_ key: Key, after pause: TimeSpan) { change { core, now in core.add(key, after: pause, at: now) } }
  public func retry(_ key: Key) { change { core, now in core.retry(key, at: now) } }
  public func forget(_ key: Key) { change { core, _ in core.forget(key) } }
  public func done(_ key: Key) { change { core, _ in core.done(key) } }

  /// The next key; nil once the queue is closed. A task that waits here is woken by `close`, not by its cancellation.
  public func next() async -> Key? {
    await withCheckedContinuation { continuation in
      let isClosed = state.withLock { state in
        if !state.isClosed { state.waiting.append(continuation) }
        return state.isClosed
      }
      if isClosed { continuation.resume(returning: nil) } else { change { _, _ in } }
    }
  }

  public func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      state.alarm?.task.cancel()
      state.alarm = nil
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume(returning: nil) }
  }

  /// Works on keys with so many tasks until the queue is closed. A key that throws comes again after a pause that doubles
  /// with each failure; one that returns a time comes again after it.
  public func work(tasks: Int, _ body: @escaping @Sendable (Key) async throws -> TimeSpan?) async {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<tasks {
        group.addTask {
          while let key = await self.next() {
            let began = monotonicNow()
            defer { self.worked?.observe(Double((monotonicNow() - began).nanoseconds) / 1e9) }
            do {
              let again = try await body(key)
              self.forget(key)
              if let again { self.add(key, after: again) }
            } catch let later as WorkLater {
              self.add(key, after: later.pause)
            } catch { self.retry(key) }
            self.done(key)
          }
        }
      }
    }
  }

  private func change(_ body: (inout WorkQueueCore<Key>, Instant) -> Void) {
    let now = monotonicNow()
    let given = state.withLock { state -> [(CheckedContinuation<Key?, Never>, Key)] in
      body(&state.core, now)
      var given: [(CheckedContinuation<Key?, Never>, Key)] = []
      while !state.waiting.isEmpty, let key = state.core.next(at: now) {
        given.append((state.waiting.removeFirst(), key))
      }
      setAlarm(&state, now)
      return given
    }
    for (continuation, key) in given { continuation.resume(returning: key) }
  }

  /// While somebody waits, an alarm is set for the first delayed key.
  private func setAlarm(_ state: inout State, _ now: Instant) {
    guard !state.isClosed, !state.waiting.isEmpty, let due = state.core.nextDue else { return }
    if let alarm = state.alarm, alarm.at <= due, alarm.at > now { return }
    state.alarm?.task.cancel()
    let pause = max(0, (due - now).nanoseconds)
    state.alarm = (
      due,
      Task { [weak self] in
        guard (try? await Task.sleep(nanoseconds: UInt64(pause))) != nil else { return }
        self?.change { _, _ in }
      }
    )
  }
}
