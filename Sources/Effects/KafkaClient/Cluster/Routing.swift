import EventLoop
import Synchronization
public import KafkaProtocol
public import Vocabulary

/// Which broker must answer a request.
public enum Destination: Sendable, Hashable {
  case any
  case controller
  case broker(NodeID)
  case leader(TopicPartition)
  case coordinator(group: String)
  case transactionCoordinator(String)
}

extension ClusterClient {
  /// Sends a request to the broker that must answer it, and again after errors that pass: for
  /// `ClientSettings.retrySpan`, then the last error is thrown.
  ///
  /// `check` returns what the broker refused, if it did; refusals that no retry can mend are thrown at once. After
  /// a connection was lost the request is sent again as well, so that the broker may see it twice.
  public func call<Body: RequestBody>(
    _ body: Body, to destination: Destination, highest: Int16 = .max, span: TimeSpan? = nil,
    check: (Body.Response) -> PartialRefusal? = { _ in nil }
  ) async throws(ClientError) -> BrokerReply<Body.Response> {
    let deadline = monotonicNow() + settings.retrySpan
    var backoff = Backoff(first: settings.pauseFirst, most: settings.pauseMax)
    while true {
      let failure: ClientError
      do throws(ClientError) {
        let reply: BrokerReply<Body.Response>
        if destination == .any {
          reply = try await sendToAny(body, highest: highest)
        } else {
          reply = try await send(body, to: try await address(of: destination), highest: highest, span: span)
        }
        guard let refusal = check(reply.response) else { return reply }
        failure = .refused(reply.broker, Body.key, subject: refusal.subject, refusal.code, refusal.message)
      } catch {
        // All bootstrap servers were tried several times already.
        if case .any = destination { throw error }
        failure = error
      }
      let remedy = Remedy(for: failure)
      guard remedy != .none, !isBootstrapFailure(failure) else { throw failure }
      let pauseSpan = nextPause(&backoff)
      guard monotonicNow() + pauseSpan < deadline else { throw failure }
      apply(remedy, to: destination)
      await pause(pauseSpan)
    }
  }

  /// Nobody of the cluster answers, as opposed to one broker of it.
  private func isBootstrapFailure(_ error: ClientError) -> Bool {
    guard case .unreachable(let address, _) = error else { return false }
    return state.withLock { $0.view.brokers.isEmpty } && settings.bootstrap.contains(address)
  }

  func apply(_ remedy: Remedy, to destination: Destination) {
    state.withLock { state in
      switch destination {
      case .coordinator, .transactionCoordinator: state.coordinators[destination] = nil
      case .leader(let partition): state.view.forget(partition.topic)
      case .controller, .broker: state.view.forgetAll()
      case .any: break
      }
    }
  }

  /// Where to send to, from what is known or by asking.
  public func address(of destination: Destination) async throws(ClientError) -> BrokerAddress {
    switch destination {
    case .any: return settings.bootstrap[0]
    case .controller:
      // A cluster of the quorum's names any broker here, and that one forwards.
      try await refreshMetadata([])
      let view = view
      guard let controller = view.controller, let address = view.brokers[controller] else {
        throw .noLeader("the controller", .brokerNotAvailable)
      }
      return address
    case .broker(let node):
      if let address = view.brokers[node] { return address }
      try await refreshMetadata([])
      guard let address = view.brokers[node] else { throw .noLeader("broker \(node.value)", .brokerNotAvailable) }
      return address
    case .leader(let partition):
      let topic = try await topic(partition.topic)
      if let (_, address) = view.leader(of: partition) { return address }
      let isThere = topic.partitions.contains { $0.index == partition.partition }
      state.withLock { $0.view.forget(partition.topic) }
      throw .noLeader(partition.description, isThere ? .leaderNotAvailable : .unknownTopicOrPartition)
    case .coordinator(let group): return try await coordinator(destination, of: group, kind: 0)
    case .transactionCoordinator(let id): return try await coordinator(destination, of: id, kind: 1)
    }
  }

  /// - Parameter kind: as FindCoordinator has it.
  private func coordinator(
    _ destination: Destination, of key: String, kind: Int8
  ) async throws(ClientError) -> BrokerAddress {
    if let known = state.withLock({ $0.coordinators[destination] }) { return known }
    let request = FindCoordinatorRequest {
      $0.key = key
      $0.keyType = kind
      $0.coordinatorKeys = [key]
    }
    let reply = try await sendToAny(request)
    let response = reply.response
    var (code, message) = (response.errorCode, response.errorMessage)
    var (host, port) = (response.host, response.port)
    if reply.version >= 4 {
      guard let one = response.coordinators.first else {
        throw .malformed(reply.broker, .findCoordinator, "no coordinator in it")
      }
      (code, message, host, port) = (one.errorCode, one.errorMessage, one.host, one.port)
    }
    guard code == .none, let port = UInt16(exactly: port) else {
      throw .refused(
        reply.broker, .findCoordinator, subject: "\(kind == 0 ? "group" : "transactional id") \(key)", code, message)
    }
    let address = BrokerAddress(host: host, port: port)
    state.withLock { $0.coordinators[destination] = address }
    return address
  }
}

/// What a broker refused, before it is known which broker that was.
public struct PartialRefusal: Sendable, Hashable {
  public let subject: String
  public let code: ErrorCode
  public let message: String?

  /// Nil for the code that says that all is well.
  public init?(_ subject: String, _ code: ErrorCode, _ message: String? = nil) {
    guard code != .none else { return nil }
    self.subject = subject
    self.code = code
    self.message = message
  }
}
