import CLinux
public import EventLoop
import Glibc

/// A thread that is joined once.
public struct JoinedThread: Sendable {
  private let handle: pthread_t

  /// The name is cut to 15 characters.
  public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = Unmanaged.passRetained(
      ThreadStart {
        linux_name_thread(name)
        body()
      })
    var handle = pthread_t()
    let status = pthread_create(
      &handle, nil,
      { argument in
        if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw SystemError("start thread \(name)", code: status)
    }
    self.handle = handle
  }

  public func join() { pthread_join(handle, nil) }
}

private final class ThreadStart {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
