import EventLoop
import Vocabulary

/// A line on standard error about work that takes long. It appears after a second, when somebody may be looking,
/// changes a few times a second, and goes away at the end.
struct Progress {
  static let patience = TimeSpan.seconds(1)
  static let interval = TimeSpan.milliseconds(200)

  private let console: Console
  private var next: Instant
  private var width = 0

  init(_ console: Console, now: Instant = monotonicNow()) {
    self.console = console
    next = now + Self.patience
  }

  mutating func show(_ line: @autoclosure () -> String, now: Instant = monotonicNow()) {
    guard console.isErrorATerminal, now >= next else { return }
    let line = line()
    console.writeError("\r" + line + String(repeating: " ", count: max(0, width - line.count)))
    width = line.count
    next = now + Self.interval
  }

  mutating func end() {
    if width > 0 { console.writeError("\r" + String(repeating: " ", count: width) + "\r") }
    width = 0
  }
}
