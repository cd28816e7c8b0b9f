import ClusterMetadata
import EventLoop
import KafkaProtocol
import Synchronization
import Vocabulary

/// The life of a broker as the controller sees it: it registers, reads the metadata up to its registration, opens its logs,
/// asks to serve, and goes on sending heartbeats; before it stops it asks to be led out (KIP-631).
///
/// One request is under way at a time. What cannot be reached is tried again until the process ends.
final class BrokerLifecycle: Sendable {
  /// Between two attempts while the controller cannot be reached.
  private static let retryPause = TimeSpan.milliseconds(100)

  struct Times: Sendable {
    /// `broker.heartbeat.interval.ms`
    let heartbeat: TimeSpan
    /// `broker.session.timeout.ms`: an attempt that takes longer is of no use.
    let session: TimeSpan
  }

  private enum Phase {
    case registering
    /// Registered with this epoch; the logs are not open yet.
    case starting(epoch: Int64)
    /// The logs are open: the broker wants to serve.
    case serving(epoch: Int64)
    case stopping(epoch: Int64, done: @Sendable () -> Void)
    case ended
  }

  private struct State {
    var phase = Phase.registering
    var timer: Timer?
    var isUnfenced = false
    var failedDirectories: [UniqueID] = []
  }

  private let channel: ControllerChannel
  private let publisher: MetadataPublisher
  private let loop: EventLoop
  private let times: Times
  private let contact: ControllerContact
  private let registration: BrokerRegistrationRequest
  private let events: Events
  private let state = Mutex(State())

  struct Events: Sendable {
    /// Registered, and the metadata that the broker follows has it: the logs can be opened. `opened` is to be called then.
    let open: @Sendable (_ epoch: Int64, _ opened: @escaping @Sendable () -> Void) -> Void
    /// The controller let the broker serve, for the first time.
    let serves: @Sendable () -> Void
    /// The broker cannot go on: another process has its id, or it was unregistered.
    let ended: @Sendable (_ reason: String) -> Void
    let report: @Sendable (_ what: String) -> Void
  }

  init(
    registration: BrokerRegistrationRequest, channel: ControllerChannel, publisher: MetadataPublisher,
    loop: EventLoop, times: Times, contact: ControllerContact, events: Events
  ) {
    self.registration = registration
    self.channel = channel
    self.publisher = publisher
    self.loop = loop
    self.times = times
    self.contact = contact
    self.events = events
  }

  func start() { register() }

  // MARK: Registering

  private func register() {
    guard case .registering = state.withLock({ $0.phase }) else { return }
    channel.ask(registration, within: times.session, here: Broker.registerBroker) { result in
      switch result {
      case .success(let response) where response.errorCode == .none: self.registered(response.brokerEpoch)
      case .success(let response): self.refused(response.errorCode)
      case .failure: self.again { self.register() }
      }
    }
  }

  private func refused(_ code: ErrorCode) {
    switch code {
    case .inconsistentClusterId:
      end("the controllers are of another cluster than \(registration.clusterID), which this broker's log.dirs is of")
    case .invalidRegistration, .unsupportedVersion, .policyViolation:
      end("the controller refused the registration of broker \(registration.brokerID) with \(code)")
    case .duplicateBrokerRegistration:
      events.report("broker \(registration.brokerID) is registered by another process that was in touch lately")
      again { self.register() }
    default: again { self.register() }
    }
  }

  private func registered(_ epoch: Int64) {
    let id = NodeID(registration.brokerID)
    state.withLock { $0.phase = .starting(epoch: epoch) }
    beat()
    publisher.when({ image, _ in (image.brokers[id]?.epoch ?? -1) >= epoch }) {
      self.events.open(epoch) {
        self.state.withLock { state in
          if case .starting(epoch) = state.phase { state.phase = .serving(epoch: epoch) }
        }
        self.beat()
      }
    }
  }

  // MARK: Heartbeats

