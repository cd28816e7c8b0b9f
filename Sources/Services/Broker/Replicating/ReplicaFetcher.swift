import EventLoop
import KafkaProtocol
import Replication
import Synchronization
import Vocabulary

/// The answer to a Fetch with its bytes: ranges of records count from `bodyStart`.
struct FetchedFrame: Sendable {
  let response: FetchResponse
  let frame: [UInt8]
  let bodyStart: Int
}

/// Limits of the Fetches that brokers copy with.
struct CopySettings: Sendable {
  /// `replica.fetch.max.bytes`, of one partition.
  var partitionMaxBytes: Int32 = 1 << 20
  /// `replica.fetch.response.max.bytes`
  var responseMaxBytes: Int32 = 10 << 20
  /// `replica.fetch.wait.max.ms`
  var wait = TimeSpan.milliseconds(500)
  /// `replica.fetch.min.bytes`
  var minBytes: Int32 = 1
  /// `replica.fetch.backoff.ms`: the pause after a broker could not be asked.
  var backoff = TimeSpan.seconds(1)
}

/// Copies from one broker: one Fetch at a time, for all partitions that want something of it.
///
/// An order stays until its partition is answered, over many requests if nothing comes: the leader remembers it, so
/// that a broker whose partitions are all quiet says nothing about them.
final class ReplicaFetcher: Sendable {
  typealias Ask =
    @Sendable (
      _ leader: NodeID, KafkaProtocol.FetchRequest, @escaping @Sendable (FetchedFrame?) -> Void
    ) -> Void

  private let leader: NodeID
  private let world: ReplicaFetchers.World
  private let state = Mutex(State())

  private struct State {
    var phase = Phase.idle
    var orders: [CopyKey: FetchOrder] = [:]
    /// Orders that the last request left out, since the follower's limit was reached.
    var heldBack: Set<CopyKey> = []
    /// When they are looked at again, where nothing else asks before.
    var alarm: Timer?
    var session = CopySession()
    /// Requests in a row that came to nothing.
    var failures = 0
  }

  private enum Phase {
    case idle
    /// A request is about to be sent, on its way, or its answer is being taken.
    case asking
    case resting
    case stopped
  }

  init(leader: NodeID, world: ReplicaFetchers.World) {
    self.leader = leader
    self.world = world
  }

  func want(_ order: FetchOrder) {
    let key = CopyKey(order.partition)
    let mustStart = state.withLock { state in
      if let old = state.orders[key], !order.isLater(than: old) { return false }
      state.orders[key] = order
      state.session.changed(key)
      guard case .idle = state.phase else { return false }
      state.phase = .asking
      return true
    }
    if mustStart { world.pool.run { self.ask() } }
  }

  func drop(_ key: CopyKey) {
    state.withLock { state in
      state.orders.removeValue(forKey: key)
      state.session.changed(key)
    }
  }

  /// Asks for what was held back, if it need not be any more.
  func lookAgain() {
    let mustStart = state.withLock { state in
      guard case .idle = state.phase, !state.heldBack.isEmpty else { return false }
      state.phase = .asking
      return true
    }
    if mustStart { world.pool.run { self.ask() } }
  }

  func stop() { state.withLock { $0.phase = .stopped } }

  private func ask() {
    let settings = world.settings
    let now = monotonicNow()
    let next: (request: KafkaProtocol.FetchRequest, holdsBack: Bool)? = state.withLock { state in
      guard case .asking = state.phase else { return nil }
      let orders = holdBack(&state, now)
      guard !orders.isEmpty else {
        state.phase = .idle
        if !state.heldBack.isEmpty { setAlarm(&state, now) }
        return nil
      }
      let request = state.session.request(for: orders, partitionMaxBytes: settings.partitionMaxBytes)
      return (request, !state.heldBack.isEmpty)
    }
    guard let next else { return }
    var request = next.request
    // What is held back is not to wait for the others.
    let wait =
      next.holdsBack
      ? min(settings.wait, max(.milliseconds(1), world.throttle.ready(at: now) - now)) : settings.wait
    request.replicaID = world.node.value
    request.replicaState.replicaID = world.node.value
    request.replicaState.replicaEpoch = world.brokerEpoch.value
    request.maxWaitMs = Int32(clamping: wait.milliseconds)
    request.minBytes = settings.minBytes
    request.maxBytes = settings.responseMaxBytes
    // What came is parsed, checked and written on a thread that may block, never on the connection's loop.
    world.ask(leader, request) { answer in self.world.pool.run { self.answered(answer) } }
  }

