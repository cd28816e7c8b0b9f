import ClusterMetadata
import EventLoop
import Synchronization
import Vocabulary

/// A change in the making: decisions see what those before them decided.
struct MetadataDraft: Sendable {
  private(set) var image: MetadataImage
  private(set) var records: [MetadataRecord] = []

  init(_ image: MetadataImage) { self.image = image }

  mutating func add<Answer>(_ decision: Decision<Answer>) -> Answer {
    add(decision.records)
    return decision.answer
  }

  mutating func add(_ more: [MetadataRecord]) {
    for record in more { image.replay(record) }
    records += more
  }
}

/// Decides what the cluster agrees on while this node leads the metadata quorum, one change at a time, on the quorum's
/// thread.
///
/// A decision sees everything decided before it, committed or not. Its answer is given when what it rests on is committed
/// and this node has followed it; an answer that can no longer become true, because the leadership went, is
/// NOT_CONTROLLER: whether the change was made is then not known, as in Kafka.
final class Controller: Sendable {
  private let quorum: MetadataQuorum
  private let sessionTimeout: TimeSpan
  private let planted: BrokerMistake?
  private let state = Mutex(State.standby)
  /// Calls its argument once everything before the offset is committed and followed here.
  private let whenFollowed: @Sendable (Offset, @escaping @Sendable () -> Void) -> Void

  private enum State {
    /// Another node is the controller, or nobody is.
    case standby
    case active(Term)
    /// A change is being decided, with the term in hand: the quorum may end it meanwhile.
    case deciding
  }

  /// One leadership.
  private struct Term {
    let epoch: LeaderEpoch
    /// With everything that was decided, also what is not committed yet.
    var image: MetadataImage
    /// Where the last record that was decided ends.
    var end: Offset
    var sessions: BrokerSessions
    var waiting: [Waiting] = []
  }

  private struct Waiting {
    let end: Offset
    /// nil: committed.
    let done: @Sendable (Refusal?) -> Void
  }

  init(
    quorum: MetadataQuorum, sessionTimeout: TimeSpan, planted: BrokerMistake? = nil,
    whenFollowed: @escaping @Sendable (Offset, @escaping @Sendable () -> Void) -> Void
  ) {
    self.quorum = quorum
    self.sessionTimeout = sessionTimeout
    self.planted = planted
    self.whenFollowed = whenFollowed
  }

  /// Whether changes are decided here.
  var isActive: Bool { state.withLock { if case .standby = $0 { false } else { true } } }

  static let notActive = Refusal(.notController, "This node is not the active controller.")

  /// Runs `decide` on the quorum's thread; `then` is called once, from some thread.
  func change<Answer: Sendable>(
    _ decide: @escaping @Sendable (inout MetadataDraft) -> Answer,
    then: @escaping @Sendable (Result<Answer, Refusal>) -> Void
  ) {
    changeKnowingSessions({ draft, _, _ in decide(&draft) }, then: then)
  }

  /// As `change`, for what has to do with whether brokers are in touch: `decide` gets their sessions and, after the
  /// records, may look at where they end.
  func changeKnowingSessions<Answer: Sendable>(
    _ decide: @escaping @Sendable (inout MetadataDraft, inout BrokerSessions, Instant) -> Answer,
    recorded: @escaping @Sendable (Answer, inout BrokerSessions, Offset) -> Void = { _, _, _ in },
    then: @escaping @Sendable (Result<Answer, Refusal>) -> Void
  ) {
    quorum.run {
      guard var term = self.take() else { return then(.failure(Self.notActive)) }
      var draft = MetadataDraft(term.image)
      let answer = decide(&draft, &term.sessions, monotonicNow())
      if !draft.records.isEmpty {
        do throws(Refusal) {
          term.end = try self.quorum.append(draft.records, in: term.epoch)
          term.image = draft.image
        } catch {
          self.putBack(term)
          return then(.failure(error))
        }
      }
      recorded(answer, &term.sessions, term.end)
      guard self.planted != .answersBeforeCommit else {
        self.putBack(term)
        return then(.success(answer))
      }
      // An answer without records of its own may rest on records of others that are not committed yet.
      term.waiting.append(
        Waiting(end: term.end) { refusal in then(refusal.map(Result.failure) ?? .success(answer)) })
      self.putBack(term)
      self.answerCommitted()
    }
  }

  private func take() -> Term? {
    state.withLock { state in
      guard case .active(let term) = state else { return nil }
      state = .deciding
      return term
    }
  }

  private func putBack(_ term: Term) {
    let isOver = state.withLock { state in
      guard case .deciding = state else { return true }
      state = .active(term)
      return false
    }
    if isOver { refuse(term.waiting) }
  }

  private func refuse(_ waiting: [Waiting]) { for one in waiting { one.done(Self.notActive) } }

  private func answerCommitted() {
    let committed = quorum.appliedOffset
    let ready: [Waiting] = state.withLock { state in
      guard case .active(var term) = state else { return [] }
      let count = term.waiting.prefix { $0.end <= committed }.count
      let ready = Array(term.waiting.prefix(count))
      term.waiting.removeFirst(count)
      state = .active(term)
      return ready
    }
    for waiting in ready {
      whenFollowed(waiting.end) { waiting.done(nil) }
    }
  }

  // MARK: What the quorum says, on its thread

  /// This node leads, and `image` is everything that was committed before.
  func begin(_ epoch: LeaderEpoch, _ image: MetadataImage, upTo end: Offset) {
    state.withLock {
      $0 = .active(
        Term(
          epoch: epoch, image: image, end: end,
          sessions: BrokerSessions(image, upTo: end, timeout: sessionTimeout, at: monotonicNow())))
    }
  }

  func committed(_ image: MetadataImage, upTo offset: Offset) {
    state.withLock { state in
      guard case .active(var term) = state, term.end == offset else { return }
      // The same, without a copy of its own in memory.
      term.image = image
      state = .active(term)
    }
    answerCommitted()
  }

  func end() {
    let waiting: [Waiting] = state.withLock { state in
      defer { state = .standby }
      if case .active(let term) = state { return term.waiting }
      return []
    }
    refuse(waiting)
  }

  // MARK: Time

  /// How long a broker may take to come back whose connection is gone.
  private static let suspicion = TimeSpan.milliseconds(500)

  /// The connection that a broker's heartbeats came by is gone.
  func lostTouch(with broker: NodeID) {
    quorum.run {
      guard var term = self.take() else { return }
      term.sessions.suspect(broker, patience: Self.suspicion, at: monotonicNow())
      self.putBack(term)
    }
  }

  /// Fences brokers of which nothing was heard for too long.
  func fenceSilent(inherited: @escaping @Sendable (MetadataImage) -> ConfigResolution) {
    guard isActive else { return }
    changeKnowingSessions({ draft, sessions, now in
      var fenced: [NodeID] = []
      for broker in sessions.expired(at: now) {
        draft.add(draft.image.fence(broker, inherited: inherited(draft.image)))
        sessions.forget(broker)
        fenced.append(broker)
      }
      return fenced
    }) { _ in }
  }
}
