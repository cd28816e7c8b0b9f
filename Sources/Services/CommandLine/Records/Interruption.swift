import Glibc
import Synchronization

private let interrupted = Atomic<Bool>(false)

/// Notes that the user pressed Ctrl-C or that the process was asked to end, for a command that has something to put in
/// order first. The second time ends it at once.
enum Interruption {
  static var hasCome: Bool { interrupted.load(ordering: .relaxed) }

  static func watch() {
    // Made here, so that the handler does not have to.
    _ = hasCome
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        interrupted.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }
}
