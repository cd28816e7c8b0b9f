import EventLoop
import KafkaProtocol
import Synchronization
import Vocabulary

/// Passes requests that only the active controller can fulfil on to it, bytes and all (KIP-590).
///
/// While there is no controller, or it changes, a request waits and is tried again, up to `timeout`: then its connection is
/// closed, and the client tries another broker.
final class Forwarding: Sendable {
  private static let pause = TimeSpan.milliseconds(50)
  /// `request.timeout.ms`
  private static let timeout = TimeSpan.seconds(30)

  private let channel: ControllerChannel
  private let loop: EventLoop
  private let publisher: MetadataPublisher

  init(_ channel: ControllerChannel, publisher: MetadataPublisher, loop: EventLoop) {
    self.channel = channel
    self.publisher = publisher
    self.loop = loop
  }

  func forward(_ frame: [UInt8], from connection: ConnectionInfo, _ reply: Reply) {
    var request = EnvelopeRequest()
    request.requestData = frame
    request.requestPrincipal = nil
    request.clientHostAddress = Array("\(connection.peer.host)".utf8.prefix(64))
    send(request, until: monotonicNow() + Self.timeout, reply)
  }

  func close() { channel.close() }

  /// What a former controller has not answered is sent to the new one.
  func leaderChanged(to leader: NodeID) { channel.leaderChanged(to: leader) }

  private func send(_ request: EnvelopeRequest, until deadline: Instant, _ reply: Reply) {
    let left = deadline - monotonicNow()
    guard left > .zero else { return reply.close(because: "no controller took the request in time") }
    channel.ask(request, within: left, here: Broker.envelope) { result in
      switch result {
      case .success(let response) where response.errorCode == .none && response.responseData != nil:
        reply.send(Outgoing(response.responseData ?? []))
      case .success(let response) where response.errorCode != .notController:
        reply.close(because: "the controller refused the request with \(response.errorCode)")
      case .success, .failure:
        self.loop.schedule(after: Self.pause) { self.send(request, until: deadline, reply) }
      }
    }
  }
}

extension Broker {
  /// Envelope, v0: does what is in it, as if it had come over a connection of its own (KIP-590).
  func envelope(_ call: Call<EnvelopeRequest>) {
    @Sendable func refuse(_ code: ErrorCode) {
      var response = EnvelopeResponse()
      response.errorCode = code
      response.responseData = nil
      call.answer(response)
    }
    guard let controller, controller.isActive else { return refuse(.notController) }
    var frame = call.request.requestData
    let isUnderstood = frame.withUnsafeMutableBytes { raw -> Bool in
      do {
        let (header, bodyStart) = try RequestHeader.decode(UnsafeRawBufferPointer(raw))
        guard let route = Routes.broker.route(for: header.key.rawValue), route.performer == .activeController,
          route.served.contains(header.version)
        else { return false }
        let context = RequestContext(
          version: header.version, correlationID: header.correlationID, clientID: header.clientID,
          connection: call.context.connection, loop: call.context.loop)
        try route.handle(
          self, UnsafeMutableRawBufferPointer(rebasing: raw[bodyStart...]), context,
          .captured { result in
            switch result {
            case .success(let bytes):
              var response = EnvelopeResponse()
              response.responseData = bytes
              call.answer(response)
            case .failure: refuse(.unknownServerError)
            }
          })
        return true
      } catch {
        return false
      }
    }
    if !isUnderstood { refuse(.invalidRequest) }
  }
}
