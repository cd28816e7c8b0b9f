import CLinux
import EventLoop
import Glibc

/// Wakes one thread that waits; rung more than once it wakes it once.
final class Bell: Sendable {
  let descriptor: Int32

  init() throws(SystemError) {
    descriptor = linux_eventfd()
    guard descriptor >= 0 else { throw SystemError("make an eventfd", code: -descriptor) }
  }
  deinit { close(descriptor) }

  func ring() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Whether it was rung before the time was over.
  @discardableResult func wait(milliseconds: Int64) -> Bool {
    guard linux_poll_readable(descriptor, Int32(clamping: max(0, milliseconds))) > 0 else { return false }
    silence()
    return true
  }

  func silence() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