  /// What may be asked for now. While the limit is reached (KIP-73), the copies that it is for are left out of the
  /// leader's session, so that they do not hold up the others.
  private func holdBack(_ state: inout State, _ now: Instant) -> [CopyKey: FetchOrder] {
    var orders = state.orders
    var heldBack: Set<CopyKey> = []
    if world.throttle.isUsedUp(at: now) {
      for (key, order) in state.orders where order.partition.copiesThrottled {
        heldBack.insert(key)
        orders.removeValue(forKey: key)
      }
    }
    for key in heldBack.symmetricDifference(state.heldBack) { state.session.changed(key) }
    state.heldBack = heldBack
    return orders
  }

  /// Under the lock: there is at most one. Where nothing is ever allowed, a change of the rate asks again.
  private func setAlarm(_ state: inout State, _ now: Instant) {
    state.alarm?.cancel()
    let ready = world.throttle.ready(at: now)
    state.alarm = ready == .never ? nil : world.loop.schedule(at: ready) { self.lookAgain() }
  }

  private func answered(_ answer: FetchedFrame?) {
    guard let answer else { return rest() }
    guard isAsking else { return }
    switch answer.response.errorCode {
    case .none: break
    case .fetchSessionIdNotFound, .invalidFetchSessionEpoch, .fetchSessionTopicIdError:
      return startAnew()
    default: return rest()
    }
    take(answer)
    state.withLock { state in
      state.failures = 0
      state.session.answered(sessionID: answer.response.sessionID)
    }
    ask()
  }

  private var isAsking: Bool { state.withLock { if case .asking = $0.phase { true } else { false } } }

  private func take(_ answer: FetchedFrame) {
    answer.frame.withUnsafeBytes { raw in
      // A log takes what may be changed in place; what a leader has sent it only reads, so that nothing is copied.
      let body = UnsafeMutableRawBufferPointer(
        mutating: UnsafeRawBufferPointer(rebasing: raw[answer.bodyStart...]))
      for topic in answer.response.responses {
        for partition in topic.partitions {
          guard let order = takeOrder(CopyKey(topic: topic.topicID, partition: partition.partitionIndex)) else {
            continue
          }
          let fetched = Self.read(partition, for: order.ask, in: body)
          if !fetched.bytes.isEmpty, world.throttle.isLimited, order.partition.copiesThrottled {
            world.throttle.take(fetched.bytes.count, at: monotonicNow())
          }
          order.partition.copied(order, fetched)
        }
      }
    }
  }

  /// The order that an answer is for; nil when another one has come since the request was sent.
  private func takeOrder(_ key: CopyKey) -> FetchOrder? {
    state.withLock { state in
      guard let order = state.orders[key], state.session.places[key] == CopySession.Place(order.ask) else { return nil }
      state.orders.removeValue(forKey: key)
      state.session.changed(key)
      return order
    }
  }

  private static func read(
    _ answer: FetchResponse.Partition, for ask: Replication.FetchRequest, in body: UnsafeMutableRawBufferPointer
  ) -> FetchedRecords {
    let nothing = UnsafeMutableRawBufferPointer(rebasing: body[..<0])
    if let refusal = CopiedBatches.refusal(in: answer) { return FetchedRecords(outcome: refusal, bytes: nothing) }
    var records = nothing
    if case .inFrame(let range) = answer.records, range.lowerBound >= 0, range.upperBound <= body.count {
      records = UnsafeMutableRawBufferPointer(rebasing: body[range])
    }
    let (outcome, count) = CopiedBatches.check(
      UnsafeRawBufferPointer(records), for: ask, highWatermark: Offset(answer.highWatermark),
      logStart: Offset(answer.logStartOffset))
    return FetchedRecords(outcome: outcome, bytes: UnsafeMutableRawBufferPointer(rebasing: records[..<count]))
  }

  /// The leader does not know the session any more: it is opened anew, at once the first time.
  private func startAnew() {
    let isRepeated = state.withLock { state in
      state.session.reset()
      state.failures += 1
      return state.failures > 1
    }
    if isRepeated { rest() } else { ask() }
  }

  /// The leader cannot be asked: it is left alone for a while, and then asked for everything.
  private func rest() {
    let rests = state.withLock { state in
      state.session.reset()
      state.failures += 1
      guard case .asking = state.phase else { return false }
      state.phase = .resting
      return true
    }
    guard rests, world.planted != .givesUpCopying else { return }
    world.loop.schedule(after: world.settings.backoff) {
      let goesOn = self.state.withLock { state in
        guard case .resting = state.phase else { return false }
        state.phase = .asking
        return true
      }
      if goesOn { self.world.pool.run { self.ask() } }
    }
  }
}
