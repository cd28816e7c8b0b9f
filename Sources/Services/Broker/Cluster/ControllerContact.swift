import EventLoop
import Synchronization
import Vocabulary

/// When the controller was last known to count this broker among the living.
///
/// What counts is when the heartbeat was sent that was answered: the controller's own measure of the broker's session
/// began later than that.
final class ControllerContact: Sendable {
  /// `broker.session.timeout.ms`; without end for a broker that is alone, and sends itself no heartbeats.
  let session: TimeSpan
  private let heardAt: Atomic<Int64>
  private let wasLost = Atomic(false)

  init(session: TimeSpan, at now: Instant = monotonicNow()) {
    self.session = session
    heardAt = Atomic(now.nanoseconds)
  }

  convenience init(_ settings: BrokerSettings) {
    let isAlone = settings.quorum == .alone
    self.init(session: isAlone ? .milliseconds(.max) : settings.reader.milliseconds("broker.session.timeout.ms"))
  }

  func heard(_ sentAt: Instant) {
    heardAt.store(sentAt.nanoseconds, ordering: .relaxed)
    wasLost.store(false, ordering: .relaxed)
  }

  /// This node was the controller itself and is it no more, maybe since no majority was heard of: until another
  /// controller answers, what it said about this broker is worth nothing.
  func lost() { wasLost.store(true, ordering: .relaxed) }

  /// Whether no controller has answered for a session.
  func isSilent(at now: Instant) -> Bool {
    now - Instant(nanoseconds: heardAt.load(ordering: .relaxed)) > session
  }

  /// Whether a controller may have given this broker up by now.
  func mayHaveGivenUp(at now: Instant) -> Bool { wasLost.load(ordering: .relaxed) || isSilent(at: now) }
}
