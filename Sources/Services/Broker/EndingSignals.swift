import Glibc
import Vocabulary

/// SIGTERM and SIGINT, taken by one thread that waits for them; every other thread is made with them blocked.
struct EndingSignals {
  private var set = sigset_t()

  init() {
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  func wait() -> String {
    var set = set
    var signal: Int32 = 0
    sigwait(&set, &signal)
    return Self.name(signal)
  }

  /// Nil when none came in that time.
  func wait(atMost span: TimeSpan) -> String? {
    var set = set
    let milliseconds = span.milliseconds
    var limit = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    let signal = sigtimedwait(&set, nil, &limit)
    return signal > 0 ? Self.name(signal) : nil
  }

  private static func name(_ signal: Int32) -> String { signal == SIGINT ? "SIGINT" : "SIGTERM" }
}
