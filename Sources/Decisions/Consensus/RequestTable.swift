import Vocabulary

/// The requests that are under way: at most one to each node, as in Kafka.
struct RequestTable {
  enum Kind: Equatable { case vote, begin, end, fetch, fetchSnapshot, update }
  struct Entry {
    let id: RequestID
    let node: NodeID
    let kind: Kind
    let deadline: Instant
  }
  private(set) var underWay: [Entry] = []
  private var pauses: [(node: NodeID, until: Instant)] = []
  private var next: UInt64 = 0

  mutating func start(_ kind: Kind, to node: NodeID, deadline: Instant) -> RequestID {
    next += 1
    let id = RequestID(next)
    underWay.append(Entry(id: id, node: node, kind: kind, deadline: deadline))
    return id
  }

  mutating func take(_ id: RequestID) -> Entry? {
    guard let at = underWay.firstIndex(where: { $0.id == id }) else { return nil }
    return underWay.remove(at: at)
  }

  mutating func fail(_ id: RequestID, retryAt: Instant) -> Entry? {
    guard let entry = take(id) else { return nil }
    pause(entry.node, until: retryAt)
    return entry
  }

  mutating func pause(_ node: NodeID, until: Instant) {
    pauses.removeAll { $0.node == node }
    pauses.append((node, until))
  }

  mutating func expire(at now: Instant, retryAfter: TimeSpan) {
    for entry in underWay where entry.deadline <= now { pause(entry.node, until: now + retryAfter) }
    underWay.removeAll { $0.deadline <= now }
    pauses.removeAll { $0.until <= now }
  }

  func isReady(_ node: NodeID) -> Bool {
    !underWay.contains { $0.node == node } && !pauses.contains { $0.node == node }
  }

  func isUnderWay(_ kind: Kind) -> Bool { underWay.contains { $0.kind == kind } }

  /// What was asked in another role or epoch concerns nobody any more.
  mutating func forgetAll() {
    underWay = []
    pauses = []
  }

  var nextDeadline: Instant {
    min(underWay.map(\.deadline).min() ?? .never, pauses.map(\.until).min() ?? .never)
  }
}
