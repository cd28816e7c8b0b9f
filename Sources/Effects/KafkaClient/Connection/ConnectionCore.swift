import KafkaProtocol
import Vocabulary

/// What one connection knows: what was sent and not answered, what waits until the versions are agreed, and whether
/// it is over. It does nothing itself but says what is to be done, in order.
struct ConnectionCore: Sendable {
  enum Action: Sendable {
    case send([UInt8])
    case finish(Exchange, Result<Answer, ClientError>)
    case close
  }
  private enum Phase: Sendable {
    case connecting
    case negotiating(correlationID: Int32, version: Int16)
    case open(VersionTable)
    case ended(ClientError)
  }
  private struct Sent: Sendable {
    let exchange: Exchange
    let version: Int16
  }
  let address: BrokerAddress
  let clientID: String
  private var phase = Phase.connecting
  /// In the order in which they were asked.
  private var waiting: [Exchange] = []
  private var sent: [Int32: Sent] = [:]
  private var lastCorrelationID: Int32 = 0

  init(address: BrokerAddress, clientID: String) {
    self.address = address
    self.clientID = clientID
  }

  var isOpen: Bool { if case .open = phase { true } else { false } }
  /// Why the connection is over; nil while it is not.
  var end: ClientError? { if case .ended(let error) = phase { error } else { nil } }
  var versions: VersionTable? { if case .open(let table) = phase { table } else { nil } }

  /// Sends the request, now or when the connection is ready.
  mutating func submit(_ exchange: Exchange, into actions: inout [Action]) {
    switch phase {
    case .connecting, .negotiating: waiting.append(exchange)
    case .open(let table): send(exchange, table: table, into: &actions)
    case .ended(let error): actions.append(.finish(exchange, .failure(error)))
    }
  }

  mutating func connected(into actions: inout [Action]) {
    guard case .connecting = phase else { return }
    negotiate(version: ApiVersionsRequest.versions.upperBound, into: &actions)
  }

  /// A whole frame, without its size.
  mutating func received(_ frame: UnsafeRawBufferPointer, into actions: inout [Action]) {
    switch phase {
    case .connecting, .ended: return
    case .negotiating(let correlationID, let version):
      agree(on: frame, correlationID: correlationID, version: version, into: &actions)
    case .open:
      guard frame.count >= 4 else { return fail("a frame of \(frame.count) bytes", into: &actions) }
      let correlationID = Int32(bigEndian: frame.loadUnaligned(as: Int32.self))
      guard let answered = sent.removeValue(forKey: correlationID) else {
        return fail("an answer that nobody waits for", into: &actions)
      }
      let answer = Answer(frame: [UInt8](frame), version: answered.version)
      actions.append(.finish(answered.exchange, .success(answer)))
    }
  }

  /// The connection is gone, or never was. What was sent may have been done; what waited was not.
  mutating func closed(because words: String, into actions: inout [Action]) {
    if case .ended = phase { return }
    phase = .ended(.unreachable(address, words))
    for exchange in waiting { actions.append(.finish(exchange, .failure(.unreachable(address, words)))) }
    for (_, one) in sent.sorted(by: { $0.key < $1.key }) {
      actions.append(.finish(one.exchange, .failure(.disconnected(address, one.exchange.key, words))))
    }
    waiting = []
    sent = [:]
  }

  /// When the first of the requests should have been answered; nil while none waits.
  var nextDeadline: Instant? { (waiting.map(\.deadline) + sent.values.map(\.exchange.deadline)).min() }

  /// Finishes the requests that were not answered in time. A broker answers in order, so that nothing behind such a
  /// request would be answered either: the connection ends with it.
  mutating func expire(at now: Instant, into actions: inout [Action]) {
    guard let deadline = nextDeadline, deadline <= now else { return }
    let isLate = { (exchange: Exchange) in exchange.deadline <= now }
    let late = waiting.filter(isLate) + sent.sorted { $0.key < $1.key }.map(\.value.exchange).filter(isLate)
    waiting.removeAll(where: isLate)
    sent = sent.filter { !isLate($0.value.exchange) }
    for exchange in late {
      actions.append(.finish(exchange, .failure(.deadline(address, exchange.key, exchange.span))))
    }
    fail("an earlier request was not answered in time", into: &actions)
  }

  // MARK: Steps

  private mutating func nextCorrelationID() -> Int32 {
    lastCorrelationID = lastCorrelationID == .max ? 1 : lastCorrelationID + 1
    return lastCorrelationID
  }

  private mutating func negotiate(version: Int16, into actions: inout [Action]) {
    let correlationID = nextCorrelationID()
    let request = ApiVersionsRequest {
      $0.clientSoftwareName = "swiftwater"
      $0.clientSoftwareVersion = "1"
    }
    phase = .negotiating(correlationID: correlationID, version: version)
    actions.append(
      .send(request.payload(version: version, correlationID: correlationID, clientID: clientID).bytes))
  }

  private mutating func agree(
    on frame: UnsafeRawBufferPointer, correlationID: Int32, version: Int16, into actions: inout [Action]
  ) {
    guard
      let (header, bodyStart) = try? ResponseHeader.decode(frame, key: .apiVersions, version: version),
      header.correlationID == correlationID
    else { return fail("the answer to ApiVersions cannot be read", into: &actions) }
    switch VersionTable.read(UnsafeRawBufferPointer(rebasing: frame[bodyStart...]), version: version) {
    case .failed(let words): fail(words, into: &actions)
    case .askAgain(let lower): negotiate(version: lower, into: &actions)
    case .agreed(let table):
      phase = .open(table)
      let ready = waiting
      waiting = []
      for exchange in ready { send(exchange, table: table, into: &actions) }
    }
  }

  private mutating func send(_ exchange: Exchange, table: VersionTable, into actions: inout [Action]) {
    guard let version = table.highestCommon(exchange.key, with: exchange.versions) else {
      actions.append(.finish(exchange, .failure(.unsupported(address, exchange.key))))
      return
    }
    let correlationID = nextCorrelationID()
    actions.append(.send(exchange.payload(version, correlationID)))
    switch exchange.answering {
    case .awaited: sent[correlationID] = Sent(exchange: exchange, version: version)
    case .none: actions.append(.finish(exchange, .success(Answer(frame: [], version: version))))
    }
  }

  private mutating func fail(_ words: String, into actions: inout [Action]) {
    closed(because: words, into: &actions)
    actions.append(.close)
  }
}
