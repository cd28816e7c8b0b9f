import EventLoop
import KafkaClient
import KubernetesAPI
import Vocabulary

/// A client for the time of one command.
enum Session {
  static let threads = 2

  /// Somebody who waits at a terminal should hear soon that something does not work.
  static func settings(_ arguments: Arguments) throws(UsageError) -> ClientSettings {
    let text =
      arguments.text(Option.bootstrap.name) ?? ProcessVariables.all["SWIFTWATER_BOOTSTRAP_SERVER"] ?? "localhost:9092"
    guard let addresses = BrokerAddress.list(text) else {
      throw UsageError("--bootstrap-server \(text): HOST:PORT is needed, with commas between several")
    }
    var settings = ClientSettings(bootstrap: addresses)
    settings.clientID = "swiftwater-cli"
    settings.retrySpan = .seconds(20)
    settings.connectSpan = .seconds(5)
    return settings
  }

  /// With a span, that long is tried again what comes to nothing, and no longer.
  static func run(
    _ arguments: Arguments, retrying span: TimeSpan? = nil, _ body: (ClusterClient) async throws -> Void
  ) async throws {
    var settings = try settings(arguments)
    if let span {
      settings.retrySpan = span
      settings.connectSpan = span
      settings.requestSpan = span
      settings.bootstrapRoundsMax = 1
    }
    let loop = try EventLoop(name: "client")
    let pool = try BlockingPool(threads: threads)
    try loop.start()
    let client = ClusterClient(settings, loop: loop, pool: pool)
    defer {
      client.close()
      loop.stop()
      pool.stop()
    }
    try await body(client)
  }

  static func node(_ text: String) throws(UsageError) -> NodeID {
    guard let id = Int32(text), id >= 0 else { throw UsageError("\(text) is no node's number") }
    return NodeID(id)
  }

  static func topic(_ text: String) throws(UsageError) -> TopicName {
    guard let name = TopicName(text) else {
      throw UsageError("\(text) is no topic's name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
    }
    return name
  }
}
