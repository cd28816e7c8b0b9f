import Glibc
public import Vocabulary

/// SIGTERM and SIGINT, taken by one thread that waits for them. To be made before every other thread, which then has them
/// blocked.
public struct EndingSignals {
  private var set = sigset_t()

  public init() {
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// The name of the signal that came.
  public func wait() -> String {
    var set = set
    var signal: Int32 = 0
    sigwait(&set, &signal)
    return Self.name(signal)
  }

  /// Nil when none came in that time.
  public func wait(atMost span: TimeSpan) -> String? {
    var set = set
    let milliseconds = span.milliseconds
    var limit = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    let signal = sigtimedwait(&set, nil, &limit)
    return signal > 0 ? Self.name(signal) : nil
  }

  private static func name(_ signal: Int32) -> String { signal == SIGINT ? "SIGINT" : "SIGTERM" }
}
