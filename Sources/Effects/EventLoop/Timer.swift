import Synchronization
import Vocabulary

/// A job that an `EventLoop` will run at its time, unless it is cancelled before.
public struct Timer: Sendable {
  let node: TimerNode

  /// Says whether the job was prevented: false means that it ran, runs now, or was cancelled before.
  /// May be called from any thread, any number of times.
  @discardableResult public func cancel() -> Bool { node.cancel() }
}

/// One timer; whoever takes the job out of it, the loop or the one who cancels, was first.
final class TimerNode: Sendable {
  let deadline: Instant
  private let job: Mutex<(@Sendable () -> Void)?>
  private let cancelled: CancelledCount

  init(deadline: Instant, cancelled: CancelledCount, job: @escaping @Sendable () -> Void) {
    self.deadline = deadline
    self.cancelled = cancelled
    self.job = Mutex(job)
  }

  func take() -> (@Sendable () -> Void)? { job.withLock { $0.take() } }
  var isSpent: Bool { job.withLock { $0 == nil } }

  func cancel() -> Bool {
    guard take() != nil else { return false }
    cancelled.value.add(1, ordering: .relaxed)
    return true
  }
}

/// How many cancelled timers still lie in the heap.
final class CancelledCount: Sendable {
  let value = Atomic<Int>(0)
}

/// The timers of one loop, the earliest on top. A cancelled timer stays until its time comes or until half of all
/// are cancelled; then all of those are thrown out together, which keeps both operations cheap.
struct TimerHeap {
  /// With fewer than this many it is not worth while to clear out.
  private static let clearingMin = 64

  private struct Entry {
    let deadline: Int64
    /// Timers of one time run in the order in which they were set.
    let number: UInt64
    let node: TimerNode
    func isBefore(_ other: Entry) -> Bool {
      deadline != other.deadline ? deadline < other.deadline : number < other.number
    }
  }
  private var entries: [Entry] = []
  private var lastNumber: UInt64 = 0
  private let cancelled: CancelledCount

  init(cancelled: CancelledCount) { self.cancelled = cancelled }

  var count: Int { entries.count }
  /// When the next timer is due.
  var next: Instant? { entries.first.map { Instant(nanoseconds: $0.deadline) } }

  mutating func insert(_ node: TimerNode) {
    let dead = cancelled.value.load(ordering: .relaxed)
    if dead > Self.clearingMin && dead > entries.count / 2 { clearOut() }
    lastNumber += 1
    entries.append(Entry(deadline: node.deadline.nanoseconds, number: lastNumber, node: node))
    rise(from: entries.count - 1)
  }

  /// The job of a timer that is due; cancelled ones are passed over.
  mutating func popDue(at now: Instant) -> (@Sendable () -> Void)? {
    while let top = entries.first, top.deadline <= now.nanoseconds {
      removeTop()
      if let job = top.node.take() { return job }
      cancelled.value.subtract(1, ordering: .relaxed)
    }
    return nil
  }

  mutating func abandon() {
    for entry in entries { _ = entry.node.take() }
    entries = []
  }

  private mutating func clearOut() {
    let before = entries.count
    entries.removeAll { $0.node.isSpent }
    cancelled.value.subtract(before - entries.count, ordering: .relaxed)
    for index in stride(from: entries.count / 2, through: 0, by: -1) where index < entries.count { sink(from: index) }
  }

  private mutating func removeTop() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    if !entries.isEmpty { sink(from: 0) }
  }

  private mutating func rise(from start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBefore(entries[parent]) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func sink(from start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
        if entries[child].isBefore(entries[least]) { least = child }
      }
      if least == parent { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
