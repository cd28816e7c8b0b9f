public import Vocabulary

/// Who was heard of when: the part of the brokers' lives that is not recorded, since every new controller starts it
/// afresh. Only the controller that leads has one.
public struct BrokerSessions: Sendable {
  /// broker.session.timeout.ms
  public static let timeoutDefault = TimeSpan.milliseconds(2000)

  private struct Session: Sendable {
    var heardAt: Instant
    /// How far into the metadata the broker has read.
    var metadata: Offset
    /// Where its controlled shutdown was written; others must read that far before it stops.
    var shutdown: Offset?
  }

  /// A broker of which nothing was heard for this long is fenced.
  public let timeout: TimeSpan
  private var sessions: [NodeID: Session] = [:]

  public init(timeout: TimeSpan = timeoutDefault) { self.timeout = timeout }

  /// A controller that has just been elected knows nobody's last heartbeat: every broker gets half a timeout, which is
  /// enough for those who live, since they come as soon as they know of it. Nor
  /// does it know since when a broker stops: others know of it when they have read all that the controller began with,
  /// which ends at `end`.
  public init(_ image: MetadataImage, upTo end: Offset, timeout: TimeSpan = timeoutDefault, at now: Instant) {
    self.timeout = timeout
    for broker in image.liveBrokers {
      touch(broker.id, metadata: .none, at: now)
      sessions[broker.id]?.heardAt = Instant(nanoseconds: now.nanoseconds - timeout.nanoseconds / 2)
      if broker.isShuttingDown { shutdownBegan(broker.id, at: end) }
    }
  }

  /// The broker was heard of: it registered or sent a heartbeat.
  public mutating func touch(_ broker: NodeID, metadata: Offset, at now: Instant) {
    let earlier = sessions[broker]
    sessions[broker] = Session(
      heardAt: max(now, earlier?.heardAt ?? now), metadata: max(metadata, earlier?.metadata ?? .none),
      shutdown: earlier?.shutdown)
  }

  /// The connection that the broker's heartbeats came by is gone, which may be its process: it is fenced after `patience`,
  /// unless it is heard of again. One that lives comes back at once.
  public mutating func suspect(_ broker: NodeID, patience: TimeSpan, at now: Instant) {
    guard let session = sessions[broker], patience < timeout else { return }
    let latest = Instant(nanoseconds: now.nanoseconds - timeout.nanoseconds + patience.nanoseconds)
    sessions[broker]?.heardAt = min(session.heardAt, latest)
  }

  /// A new process has this id: what the old one had read says nothing about it.
  public mutating func restart(_ broker: NodeID, at now: Instant) {
    sessions[broker] = Session(heardAt: now, metadata: .none, shutdown: nil)
  }

  public mutating func forget(_ broker: NodeID) { sessions.removeValue(forKey: broker) }

  public func session(of broker: NodeID, at now: Instant) -> BrokerSession {
    guard let session = sessions[broker], now < session.heardAt + timeout else { return .ended }
    return .alive
  }

  /// Those to fence now, the longest silent first.
  public func expired(at now: Instant) -> [NodeID] {
    sessions.filter { $0.value.heardAt + timeout <= now }
      .sorted { ($0.value.heardAt, $0.key) < ($1.value.heardAt, $1.key) }.map(\.key)
  }

  /// When to look again; `.never` while nobody has a session.
  public var nextDeadline: Instant { sessions.values.map { $0.heardAt + timeout }.min() ?? .never }

  /// The records that move the broker's leaders away end at `offset`. To be said of every heartbeat of a broker that
  /// stops from which records came.
  public mutating func shutdownBegan(_ broker: NodeID, at offset: Offset) { sessions[broker]?.shutdown = offset }

  /// Whether every other broker with a session knows that this one leads nothing any more.
  public func everyoneElseKnows(shutdownOf broker: NodeID, at now: Instant) -> Bool {
    guard let offset = sessions[broker]?.shutdown else { return false }
    return sessions.allSatisfy { id, other in
      id == broker || session(of: id, at: now) == .ended || other.metadata >= offset
    }
  }
}

/// Whether a process with some broker id is still in touch.
public enum BrokerSession: Sendable, Equatable {
  case alive
  case ended
}
