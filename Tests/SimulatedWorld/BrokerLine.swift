import EventLoop
import KafkaProtocol
import Synchronization
import Vocabulary

/// A machine with a name, on which one process runs at a time.
final class BrokerHost: Sendable {
  let number: Int
  let name: String
  private let network: BrokerNetwork
  private let current = Mutex<BrokerProcess?>(nil)

  init(_ number: Int, _ name: String, _ network: BrokerNetwork) {
    self.number = number
    self.name = name
    self.network = network
    network.add(self)
  }
  var process: BrokerProcess? { current.withLock { $0 } }
  func set(_ process: BrokerProcess?) { current.withLock { $0 = process } }
  func reaches(_ other: BrokerHost) -> Bool { network.passes(from: number, to: other.number) }
  func host(named name: String) -> BrokerHost? { network.host(named: name) }
  var stage: BrokerStage { network.stage }
  var delay: Int64 { network.delay() }
  func delay(to other: BrokerHost) -> Int64 { network.delay() + network.slowness(from: number, to: other.number) }
}

/// Which machines there are, and who reaches whom.
final class BrokerNetwork: Sendable {
  private struct State {
    var hosts: [BrokerHost] = []
    /// One-way: from, to; and how many faults hold it.
    var cuts: [Int: Int] = [:]
    /// One frame in so many is late: lost and sent again.
    var oddsOfLoss = 100
    /// One-way as well: what a frame takes longer there, in microseconds.
    var slowness: [Int: Int64] = [:]
  }
  let stage: BrokerStage
  private let state = Mutex(State())
  init(_ stage: BrokerStage) { self.stage = stage }

  func add(_ host: BrokerHost) { state.withLock { $0.hosts.append(host) } }
  func host(named name: String) -> BrokerHost? { state.withLock { $0.hosts.first { $0.name == name } } }
  func passes(from: Int, to: Int) -> Bool { state.withLock { $0.cuts[from << 16 | to, default: 0] == 0 } }
  func setLoss(oneIn odds: Int) { state.withLock { $0.oddsOfLoss = odds } }
  func slow(from: Int, to: Int, by span: Int64) { state.withLock { $0.slowness[from << 16 | to] = span } }
  func slowness(from: Int, to: Int) -> Int64 { state.withLock { $0.slowness[from << 16 | to] ?? 0 } }
  func cut(from: Int, to: Int) { state.withLock { $0.cuts[from << 16 | to, default: 0] += 1 } }
  func mend(from: Int, to: Int) {
    state.withLock { $0.cuts[from << 16 | to] = max(0, $0.cuts[from << 16 | to, default: 0] - 1) }
  }
  func mendAll() {
    state.withLock { state in
      state.cuts = [:]
      state.slowness = [:]
      state.oddsOfLoss = .max
    }
  }

  /// How long a frame is on its way, in microseconds.
  func delay() -> Int64 {
    let odds = state.withLock { $0.oddsOfLoss }
    if odds < .max, stage.happens(oneIn: odds) { return 200_000 + Int64(stage.draw(200_000)) }
    return stage.happens(oneIn: 10) ? Int64(stage.draw(20_000)) : 50 + Int64(stage.draw(500))
  }
}

/// One direction of a connection: frames arrive whole, in order, late, or not at all.
final class BrokerLine: FrameLine {
  private enum Item: Sendable {
    case frame([UInt8])
    case end
  }
  private struct State {
    var inFlight: [(at: Int64, item: Item)] = []
    var isMoving = false
    var isEnded = false
    /// Where frames go; nil until the receiver has taken the connection.
    var end: FrameEnd?
  }
  private static let retry = 50 * BrokerStage.Spans.millisecond

  private let sender: BrokerProcess
  private let receiver: BrokerProcess
  private let isRequest: Bool
  private let state = Mutex(State())

  private init(from sender: BrokerProcess, to receiver: BrokerProcess, isRequest: Bool) {
    self.sender = sender
    self.receiver = receiver
    self.isRequest = isRequest
    sender.add(self)
  }

  private var stage: BrokerStage { sender.stage }

  // MARK: Connecting

