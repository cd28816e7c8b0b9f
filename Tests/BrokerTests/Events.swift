import CLinux
import Glibc
import Synchronization
import Testing

/// What other threads report, in order, to be awaited by the thread of a test.
final class Events<Event: Sendable>: Sendable {
  private let list = Mutex<[Event]>([])
  private let signal = linux_eventfd_semaphore()
  /// A test whose event never comes fails instead of hanging.
  private static var patience: Int32 { 30_000 }

  deinit { close(signal) }

  func add(_ event: Event) {
    list.withLock { $0.append(event) }
    var one: UInt64 = 1
    _ = write(signal, &one, 8)
  }

  func next() throws -> Event {
    try #require(linux_poll_readable(signal, Self.patience) == 1, "the event did not come")
    var taken: UInt64 = 0
    _ = read(signal, &taken, 8)
    return list.withLock { $0.removeFirst() }
  }

  /// Events that nobody has taken yet.
  var count: Int { list.withLock { $0.count } }
}
