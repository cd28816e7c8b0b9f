public import EventLoop
public import KafkaProtocol
import Synchronization
public import Vocabulary

/// Another node of the cluster, asked over one connection: it is made when the first request needs it, and made anew by
/// the next request after it broke. Requests are answered in the order in which they were sent.
///
/// It does not try again by itself: what a failure means, only the caller knows.
public final class Peer: Sendable {
  public let address: BrokerAddress
  private let clientID: String
  private let loop: EventLoop
  private let pool: BlockingPool
  private let connectSpan: TimeSpan
  private let state = Mutex(State.idle)

  private enum State {
    case idle
    case connected(BrokerConnection)
    case closed
  }

  /// - Parameter connectSpan: how long one connection may take to be made.
  public init(
    _ address: BrokerAddress, clientID: String, connectSpan: TimeSpan = .seconds(2), loop: EventLoop, pool: BlockingPool
  ) {
    self.address = address
    self.clientID = clientID
    self.connectSpan = connectSpan
    self.loop = loop
    self.pool = pool
  }

  /// Sends a request. `then` is called once, on the connection's loop or at once: with the answer, or with the reason why
  /// there is none within `span`.
  /// - Parameters:
  ///   - lowest: versions before it cannot say what is meant: a node that knows no newer one is not asked.
  ///   - highest: holds the version down, where a newer one wants what the caller does not have.
  public func ask<Request: RequestBody>(
    _ request: Request, lowest: Int16 = 0, highest: Int16 = .max, within span: TimeSpan,
    then: @escaping @Sendable (Result<PeerAnswer<Request.Response>, ClientError>) -> Void
  ) {
    let clientID = clientID
    let address = address
    let lowest = min(max(lowest, Request.versions.lowerBound), Request.versions.upperBound)
    submit(
      Exchange(
        key: Request.key, versions: lowest...max(lowest, min(highest, Request.versions.upperBound)),
        answering: .awaited, span: span, deadline: monotonicNow() + span,
        payload: { request.payload(version: $0, correlationID: $1, clientID: clientID).bytes },
        finish: { result in then(result.flatMap { Self.read($0, Request.self, from: address) }) }))
  }

  private func submit(_ exchange: Exchange) {
    let connection = state.withLock { state -> BrokerConnection? in
      switch state {
      case .closed: return nil
      case .connected(let connection) where !connection.isOver: return connection
      case .idle, .connected:
        let connection = BrokerConnection.open(
          address, clientID: clientID, loop: loop, pool: pool, deadline: connectSpan, observer: { _ in })
        state = .connected(connection)
        return connection
      }
    }
    guard let connection else { return exchange.finish(.failure(.closed)) }
    connection.submit(exchange)
  }

  private static func read<Request: RequestBody>(
    _ answer: Answer, _: Request.Type, from address: BrokerAddress
  ) -> Result<PeerAnswer<Request.Response>, ClientError> {
    do {
      return .success(
        try answer.frame.withUnsafeBytes { raw in
          let (_, start) = try ResponseHeader.decode(raw, key: Request.key, version: answer.version)
          let response = try Request.Response.decode(
            UnsafeRawBufferPointer(rebasing: raw[start...]), version: answer.version)
          return PeerAnswer(response: response, frame: answer.frame, bodyStart: start, version: answer.version)
        })
    } catch {
      return .failure(.malformed(address, Request.key, "\(error)"))
    }
  }

  /// Ends the connection: what was asked and not answered fails. Nothing can be asked afterwards.
  public func close() {
    let connection = state.withLock { state -> BrokerConnection? in
      defer { state = .closed }
      if case .connected(let connection) = state { return connection }
      return nil
    }
    connection?.close()
  }
}

/// What a peer answered, with its bytes: ranges in the response, such as those of records, count from `bodyStart`.
public struct PeerAnswer<Response: ResponseBody>: Sendable {
  public let response: Response
  public var frame: [UInt8]
  public let bodyStart: Int
  public let version: Int16
}