  /// Sends one now; the timer of the next starts when it is answered.
  private func beat() {
    var request = BrokerHeartbeatRequest()
    request.brokerID = registration.brokerID
    request.currentMetadataOffset = publisher.offset.value
    let isWanted: Bool = state.withLock { state in
      state.timer?.cancel()
      state.timer = nil
      request.offlineLogDirs = state.failedDirectories
      switch state.phase {
      case .registering, .ended: return false
      case .starting(let epoch):
        request.brokerEpoch = epoch
        request.wantFence = true
      case .serving(let epoch): request.brokerEpoch = epoch
      case .stopping(let epoch, _):
        request.brokerEpoch = epoch
        request.wantShutDown = true
      }
      return true
    }
    guard isWanted else { return }
    let sentAt = monotonicNow()
    channel.ask(request, within: times.session, here: Broker.brokerHeartbeat) { result in
      switch result {
      case .success(let response): self.heard(response, to: sentAt)
      case .failure: self.unheard()
      }
    }
  }

  /// Whoever stops last finds no controller that could lead it out: it waits no longer than a session.
  private func unheard() {
    let isSilent = contact.isSilent(at: monotonicNow())
    let stopped: (@Sendable () -> Void)? = state.withLock { state in
      guard case .stopping(_, let done) = state.phase, isSilent else { return nil }
      state.phase = .ended
      return done
    }
    if let stopped { stopped() } else { again { self.beat() } }
  }

  private func heard(_ response: BrokerHeartbeatResponse, to sentAt: Instant) {
    switch response.errorCode {
    case .none: break
    case .staleBrokerEpoch, .brokerIdNotRegistered:
      return end(
        "broker \(registration.brokerID) was registered anew by another process, or unregistered: this one must not go on"
      )
    default: return unheard()
    }
    contact.heard(sentAt)
    enum Next { case wait(TimeSpan), stopped(@Sendable () -> Void), serves }
    let next: Next = state.withLock { state in
      switch state.phase {
      case .stopping(_, let done) where response.shouldShutDown:
        state.phase = .ended
        return .stopped(done)
      case .stopping: return .wait(Self.retryPause)
      case .serving where !response.isFenced && !state.isUnfenced:
        state.isUnfenced = true
        return .serves
      // Until it serves there is somebody waiting for every round.
      case .serving where response.isFenced: return .wait(Self.retryPause)
      case .registering, .starting, .serving, .ended: return .wait(times.heartbeat)
      }
    }
    switch next {
    case .wait(let pause): again(after: pause) { self.beat() }
    case .stopped(let done): done()
    case .serves:
      events.serves()
      again(after: times.heartbeat) { self.beat() }
    }
  }

  private func again(after pause: TimeSpan = retryPause, _ job: @escaping @Sendable () -> Void) {
    state.withLock { state in
      if case .ended = state.phase { return }
      state.timer?.cancel()
      state.timer = loop.schedule(after: pause, job)
    }
  }

  private func end(_ reason: String) {
    state.withLock { state in
      state.timer?.cancel()
      state.phase = .ended
    }
    events.ended(reason)
  }

  // MARK: From outside

  /// What lies in this directory cannot be used any more: the next heartbeat says so.
  func directoryFailed(_ id: UniqueID) {
    let isNew = state.withLock { state in
      guard !state.failedDirectories.contains(id) else { return false }
      state.failedDirectories.append(id)
      return true
    }
    if isNew { beat() }
  }

  /// Another node is the controller: it hears at once that this broker lives, since it gives brokers less time than a
  /// whole session to say so.
  func controllerChanged() { if epoch != nil { beat() } }

  /// Asks the controller to move leaders away; `done` is called when the broker may stop, or never.
  func leaveOrderly(_ done: @escaping @Sendable () -> Void) {
    let isServing = state.withLock { state in
      guard case .serving(let epoch) = state.phase else { return false }
      state.phase = .stopping(epoch: epoch, done: done)
      return true
    }
    if isServing { beat() } else { done() }
  }

  func stop() {
    state.withLock { state in
      state.timer?.cancel()
      state.phase = .ended
    }
  }

  /// What this broker is registered with; nil until then.
  var epoch: Int64? {
    state.withLock { state in
      switch state.phase {
      case .registering, .ended: nil
      case .starting(let epoch), .serving(let epoch), .stopping(let epoch, _): epoch
      }
    }
  }
}
