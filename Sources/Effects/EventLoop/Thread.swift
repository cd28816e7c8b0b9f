import CLinux
import Glibc
import Vocabulary

/// A thread of the system, to be joined once.
struct Thread: Sendable {
  private let handle: pthread_t

  /// The name is cut to 15 characters.
  init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = Unmanaged.passRetained(
      Start {
        linux_name_thread(name)
        body()
      })
    var handle = pthread_t()
    let status = pthread_create(
      &handle, nil,
      { argument in
        if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw SystemError("start thread \(name)", code: status)
    }
    self.handle = handle
  }

  func join() { pthread_join(handle, nil) }

  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

/// Counts what is there to take; who finds nothing waits.
///
/// An eventfd does it, since a descriptor may be shared by threads and needs no unsafe memory.
public final class Semaphore: Sendable {
  private let descriptor: Int32

  public init() throws(SystemError) {
    descriptor = linux_eventfd_semaphore()
    guard descriptor >= 0 else { throw SystemError("make a semaphore", code: -descriptor) }
  }
  deinit { close(descriptor) }

  public func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  public func wait() {
    var taken: UInt64 = 0
    while read(descriptor, &taken, 8) != 8 {}
  }

  /// Whether there was something to take before the deadline. Only for one waiting thread.
  func wait(until deadline: Instant) -> Bool {
    while true {
      let rest = (deadline - monotonicNow()).milliseconds
      let ready = linux_poll_readable(descriptor, Int32(clamping: max(0, rest + 1)))
      if ready > 0 {
        wait()
        return true
      }
      if ready == 0 && rest <= 0 { return false }
    }
  }
}
