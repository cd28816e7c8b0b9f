import EventLoop
import KafkaProtocol
import Telemetry
import Vocabulary
import Wire

/// Hands each connection to what answers the requests of its listener.
final class RequestService: FrameService {
  private let itself: Itself
  private let controllerListeners: Set<String>

  init(_ itself: Itself, _ settings: BrokerSettings) {
    self.itself = itself
    controllerListeners = Set(settings.controllerListeners.map(\.name))
  }

  func opened(_ connection: ConnectionInfo) -> any FrameReceiver {
    guard let broker = itself.broker else { return Deaf() }
    return RequestReceiver(
      broker, controllerListeners.contains(connection.listener) ? Routes.controller : Routes.broker)
  }

  func refused(_ peer: SocketAddress?, listener: String, because reason: RefusalReason) {
    itself.broker?.log.log(
      .warning, atMostEvery: .seconds(1), "connection refused",
      ["peer": peer.map { "\($0)" } ?? "-", "listener": listener, "reason": "\(reason)"])
  }
}

/// From a frame to its handler: reads the header, finds the route, and refuses what has none.
final class RequestReceiver: FrameReceiver {
  private let broker: Broker
  private let routes: RouteTable

  init(_ broker: Broker, _ routes: RouteTable) {
    self.broker = broker
    self.routes = routes
  }

  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow {
    broker.metrics.requests.add(1)
    do throws(WireError) {
      let opening = try RequestHeader.peek(UnsafeRawBufferPointer(frame))
      guard let route = routes.route(for: opening.rawKey) else {
        return refuse(reply, "there is no API with the key \(opening.rawKey)")
      }
      guard route.served.contains(opening.version) else {
        return refuseVersion(opening, of: route, reply)
      }
      if route.performer == .activeController, broker.forwards(from: connection) {
        broker.forwarding.forward(Array(frame), from: connection, reply)
        return route.flow
      }
      let (header, bodyStart) = try RequestHeader.decode(UnsafeRawBufferPointer(frame))
      let context = RequestContext(
        version: header.version, correlationID: header.correlationID, clientID: header.clientID,
        connection: connection, loop: connection.loop)
      try route.handle(
        broker, UnsafeMutableRawBufferPointer(rebasing: frame[bodyStart...]), context, .connection(reply))
      return route.flow
    } catch {
      return refuse(reply, "a request that cannot be read: \(error)")
    }
  }

  /// A client asks for ApiVersions before it knows anything: it gets an answer that every version can read (KIP-511).
  /// Any other request in a version that was never offered closes the connection, as in Kafka.
  private func refuseVersion(_ opening: RequestHeader.Opening, of route: Route, _ reply: Reply) -> FrameFlow {
    guard route.key == .apiVersions else {
      return refuse(reply, "\(route.key) is served in the versions \(route.served), not \(opening.version)")
    }
    var response = ApiVersionsResponse()
    response.errorCode = .unsupportedVersion
    response.apiKeys = routes.advertised.filter { $0.apiKey == APIKey.apiVersions.rawValue }
    reply.send(Outgoing(response.payload(version: 0, correlationID: opening.correlationID).bytes))
    return .exclusive
  }

  private func refuse(_ reply: Reply, _ reason: String) -> FrameFlow {
    reply.close(because: reason)
    return .exclusive
  }

  func closed(_ connection: ConnectionInfo, because reason: CloseReason) {
    if let controller = broker.controller, let silent = broker.lifelines.closed(connection.id) {
      controller.lostTouch(with: silent)
    }
    guard reason.isAbnormal else { return }
    broker.metrics.closedConnections.add(1)
    broker.log.log(
      .warning, atMostEvery: .milliseconds(100), "connection closed",
      ["peer": "\(connection.peer)", "listener": connection.listener, "reason": "\(reason)"])
  }
}

/// For connections that come while the node is being taken down.
private final class Deaf: FrameReceiver {
  func received(_ frame: UnsafeMutableRawBufferPointer, from _: ConnectionInfo, reply: Reply) -> FrameFlow {
    reply.close(because: "shutting down")
    return .exclusive
  }
  func closed(_: ConnectionInfo, because _: CloseReason) {}
}
