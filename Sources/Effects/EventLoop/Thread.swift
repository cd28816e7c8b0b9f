import CLinux
import Glibc
import Synchronization
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
  /// Lets others perform while one waits, where there are no threads.
  private let conductor = Conducting.conductor
  private let conducted = Mutex(0)

  public init() throws(SystemError) {
    guard conductor == nil else {
      descriptor = -1
      return
    }
    descriptor = linux_eventfd_semaphore()
    guard descriptor >= 0 else { throw SystemError("make a semaphore", code: -descriptor) }
  }
  deinit { if descriptor >= 0 { close(descriptor) } }

  public func signal() {
    guard conductor == nil else { return conducted.withLock { $0 += 1 } }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  public func wait() {
    if let conductor {
      _ = take(until: .never, conductor)
      return
    }
    var taken: UInt64 = 0
    while read(descriptor, &taken, 8) != 8 {}
  }

  /// Whether there was something to take before the deadline. Only for one waiting thread.
  func wait(until deadline: Instant) -> Bool {
    if let conductor { return take(until: deadline, conductor) }
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

  private func take(until deadline: Instant, _ conductor: any Conductor) -> Bool {
    conductor.wait(until: deadline) { conducted.withLock { $0 > 0 } }
    return conducted.withLock { count in
      defer { count = max(0, count - 1) }
      return count > 0
    }
  }
}
