import EventLoop
import KafkaProtocol
import Synchronization
import Vocabulary

/// One connection to one broker: performs what its core decides.
final class BrokerConnection: FrameClientReceiver {
  private let core: Mutex<ConnectionCore>
  private let client = Mutex<FrameClient?>(nil)
  /// The deadline that the timer is set for.
  private let armed = Mutex<Instant?>(nil)
  private let loop: EventLoop
  /// Told once when the connection is ready for use, and once when it is over.
  private let observer: @Sendable (Event) -> Void

  enum Event: Sendable {
    case ready
    case ended
  }

  private init(_ core: ConnectionCore, loop: EventLoop, observer: @escaping @Sendable (Event) -> Void) {
    self.core = Mutex(core)
    self.loop = loop
    self.observer = observer
  }

  static func open(
    _ address: BrokerAddress, clientID: String, loop: EventLoop, pool: BlockingPool, deadline: TimeSpan,
    observer: @escaping @Sendable (Event) -> Void
  ) -> BrokerConnection {
    let connection = BrokerConnection(
      ConnectionCore(address: address, clientID: clientID), loop: loop, observer: observer)
    let frames = FrameClient(
      host: address.host, port: address.port, loop: loop, pool: pool, deadline: deadline, receiver: connection)
    connection.client.withLock { $0 = frames }
    // It may have failed already: then nobody else would part the two, which hold each other.
    if connection.isOver { connection.client.withLock { $0 = nil } }
    return connection
  }

  var isOver: Bool { core.withLock { $0.end != nil } }

  /// The request is finished with `deadline` as its error when it was not answered by then.
  func submit(_ exchange: Exchange) {
    var actions: [ConnectionCore.Action] = []
    core.withLock { $0.submit(exchange, into: &actions) }
    perform(actions)
    watch(exchange.deadline)
  }

  func close() {
    var actions: [ConnectionCore.Action] = []
    core.withLock { $0.closed(because: "the client is closed", into: &actions) }
    perform(actions + [.close])
  }

  /// There is one timer, for the earliest deadline, however many requests are on their way.
  private func watch(_ deadline: Instant) {
    let isEarliest = armed.withLock { armed in
      if let armed, armed <= deadline { return false }
      armed = deadline
      return true
    }
    guard isEarliest else { return }
    loop.schedule(at: deadline) { [weak self] in self?.expire() }
  }

  private func expire() {
    armed.withLock { $0 = nil }
    var actions: [ConnectionCore.Action] = []
    let next = core.withLock { core in
      core.expire(at: monotonicNow(), into: &actions)
      return core.nextDeadline
    }
    perform(actions)
    if let next { watch(next) }
  }

  private func perform(_ actions: [ConnectionCore.Action]) {
    for action in actions {
      switch action {
      case .send(let payload):
        // When the connection ended meanwhile, `closed` finishes what was sent.
        client.withLock { $0 }?.send(Outgoing(payload))
      case .finish(let exchange, let result): exchange.finish(result)
      case .close: client.withLock { $0 }?.close()
      }
    }
  }

  // MARK: On the loop

  func connected(_ client: FrameClient) {
    self.client.withLock { $0 = client }
    var actions: [ConnectionCore.Action] = []
    core.withLock { $0.connected(into: &actions) }
    perform(actions)
  }

  func received(_ frame: UnsafeMutableRawBufferPointer, by client: FrameClient) {
    var actions: [ConnectionCore.Action] = []
    let isNowOpen = core.withLock { core in
      let wasOpen = core.isOpen
      core.received(UnsafeRawBufferPointer(frame), into: &actions)
      return core.isOpen && !wasOpen
    }
    if isNowOpen { observer(.ready) }
    perform(actions)
  }

  func closed(_ client: FrameClient, because reason: CloseReason) {
    var actions: [ConnectionCore.Action] = []
    core.withLock { $0.closed(because: reason.description, into: &actions) }
    observer(.ended)
    perform(actions)
    self.client.withLock { $0 = nil }
  }
}
