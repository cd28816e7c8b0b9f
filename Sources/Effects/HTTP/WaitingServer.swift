import CLinux
import CMicroHTTPD
public import EventLoop
import Glibc
import Synchronization
public import Vocabulary

/// What clients of a `WaitingServer` may cost.
public struct WaitingServerLimits: Sendable {
  /// Each has a thread; further ones wait until one is closed.
  public var connectionsMax = 1000
  /// A connection without a request is closed after so long; in whole seconds.
  public var idleTimeMax = TimeSpan.seconds(120)
  /// For the line and the headers of a request; larger ones are refused.
  public var memoryPerConnection = 64 << 10
  /// Larger bodies are answered with 413.
  public var bodyMax = 3 << 20
  /// What parses a deep body needs most of it.
  public var stackMax = 2 << 20

  public init() {}
}

/// A request of any method, with its body.
public struct WaitingRequest: Sendable {
  /// As it was sent, such as `PATCH`.
  public let method: String
  /// Without the query, percent-decoded.
  public let path: String
  public let query: [(name: String, value: String)]
  /// Names are in lower case.
  public let headers: [(name: String, value: String)]
  public let body: [UInt8]
  /// The client's IPv4 address in host order; 0 when it has another.
  public let peer: UInt32

  /// The first value of a header; the name in lower case.
  public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  /// The first value of an argument.
  public func argument(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// What a stream's source has to say next.
public enum StreamPart: Sendable {
  case bytes([UInt8])
  /// There is nothing yet: the source is asked again, unless the client has gone.
  case nothingYet
  case end
  /// The connection is broken off, so that the client sees that there should have been more.
  case cut
}

/// An answer that is there as a whole, or one that is written as it comes about.
public enum WaitingAnswer: Sendable {
  case whole(HTTPResponse)
  /// The source is called on the connection's thread and may wait; it should say `nothingYet` once a second.
  case stream(head: HTTPResponse, source: @Sendable () -> StreamPart)
  /// The connection is closed without a word.
  case close
}

/// An HTTP/1.1 server with a thread for each connection, whose handlers may wait: for APIs with streams.
public final class WaitingServer: Sendable {
  public typealias Handler = @Sendable (WaitingRequest) -> WaitingAnswer

  public let port: UInt16
  private struct Running {
    let daemon: OpaquePointer
    let context: Unmanaged<WaitingContext>
  }
  private let running: Mutex<Running?>

  /// Listens on an address or a name; port 0 takes any free port. The error names the address.
  public init(
    host: String, port: UInt16, limits: WaitingServerLimits = .init(), handler: @escaping Handler
  ) throws(SystemError) {
    let listening = try ListeningSocket(host: host, port: port)
    let context = Unmanaged.passRetained(WaitingContext(handler: handler, bodyMax: limits.bodyMax))
    let started = microhttpd_start_waiting(
      listening.descriptor, UInt32(clamping: limits.connectionsMax),
      UInt32(clamping: max(1, limits.idleTimeMax.milliseconds / 1000)), limits.memoryPerConnection, limits.stackMax,
      answerWaiting, context.toOpaque(), forgetRequest)
    guard let started else {
      context.release()
      throw SystemError("serve HTTP on \(host):\(port)", code: EAGAIN)
    }
    self.port = listening.port
    // From here on the daemon owns the socket.
    _ = listening.release()
    running = Mutex(Running(daemon: started, context: context))
  }

  deinit { stop() }

  /// Closes every connection and waits for the threads: who waits in a handler or a source has to be woken before.
  /// Not to be called by a handler.
  public func stop() {
    guard let stopped = running.withLock({ $0.take() }) else { return }
    MHD_stop_daemon(stopped.daemon)
    stopped.context.release()
  }
}

final class WaitingContext: Sendable {
  let handler: WaitingServer.Handler
  let bodyMax: Int
  init(handler: @escaping WaitingServer.Handler, bodyMax: Int) {
    self.handler = handler
    self.bodyMax = bodyMax
  }
}

/// What has been read of a request's body. Only the connection's thread has it.
private final class ReadBody {
  var bytes: [UInt8] = []
  var isTooLarge = false
}

private func answerWaiting(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, url: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, upload: UnsafePointer<CChar>?,
  uploadSize: UnsafeMutablePointer<Int>?, request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let context, let connection, let url, let method, let request, let uploadSize else { return .NO }
  guard let known = request.pointee else {
    request.pointee = Unmanaged.passRetained(ReadBody()).toOpaque()
    return .YES
  }
  let served = Unmanaged<WaitingContext>.fromOpaque(context).takeUnretainedValue()
  let body = Unmanaged<ReadBody>.fromOpaque(known).takeUnretainedValue()
  if uploadSize.pointee > 0 {
    if body.bytes.count + uploadSize.pointee > served.bodyMax {
      body.isTooLarge = true
    } else if let upload {
      body.bytes.append(contentsOf: UnsafeRawBufferPointer(start: upload, count: uploadSize.pointee))
    }
    uploadSize.pointee = 0
    return .YES
  }
  if body.isTooLarge { return send(.text("the body is too large", status: 413), on: connection) }
  let asked = WaitingRequest(
    method: String(cString: method), path: String(cString: url),
    query: values(of: connection, kind: .GET_ARGUMENT_KIND),
    headers: values(of: connection, kind: .HEADER_KIND).map { ($0.name.lowercased(), $0.value) }, body: body.bytes,
    peer: linux_peer_ipv4(microhttpd_socket(connection)))
  switch served.handler(asked) {
  case .whole(let response): return send(response, on: connection)
  case .stream(let head, let source): return stream(head, source, on: connection)
  case .close: return .NO
  }
}

private func forgetRequest(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
  request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, ending: MHD_RequestTerminationCode
) {
  guard let request, let known = request.pointee else { return }
  Unmanaged<ReadBody>.fromOpaque(known).release()
  request.pointee = nil
}

/// A stream that is being written. Only the connection's thread has it.
private final class RunningStream {
  let source: @Sendable () -> StreamPart
  let socket: Int32
  var rest: ArraySlice<UInt8> = []
  init(source: @escaping @Sendable () -> StreamPart, socket: Int32) {
    self.source = source
    self.socket = socket
  }

  /// How many bytes were written, or the library's words for an end.
  func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    let ended = -1
    let failed = -2
    while rest.isEmpty {
      switch source() {
      case .bytes(let bytes): rest = bytes[...]
      case .nothingYet: if linux_is_hung_up(socket) != 0 { return failed }
      case .end: return ended
      case .cut: return failed
      }
    }
    let count = min(rest.count, buffer.count)
    buffer.copyBytes(from: rest.prefix(count))
    rest = rest.dropFirst(count)
    return count
  }
}

private func stream(
  _ head: HTTPResponse, _ source: @escaping @Sendable () -> StreamPart, on connection: OpaquePointer
) -> MHD_Result {
  let blockSize = 32 << 10
  let running = Unmanaged.passRetained(RunningStream(source: source, socket: microhttpd_socket(connection)))
  let made = MHD_create_response_from_callback(
    .max, blockSize,
    { context, _, buffer, size in
      guard let context, let buffer else { return -2 }
      let running = Unmanaged<RunningStream>.fromOpaque(context).takeUnretainedValue()
      return running.fill(UnsafeMutableRawBufferPointer(start: buffer, count: size))
    }, running.toOpaque(),
    { context in
      if let context { Unmanaged<RunningStream>.fromOpaque(context).release() }
    })
  guard let made else {
    running.release()
    return .NO
  }
  defer { MHD_destroy_response(made) }
  for (name, value) in head.headers { _ = MHD_add_response_header(made, name, value) }
  return MHD_queue_response(connection, UInt32(clamping: head.status), made)
}
