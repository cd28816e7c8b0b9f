import Glibc
import Synchronization
package import Vocabulary

extension EventLoop: ConductedPart {
  func startConducted() {
    inbox.withLock { inbox in
      guard case .new = inbox.phase else { preconditionFailure("a loop starts once") }
      inbox.phase = .conducted
    }
    conducted.withLock { $0 = LoopCore(self) }
    conductor?.joined(self)
  }

  var hasStopped: Bool { inbox.withLock { if case .stopped = $0.phase { true } else { false } } }

  package var nextDuty: Instant? {
    // What is under way on the loop waits for something: until then the loop does nothing else.
    guard !isCurrent else { return nil }
    let hasMessages = inbox.withLock { inbox in
      if case .stopping = inbox.phase { return true }
      return !inbox.messages.isEmpty
    }
    if hasMessages { return Instant(nanoseconds: 0) }
    return conducted.withLock { core in
      guard let next = core?.nextDuty, next != .never else { return nil }
      return next
    }
  }

  /// The loop's own state belongs to whoever performs: others look at `isCurrent` first.
  package func perform() {
    conducted.withLock { core in
      threadID.store(UInt(pthread_self()), ordering: .relaxed)
      if core?.performOne() == false { core.take()?.abandon() }
      threadID.store(0, ordering: .relaxed)
    }
  }

  package func abandon() {
    let messages = inbox.withLock { inbox in
      inbox.phase = .stopped
      defer { inbox.messages = [] }
      return inbox.messages
    }
    // Whoever set a timer may hold it, and its job may hold whoever set it.
    for case .timer(let node) in messages { _ = node.take() }
    _ = consume messages
    if !isCurrent { conducted.withLock { $0.take() }?.abandon() }
  }
}
