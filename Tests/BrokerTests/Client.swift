import CLinux
import EventLoop
import Glibc
import KafkaProtocol
import Synchronization
import Testing
import Vocabulary

@testable import Broker

/// A plain blocking socket, to be a client that does what a test wants.
final class Client {
  private let descriptor: Int32

  init(port: UInt16) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.descriptor = descriptor
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    // Nothing waits for ever: a test that hangs fails instead.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let status = withUnsafeBytes(of: &address) { raw in
      connect(descriptor, raw.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t(raw.count))
    }
    try #require(status == 0, "nobody listens")
  }

  deinit { close(descriptor) }

  /// False when the other side has closed already.
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let status = bytes.withUnsafeBytes { raw in
        linux_send(descriptor, UnsafeRawBufferPointer(rebasing: raw[done...]).baseAddress, raw.count - done, 0)
      }
      guard status > 0 else { return false }
      done += status
    }
    return true
  }

  /// A payload with its length before it.
  @discardableResult func send(frame payload: [UInt8]) -> Bool {
    send(withUnsafeBytes(of: Int32(truncatingIfNeeded: payload.count).bigEndian) { Array($0) } + payload)
  }

  /// Says that nothing more will come, and reads until the other side has closed.
  func finish() throws {
    shutdown(descriptor, Int32(SHUT_WR))
    try expectEnd()
  }

  /// Reads whatever comes until the other side has closed.
  func expectEnd() throws {
    var scratch = [UInt8](repeating: 0, count: 1 << 16)
    var status = 1
    while status > 0 {
      status = scratch.withUnsafeMutableBytes { linux_receive(descriptor, $0.baseAddress, $0.count) }
    }
    try #require(status == 0 || status == -Int(ECONNRESET), "the broker did not close: \(status)")
  }

  private func read(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let status = bytes.withUnsafeMutableBytes { raw in
        linux_receive(descriptor, UnsafeMutableRawBufferPointer(rebasing: raw[done...]).baseAddress, count - done)
      }
      try #require(status > 0, "the broker closed or said nothing: \(status)")
      done += status
    }
    return bytes
  }

  func readFrame() throws -> [UInt8] {
    let length = try read(4).reduce(0) { $0 << 8 | Int($1) }
    return try read(length)
  }

  /// Asks and reads the answer, which must be the one to this question.
  func ask<Request: RequestBody>(
    _ request: Request, version: Int16, answeredIn answer: Int16? = nil
  ) throws -> Request.Response {
    send(request.frame(version: version, correlationID: 4711, clientID: "test").bytes)
    return try readFrame().withUnsafeBytes { raw in
      let (header, start) = try ResponseHeader.decode(raw, key: Request.key, version: answer ?? version)
      #expect(header.correlationID == 4711)
      return try Request.Response.decode(
        UnsafeRawBufferPointer(rebasing: raw[start...]), version: answer ?? version)
    }
  }
}

/// A broker with a server of its own, whose port is known.
final class RunningBroker {
  let broker: Broker
  let port: UInt16
  private let server: FrameServer
  private let folder: TemporaryFolder

  init(_ more: [String: String] = [:], in folder: TemporaryFolder? = nil) throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    broker = try Broker(settings: try Start.settings(folder, more), log: Start.log)
    try broker.start()
    var limits = ConnectionLimits()
    limits.frameBytesMax = .mebibytes(1)
    let itself = Itself()
    itself.set(broker)
    server = try FrameServer(
      loops: broker.loops, pool: broker.pool, limits: limits, service: RequestService(itself, broker.settings))
    port = try server.listen(host: "127.0.0.1", port: 0, name: "PLAINTEXT")
  }

  deinit {
    server.shutdown(drain: .zero)
    broker.stop()
  }

  func connect() throws -> Client { try Client(port: port) }
}
