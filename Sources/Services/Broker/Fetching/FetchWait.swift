import EventLoop
import Synchronization
import Vocabulary

/// A Fetch that found too little: it waits until one of its partitions grows, or its time is up.
///
/// Whoever appends calls `finish` from its own thread; the first of those, of the timer and of a partition that goes
/// away completes it, and every later one finds nothing to do.
final class FetchWait: Sendable {
  private static let last = Atomic<UInt64>(0)
  /// Counts the waits of the process.
  let number = last.add(1, ordering: .relaxed).newValue
  private let partitions: [Partition]
  private let audience: Partition.Audience
  private let complete: @Sendable () -> Void
  private let state: Mutex<State>

  private enum State {
    case waiting(timer: Timer?)
    case finished
  }

  /// `complete` is called once, from any thread.
  init(
    partitions: [Partition], as audience: Partition.Audience = .consumers, complete: @escaping @Sendable () -> Void
  ) {
    self.partitions = partitions
    self.audience = audience
    self.complete = complete
    state = Mutex(.waiting(timer: nil))
  }

  /// Begins to wait. `seen` are the offsets up to which the partitions were read: what came since then counts.
  func start(seen: [Offset], until deadline: Instant, on loop: EventLoop) {
    var isGone = false
    for partition in partitions where !partition.add(self, as: audience) { isGone = true }
    let timer = loop.schedule(at: deadline) { self.finish() }
    let isFinished = state.withLock { state in
      guard case .waiting = state else { return true }
      state = .waiting(timer: timer)
      return false
    }
    guard !isFinished else {
      // Whoever finished it may have gone by before the last partitions knew of it.
      timer.cancel()
      for partition in partitions { partition.remove(self) }
      return
    }
    if isGone { return finish() }
    for (partition, offset) in zip(partitions, seen) where partition.hasMore(than: offset, for: audience) {
      finish()
      return
    }
  }

  /// The size of what came is not known here without reading: any growth is worth another look.
  func finish() {
    let timer: Timer?? = state.withLock { state in
      guard case .waiting(let timer) = state else { return nil }
      state = .finished
      return timer
    }
    guard let timer else { return }
    timer?.cancel()
    for partition in partitions { partition.remove(self) }
    complete()
  }
}
