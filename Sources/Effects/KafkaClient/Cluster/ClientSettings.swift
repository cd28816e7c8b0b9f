public import Vocabulary

/// How a client behaves. Every span is a limit on something that the caller waits for.
public struct ClientSettings: Sendable {
  /// Where the cluster is asked for its brokers. One that answers is enough.
  public var bootstrap: [BrokerAddress]
  /// Appears in the broker's logs and quotas.
  public var clientID = "swiftwater"
  /// How long one request may take.
  public var requestSpan = TimeSpan.seconds(30)
  /// How long one connection may take to be made.
  public var connectSpan = TimeSpan.seconds(10)
  /// How long something may be tried again before its last error is thrown.
  public var retrySpan = TimeSpan.seconds(60)
  /// How often all bootstrap servers are tried before the client says that none answers.
  public var bootstrapRoundsMax = 3
  /// How long they are tried before the client says so, though some were not reached: the next time begins with those.
  public var bootstrapSpan = TimeSpan.seconds(60)
  /// The pause after a first failure; it doubles with each further one.
  public var pauseFirst = TimeSpan.milliseconds(100)
  public var pauseMax = TimeSpan.seconds(2)
  /// Metadata older than this is asked for again before it is used.
  public var metadataAgeMax = TimeSpan.seconds(300)

  public init(bootstrap: [BrokerAddress]) { self.bootstrap = bootstrap }
}
