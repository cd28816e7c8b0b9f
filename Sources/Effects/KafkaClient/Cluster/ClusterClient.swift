public import EventLoop
public import KafkaProtocol
import Synchronization
import Vocabulary

/// A client of one cluster, of Swiftwater or of Apache Kafka.
///
/// It finds the brokers through the bootstrap servers, keeps one connection to each that it needs, agrees on versions,
/// and sends each request to the broker that must answer it. What fails because a leader, a coordinator or a
/// connection was lost is tried again, with growing pauses, for `ClientSettings.retrySpan`.
///
/// It may be used by any number of tasks. Many requests may be on their way on one connection; a broker answers them
/// in order, so that one which waits, such as Fetch, holds up those behind it: give such readers a client of their own.
public final class ClusterClient: Sendable {
  struct State {
    var links: [BrokerAddress: BrokerLink] = [:]
    var view = ClusterView()
    /// The coordinators of groups and transactional ids.
    var coordinators: [Destination: BrokerAddress] = [:]
    /// The bootstrap server to begin with: the last that answered.
    var bootstrapStart = 0
    var isClosed = false
    var random = SystemRandomNumberGenerator()
  }
  public let settings: ClientSettings
  let loop: EventLoop
  let pool: BlockingPool
  let state = Mutex(State())

  /// The loop and the pool are run and stopped by the caller, who stops them after `close`.
  public init(_ settings: ClientSettings, loop: EventLoop, pool: BlockingPool) {
    precondition(!settings.bootstrap.isEmpty, "a client without bootstrap servers finds no cluster")
    self.settings = settings
    self.loop = loop
    self.pool = pool
  }

  /// Ends the connections; what is on its way fails.
  public func close() {
    let links = state.withLock { state in
      state.isClosed = true
      defer { state.links = [:] }
      return state.links
    }
    for link in links.values { link.connection?.close() }
  }

  /// What is known of the cluster without asking.
  public var view: ClusterView { state.withLock { $0.view } }

  /// Waits without holding up a thread.
  func pause(_ span: TimeSpan) async {
    await withCheckedContinuation { continuation in
      loop.schedule(after: span) { continuation.resume() }
    }
  }

  func nextPause(_ backoff: inout Backoff) -> TimeSpan {
    let chance = state.withLock { UInt8.random(in: 0...255, using: &$0.random) }
    return backoff.fail(chance: chance)
  }
}

/// The way to one broker: the connection, if there is one, and when a further one may be made.
struct BrokerLink: Sendable {
  var connection: BrokerConnection?
  var backoff: Backoff
  /// Before it no new connection is made.
  var notBefore: Instant?
}

/// An answer, and where it came from.
public struct BrokerReply<Response: ResponseBody>: Sendable {
  public let response: Response
  /// The bytes that `RecordsField.inFrame` counts from.
  public let body: [UInt8]
  public let broker: BrokerAddress
  public let version: Int16
}
