import CLinux
import EventLoop
import Glibc

/// Starts a thread that nobody joins. The name is cut to 15 characters.
func startDetachedThread(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
  let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
  var handle = pthread_t()
  let status = pthread_create(
    &handle, nil,
    { argument in
      guard let argument else { return nil }
      let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
      linux_name_thread(start.name)
      start.body()
      return nil
    }, start.toOpaque())
  guard status == 0 else {
    start.release()
    throw SystemError("start thread \(name)", code: status)
  }
  pthread_detach(handle)
}

private final class ThreadStart {
  let name: String
  let body: @Sendable () -> Void
  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}