  static func connect(
    _ client: BrokerProcess, to name: String, _ port: UInt16, until deadline: Int64,
    _ done: @escaping @Sendable (Connecting) -> FrameEnd?
  ) {
    let stage = client.stage
    @Sendable func fail(_ words: String, after span: Int64) {
      stage.schedule(after: span) { client.run { _ = done(.failed(words)) } }
    }
    guard let host = client.host.host(named: name) else { return fail("no such host", after: 1000) }
    stage.schedule(after: client.host.delay) {
      guard client.host.reaches(host), host.reaches(client.host) else {
        return fail("no answer in time", after: deadline - stage.now)
      }
      guard let server = host.process, let accept = server.listener(at: port) else {
        return fail("connection refused", after: 500)
      }
      let out = BrokerLine(from: client, to: server, isRequest: true)
      let back = BrokerLine(from: server, to: client, isRequest: false)
      let address = SocketAddress(simulated: UInt16(client.host.number + 1), port: 40_000)
      server.run {
        let end = accept(address, back)
        out.state.withLock { $0.end = end }
        back.origin.withLock { $0 = end }
      }
      guard out.state.withLock({ $0.end != nil }) else {
        out.drop()
        back.drop()
        return fail("connection refused", after: 500)
      }
      stage.schedule(after: client.host.delay) {
        client.run {
          let end = done(.connected(out))
          back.state.withLock { $0.end = end }
          out.origin.withLock { $0 = end }
        }
        back.move()
      }
    }
  }

  private func drop() {
    sender.remove(self)
    state.withLock { $0.isEnded = true }
  }

  // MARK: Sending

  func send(_ frame: [UInt8]) {
    guard !sender.isDead else { return }
    put(.frame(frame))
  }

  func close() {
    guard !sender.isDead else { return }
    end()
  }

  /// The sender's side is over.
  func end() {
    put(.end)
    sender.remove(self)
  }

  private func put(_ item: Item) {
    let at = stage.now + sender.host.delay(to: receiver.host)
    let isTaken = state.withLock { state in
      if state.isEnded { return false }
      if case .end = item { state.isEnded = true }
      state.inFlight.append((max(at, state.inFlight.last?.at ?? 0), item))
      return true
    }
    if isTaken { move() }
  }

  /// Has the first of what is in flight arrive in its time.
  private func move() {
    let now = stage.now
    let wait: Int64? = state.withLock { state in
      guard !state.isMoving, state.end != nil, let first = state.inFlight.first else { return nil }
      state.isMoving = true
      return max(0, first.at - now)
    }
    if let wait { stage.schedule(after: wait) { self.arrive() } }
  }

  private func arrive() {
    guard sender.host.reaches(receiver.host) else {
      return stage.schedule(after: Self.retry) { self.arrive() }
    }
    let (item, end) = state.withLock { state -> (Item?, FrameEnd?) in
      state.isMoving = false
      return (state.inFlight.isEmpty ? nil : state.inFlight.removeFirst().item, state.end)
    }
    guard let item, let end else { return }
    if receiver.isDead {
      // Who comes back after its power was lost knows nothing of the connection, and says so.
      if receiver.host.process != nil, !sender.isDead {
        state.withLock { $0.isEnded = true }
        let gone = origin.withLock { $0 }
        sender.run { gone?.broke() }
      }
      return
    }
    switch item {
    case .frame(let frame):
      note(frame)
      receiver.run { end.arrived(frame) }
    case .end: receiver.run { end.broke() }
    }
    move()
  }

  /// The sender's own end, which is told when the receiver does not know the connection.
  private let origin = Mutex<FrameEnd?>(nil)

  private func note(_ frame: [UInt8]) {
    var word = UInt64(sender.number) << 32 ^ UInt64(receiver.number) << 16 ^ UInt64(frame.count)
    for byte in frame { word = (word &* 0x100_0000_01b3) ^ UInt64(byte) }
    stage.mix(word)
    let mark = String(word & 0xffff, radix: 16)
    stage.note("\(sender.host.name) → \(receiver.host.name) \(Self.words(frame, isRequest)) #\(mark)")
  }

  private static func words(_ frame: [UInt8], _ isRequest: Bool) -> String {
    guard isRequest, frame.count >= 8 else { return "answer of \(frame.count) bytes" }
    let key = Int16(frame[0]) << 8 | Int16(frame[1])
    let version = Int16(frame[2]) << 8 | Int16(frame[3])
    let name = APIKey(rawValue: key).map { "\($0)" } ?? "request \(key)"
    return "\(name) v\(version), \(frame.count) bytes"
  }
}
