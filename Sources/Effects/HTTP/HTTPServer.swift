import CMicroHTTPD
public import EventLoop
import Glibc
import Synchronization
public import Vocabulary

/// What the connections of an `HTTPServer` may cost.
public struct HTTPLimits: Sendable {
  /// Further ones wait until one is closed.
  public var connectionsMax = 64
  /// Connections from one address; further ones are closed.
  public var connectionsPerAddressMax = 64
  /// A connection that says nothing for so long is closed; in whole seconds.
  public var timeout = TimeSpan.seconds(15)
  /// For the line and the headers of a request; larger ones are refused.
  public var memoryPerConnection = ByteCount.kibibytes(16)

  public init() {}
}

/// A small HTTP/1.1 server for probes, metrics and pages: GET and HEAD, one thread.
///
/// The handler runs on that thread and must not wait: while it does, nobody is answered.
public final class HTTPServer: Sendable {
  public typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

  /// The port that it listens on.
  public let port: UInt16
  private struct Running {
    let daemon: OpaquePointer
    let context: Unmanaged<HandlerBox>
  }
  private let running: Mutex<Running?>

  /// Listens on an address, a name, or with an empty host on every interface; port 0 takes any free port. Blocks while
  /// the name is resolved. The error names the address.
  public init(
    host: String, port: UInt16, limits: HTTPLimits = HTTPLimits(), handler: @escaping Handler
  ) throws(SystemError) {
    let listening = try ListeningSocket(host: host, port: port)
    let context = Unmanaged.passRetained(HandlerBox(handler))
    let started = microhttpd_start(
      listening.descriptor, UInt32(clamping: limits.connectionsMax),
      UInt32(clamping: limits.connectionsPerAddressMax), UInt32(clamping: max(1, limits.timeout.milliseconds / 1000)),
      limits.memoryPerConnection.value, answer, context.toOpaque())
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

  /// Closes every connection and waits for the thread's end. Not to be called by the handler.
  public func stop() {
    guard let stopped = running.withLock({ $0.take() }) else { return }
    MHD_stop_daemon(stopped.daemon)
    stopped.context.release()
  }
}

/// What the library hands back to its callback.
final class HandlerBox: Sendable {
  let handler: HTTPServer.Handler
  init(_ handler: @escaping HTTPServer.Handler) { self.handler = handler }
}
