import CLinux
import EventLoop
import Glibc
import Synchronization
import Testing
import Vocabulary

/// A plain blocking socket, to be a client that does what a test wants.
final class Peer: Sendable {
  let descriptor: Int32

  init(port: UInt16, receiveBuffer: Int32? = nil, from source: String = "127.0.0.1") throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    // Nothing waits for ever: a test that hangs fails instead.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    try #require(Self.with(source, port: 0) { bind(descriptor, $0, $1) } == 0)
    try #require(Self.with("127.0.0.1", port: port) { connect(descriptor, $0, $1) } == 0)
  }
  deinit { shut() }

  static func canConnect(to port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return with("127.0.0.1", port: port) { Glibc.connect(descriptor, $0, $1) } == 0
  }

  private let isOpen = Atomic<Bool>(true)
  func shut() {
    if isOpen.exchange(false, ordering: .relaxed) { close(descriptor) }
  }

  private static func with(_ host: String, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32
  {
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    return withUnsafeBytes(of: &address) { raw in
      body(raw.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t(raw.count))
    }
  }

  func send(_ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      let status = bytes.withUnsafeBytes { linux_send(descriptor, $0.baseAddress! + done, $0.count - done, 0) }
      try #require(status > 0, "the server closed while the test was sending")
      done += status
    }
  }

  func read(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let status = bytes.withUnsafeMutableBytes { linux_receive(descriptor, $0.baseAddress! + done, count - done) }
      try #require(status > 0, "the server closed or said nothing: \(status)")
      done += status
    }
    return bytes
  }

  func readFrame() throws -> [UInt8] {
    let length = try read(4).reduce(0) { $0 << 8 | Int($1) }
    return length == 0 ? [] : try read(length)
  }

  /// Waits for the end of the stream; anything else fails.
  func expectEnd() throws {
    var byte: UInt8 = 0
    let status = linux_receive(descriptor, &byte, 1)
    #expect(status == 0 || status == -Int(ECONNRESET), "not the end: \(status)")
  }
}

func frame(_ payload: [UInt8]) -> [UInt8] { length(payload.count) + payload }
func frame(_ text: String) -> [UInt8] { frame(Array(text.utf8)) }
func length(_ value: Int) -> [UInt8] { withUnsafeBytes(of: Int32(truncatingIfNeeded: value).bigEndian) { Array($0) } }

/// Bytes that look random, the same for the same seed. They repeat after a length that no buffer has.
func pattern(_ count: Int, seed: UInt32 = 1) -> [UInt8] {
  var rest = count
  var from = Int(seed &* 2_654_435_761) % noise.count
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  while rest > 0 {
    let size = min(rest, noise.count - from)
    bytes.append(contentsOf: noise[from..<from + size])
    rest -= size
    from = 0
  }
  return bytes
}
private let noise: [UInt8] = {
  var state: UInt32 = 1
  return (0..<100_003).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    return UInt8(state >> 24)
  }
}()

/// Events in order, to be awaited by the thread of a test.
final class Events<Event: Sendable>: Sendable {
  private let list = Mutex<[Event]>([])
  private let signal = linux_eventfd_semaphore()
  deinit { close(signal) }

  func add(_ event: Event) {
    list.withLock { $0.append(event) }
    var one: UInt64 = 1
    _ = write(signal, &one, 8)
  }
  func next() throws -> Event {
    try #require(linux_poll_readable(signal, 20_000) == 1, "the event did not come")
    var taken: UInt64 = 0
    _ = read(signal, &taken, 8)
    return list.withLock { $0.removeFirst() }
  }
  var count: Int { list.withLock { $0.count } }
}

/// A service that does what a test gives it.
final class Scripted: FrameService, FrameReceiver {
  typealias Script = @Sendable (UnsafeMutableRawBufferPointer, ConnectionInfo, Reply) -> FrameFlow
  let script: Script
  let closings = Events<CloseReason>()
  let refusals = Events<RefusalReason>()
  let openings = Events<ConnectionInfo>()

  init(_ script: @escaping Script) { self.script = script }

  func opened(_ connection: ConnectionInfo) -> any FrameReceiver {
    openings.add(connection)
    return self
  }
  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow { script(frame, connection, reply) }
  func closed(_ connection: ConnectionInfo, because reason: CloseReason) { closings.add(reason) }
  func refused(_ peer: SocketAddress?, listener: String, because reason: RefusalReason) { refusals.add(reason) }

  static func echo() -> Scripted {
    Scripted { frame, _, reply in
      reply.send(Outgoing([UInt8](frame)))
      return .concurrent
    }
  }
}

/// A server on a free port of the loopback, with loops and a pool of its own.
final class Running {
  let loops: [EventLoop]
  let pool: BlockingPool
  let server: FrameServer
  let port: UInt16

  init(_ service: any FrameService, loops count: Int = 2, limits change: (inout ConnectionLimits) -> Void = { _ in })
    throws
  {
    ignoreBrokenPipes()
    var limits = ConnectionLimits()
    change(&limits)
    loops = try (0..<count).map { try EventLoop(name: "loop \($0)") }
    pool = try BlockingPool(threads: 4)
    server = try FrameServer(loops: loops, pool: pool, limits: limits, service: service)
    for loop in loops { try loop.start() }
    port = try server.listen(host: "127.0.0.1", port: 0, name: "TEST")
  }

  deinit {
    server.shutdown(drain: .zero)
    for loop in loops { loop.stop() }
    pool.stop()
  }

  func connect(receiveBuffer: Int32? = nil, from source: String = "127.0.0.1") throws -> Peer {
    try Peer(port: port, receiveBuffer: receiveBuffer, from: source)
  }
}

/// Listens, never accepts, and has its queue filled already.
final class DeafServer {
  let descriptor: Int32
  let port: UInt16
  private var fillers: [Int32] = []

  init() throws {
    let descriptor = linux_socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    try #require(Self.with(address) { bind(descriptor, $0, $1) } == 0)
    try #require(listen(descriptor, 0) == 0)
    let port = UInt16(linux_local_port(descriptor))
    self.descriptor = descriptor
    self.port = port
    address.sin_port = port.bigEndian
    for _ in 0..<3 {
      let filler = linux_socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      _ = Self.with(address) { connect(filler, $0, $1) }
      fillers.append(filler)
    }
  }
  deinit { for descriptor in fillers + [descriptor] { close(descriptor) } }

  private static func with(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    withUnsafeBytes(of: address) { body($0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count)) }
  }
}
