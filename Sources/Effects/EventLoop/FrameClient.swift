import Glibc
import Synchronization
public import Vocabulary

/// What hears from a `FrameClient`. Everything is called on the client's loop.
public protocol FrameClientReceiver: AnyObject, Sendable {
  func connected(_ client: FrameClient)
  /// A whole frame, without its length. The bytes are valid only during the call and may be written to.
  func received(_ frame: UnsafeMutableRawBufferPointer, by client: FrameClient)
  /// Called exactly once, also when the client never was connected; nothing is called after it.
  func closed(_ client: FrameClient, because reason: CloseReason)
}

/// One connection to a server of size-prefixed frames. It connects when it is made; to connect again, make another.
public final class FrameClient: Sendable {
  private struct State {
    var outgoing = Ring<Outgoing>()
    var registration: Registration?
    var isAttended = true
    var end: CloseReason?
    var isClosed = false
  }
  public let loop: EventLoop
  let pool: BlockingPool
  let limits: ConnectionLimits
  private let receiver: any FrameClientReceiver
  private let state = Mutex(State())

  /// Resolves a name on the pool and connects on the loop; when neither an address answers nor the deadline
  /// allows more, the receiver's `closed` says so. A resolver that is silent is not waited for beyond the deadline either,
  /// and an address that is written in numbers waits for no resolver. Of the limits, those of frames and of idleness apply.
  public init(
    host: String, port: UInt16, loop: EventLoop, pool: BlockingPool, limits: ConnectionLimits = ConnectionLimits(),
    deadline: TimeSpan = .seconds(30), receiver: any FrameClientReceiver
  ) {
    self.loop = loop
    self.pool = pool
    self.limits = limits
    self.receiver = receiver
    let end = monotonicNow() + deadline
    if let conductor = loop.conductor {
      connect(host, port, until: end, by: conductor)
      return
    }
    if let addresses = ResolvedAddress.numeric(host: host, port: port) {
      connect(to: addresses, "\(host):\(port)", until: end)
      return
    }
    let late = loop.schedule(at: end) { [self] in
      finish(because: .notConnected("\(host):\(port): the name was not resolved in time"))
    }
    pool.resolve(host: host, port: port) { [self] result in
      guard late.cancel() else { return }
      switch result {
      case .success(let addresses): connect(to: addresses, "\(host):\(port)", until: end)
      case .failure(let error): onLoop { [self] _ in finish(because: .notConnected(error.description)) }
      }
    }
  }

  private func connect(to addresses: [ResolvedAddress], _ target: String, until deadline: Instant) {
    onLoop { [self] core in
      Connector(self, target: target, addresses: addresses, deadline: deadline).tryNext(on: core)
    }
  }

  /// Where the loop has stopped, the end is told by another thread: whoever makes a client may hold what hearing of it takes.
  private func onLoop(_ job: @escaping @Sendable (LoopCore) -> Void) {
    if !loop.send(.inside(job)) { pool.run { [self] in finish(because: .shutdown) } }
  }

  private func connect(_ host: String, _ port: UInt16, until deadline: Instant, by conductor: any Conductor) {
    conductor.connect(host: host, port: port, until: deadline) { [self] outcome in
      switch outcome {
      case .failed(let words):
        loop.send(.inside { [self] _ in finish(because: .notConnected("\(host):\(port): \(words)")) })
        return nil
      case .connected(let line):
        let end = FrameEnd(loop)
        loop.send(
          .inside { [self] core in
            let socket = ConductedSocket(line, on: core, half: ClientConnection(self))
            end.attach(to: socket.registration)
            attach(to: socket.registration)
            socket.attend(on: core)
          })
        return end
      }
    }
  }

  /// Sends a frame, after those that were given before; before the connection is made it waits. From any thread.
  /// False when the connection has ended. There is no limit: whoever sends waits for answers.
  @discardableResult public func send(_ outgoing: Outgoing) -> Bool {
    let (isTaken, toWake) = state.withLock { state -> (Bool, Registration?) in
      guard !state.isClosed, state.end == nil else { return (false, nil) }
      state.outgoing.append(outgoing)
      guard !state.isAttended else { return (true, nil) }
      state.isAttended = true
      return (true, state.registration)
    }
    if let toWake { loop.send(.attend(toWake)) }
    return isTaken
  }

  /// Closes the connection after what was given to `send` has left. From any thread.
  public func close() {
    let toWake = state.withLock { state -> Registration? in
      if state.end == nil { state.end = .shutdown }
      return state.registration
    }
    if let toWake { loop.send(.attend(toWake)) }
  }

  // MARK: On the loop

  var isEnding: Bool { state.withLock { $0.end != nil } }

  func attach(to registration: Registration) {
    state.withLock { $0.registration = registration }
    receiver.connected(self)
  }
  func attend() { state.withLock { $0.isAttended = true } }

  func collect(into queue: inout OutgoingQueue, thenAttend: Bool) -> CloseReason? {
    state.withLock { state in
      state.isAttended = thenAttend
      while let outgoing = state.outgoing.popFirst() {
        if !queue.append(outgoing) { return .answerTooLarge }
      }
      return state.end
    }
  }

  func deliver(_ frame: UnsafeMutableRawBufferPointer) { receiver.received(frame, by: self) }

  func finish(because reason: CloseReason) {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      state.outgoing = Ring()
      return !state.isClosed
    }
    if isFirst { receiver.closed(self, because: reason) }
  }
}

/// The client's half of a connection.
final class ClientConnection: FrameSocketOwner {
  private let client: FrameClient
  init(_ client: FrameClient) { self.client = client }

  var owner: ObjectIdentifier { ObjectIdentifier(client) }
  var frameBytesMax: Int { client.limits.frameBytesMax.value }
  var isBusy: Bool { false }
  func mayStart(queued: Int) -> Bool { true }
  func start(_ frame: UnsafeMutableRawBufferPointer) { client.deliver(frame) }
  func attend() { client.attend() }
  func collect(into queue: inout OutgoingQueue, thenAttend: Bool) -> CloseReason? {
    client.collect(into: &queue, thenAttend: thenAttend)
  }
  func closed(because reason: CloseReason) { client.finish(because: reason) }
}
