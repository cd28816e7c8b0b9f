import CLinux
import Glibc
public import Vocabulary

/// A system call that failed: what was tried, on what, and the system's own code.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, such as `listen on 0.0.0.0:9092`.
  public let operation: String
  /// The value of `errno`.
  public let code: Int32
  /// What the system says about the code, or what the name resolution says.
  public let explanation: String

  public init(_ operation: String, code: Int32) {
    self.operation = operation
    self.code = code
    explanation = systemText(of: code)
  }
  init(_ operation: String, code: Int32, explanation: String) {
    self.operation = operation
    self.code = code
    self.explanation = explanation
  }

  public var description: String { "cannot \(operation): \(explanation)" }
}

/// The system's words for an `errno`.
func systemText(of code: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return "error \(code)" }
    return String(cString: base)
  }
}

/// What reading or writing fails with when the peer is gone.
let brokenByPeer: Set<Int32> = [ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH]

/// Makes writing to a socket whose peer is gone an error of the call and not a signal that ends the process.
/// `sendfile` has no flag for that, so a process that runs a `FrameServer` calls this once at its start.
public func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

/// Now, on the monotonic clock.
public func monotonicNow() -> Instant { Instant(nanoseconds: linux_monotonic_now()) }

/// Now, on the clock of the day.
public func wallClockNow() -> Timestamp { Timestamp(milliseconds: linux_wall_now()) }
