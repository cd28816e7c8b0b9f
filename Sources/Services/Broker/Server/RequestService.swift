import EventLoop
import KafkaProtocol
import Telemetry
import Vocabulary
import Wire

/// From a frame to its handler: reads the header, finds the route, and refuses what has none.
final class RequestService: FrameService, FrameReceiver {
  private let broker: Broker

  init(_ broker: Broker) { self.broker = broker }

  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow {
    broker.metrics.requests.add(1)
    do throws(WireError) {
      let opening = try RequestHeader.peek(UnsafeRawBufferPointer(frame))
      guard let route = Routes.route(for: opening.rawKey) else {
        return refuse(reply, "there is no API with the key \(opening.rawKey)")
      }
      guard route.served.contains(opening.version) else {
        return refuseVersion(opening, of: route, reply)
      }
      let (header, bodyStart) = try RequestHeader.decode(UnsafeRawBufferPointer(frame))
      let context = RequestContext(
        version: header.version, correlationID: header.correlationID, clientID: header.clientID,
        connection: connection)
      try route.handle(broker, UnsafeMutableRawBufferPointer(rebasing: frame[bodyStart...]), context, reply)
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
    response.apiKeys = Routes.advertised.filter { $0.apiKey == APIKey.apiVersions.rawValue }
    reply.send(Outgoing(response.payload(version: 0, correlationID: opening.correlationID).bytes))
    return .exclusive
  }

  private func refuse(_ reply: Reply, _ reason: String) -> FrameFlow {
    reply.close(because: reason)
    return .exclusive
  }

  func closed(_ connection: ConnectionInfo, because reason: CloseReason) {
    guard reason.isAbnormal else { return }
    broker.metrics.closedConnections.add(1)
    broker.log.log(
      .warning, atMostEvery: .milliseconds(100), "connection closed",
      ["peer": "\(connection.peer)", "listener": connection.listener, "reason": "\(reason)"])
  }

  func refused(_ peer: SocketAddress?, listener: String, because reason: RefusalReason) {
    broker.log.log(
      .warning, atMostEvery: .seconds(1), "connection refused",
      ["peer": peer.map { "\($0)" } ?? "-", "listener": listener, "reason": "\(reason)"])
  }
}
