import EventLoop
import Synchronization
public import KafkaProtocol
public import Vocabulary

extension ClusterClient {
  /// Sends one request to one broker, once. `highest` holds the version down, where a newer one wants what the caller
  /// does not have, such as the ids of topics.
  public func send<Body: RequestBody>(
    _ body: Body, to address: BrokerAddress, highest: Int16 = .max, span: TimeSpan? = nil
  ) async throws(ClientError) -> BrokerReply<Body.Response> {
    let answer = try await exchange(body, to: address, highest: highest, span: span, answering: .awaited)
    do {
      return try answer.frame.withUnsafeBytes { raw in
        let (_, start) = try ResponseHeader.decode(raw, key: Body.key, version: answer.version)
        let rest = UnsafeRawBufferPointer(rebasing: raw[start...])
        let response = try Body.Response.decode(rest, version: answer.version)
        return BrokerReply(response: response, body: [UInt8](rest), broker: address, version: answer.version)
      }
    } catch {
      throw .malformed(address, Body.key, "\(error)")
    }
  }

  /// Sends a request that is not answered: returns when it was given to the connection.
  func sendUnanswered<Body: RequestBody>(
    _ body: Body, to address: BrokerAddress, highest: Int16
  ) async throws(ClientError) {
    _ = try await exchange(body, to: address, highest: highest, span: nil, answering: .none)
  }

  private func exchange<Body: RequestBody>(
    _ body: Body, to address: BrokerAddress, highest: Int16, span: TimeSpan?, answering: Exchange.Answering
  ) async throws(ClientError) -> Answer {
    let span = span ?? settings.requestSpan
    let lowest = Body.versions.lowerBound
    let versions = lowest...max(lowest, min(highest, Body.versions.upperBound))
    let clientID = settings.clientID
    let connection = try await connection(to: address)
    let result = await withCheckedContinuation { continuation in
      let exchange = Exchange(
        key: Body.key, versions: versions, answering: answering, span: span, deadline: monotonicNow() + span,
        payload: { version, correlationID in
          body.payload(version: version, correlationID: correlationID, clientID: clientID).bytes
        },
        finish: { continuation.resume(returning: $0) })
      connection.submit(exchange)
    }
    return try result.get()
  }

  /// The connection that is there, or a new one; after a failure it waits until a new one may be tried.
  private func connection(to address: BrokerAddress) async throws(ClientError) -> BrokerConnection {
    while true {
      enum Way {
        case use(BrokerConnection)
        case wait(TimeSpan)
        case closed
      }
      let way = state.withLock { state -> Way in
        if state.isClosed { return .closed }
        var link =
          state.links[address]
          ?? BrokerLink(backoff: Backoff(first: settings.pauseFirst, most: settings.pauseMax))
        if let connection = link.connection, !connection.isOver { return .use(connection) }
        if let notBefore = link.notBefore, case let rest = notBefore - monotonicNow(), rest > .zero {
          return .wait(rest)
        }
        let connection = connect(to: address)
        link.connection = connection
        state.links[address] = link
        return .use(connection)
      }
      switch way {
      case .use(let connection): return connection
      case .wait(let span): await pause(span)
      case .closed: throw .closed
      }
    }
  }

  private func connect(to address: BrokerAddress) -> BrokerConnection {
    BrokerConnection.open(
      address, clientID: settings.clientID, loop: loop, pool: pool, deadline: settings.connectSpan
    ) { [weak self] event in
      self?.note(event, of: address)
    }
  }

  /// A connection that was ready clears the count of failures; one that ends makes the next one wait.
  private func note(_ event: BrokerConnection.Event, of address: BrokerAddress) {
    state.withLock { state in
      guard var link = state.links[address] else { return }
      switch event {
      case .ready: link.backoff.succeed()
      case .ended:
        let chance = UInt8.random(in: 0...255, using: &state.random)
        link.notBefore = monotonicNow() + link.backoff.fail(chance: chance)
      }
      state.links[address] = link
    }
  }
}
