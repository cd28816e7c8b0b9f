import EventLoop
import KafkaClient
import MirrorPlanning
import RecordCompression
import Vocabulary

let standaloneMirrorCommand = Command(
  "mirror", "",
  "Copies topics from one cluster to another as MirrorMaker 2 does, until it is interrupted; neither has to be Swiftwater.",
  options: [
    .value("source", "HOST:PORT[,…]", "where the cluster is asked for its brokers that is copied from"),
    .value("target", "HOST:PORT[,…]", "the same for the cluster that is copied to"),
    .value("source-alias", "NAME", "what the source is called in the names of topics (source)"),
    .value("target-alias", "NAME", "topics whose names say that they come from there are left out (target)"),
    .value(
      "replication-policy", "default|identity",
      "whether topics get the source's name in front, source.orders, or keep theirs (default)"),
    .value("topics", "LIST", "names of topics, or beginnings of names with a * after them (*)"),
    .value("groups", "LIST", "groups whose offsets are translated and carried, in the same words (*)"),
    .value("replication-factor", "N", "of topics that are made at the target (the target's default)"),
    .value("compression", "CODEC", "none, gzip, snappy, lz4 or zstd (none)"),
    .value("gap-policy", "halt|accept", "what to do about records that the source removed too early (halt)"),
  ], perform: mirror)

/// What a mirror was asked for.
struct StandalonePlan: Sendable {
  let source: [BrokerAddress]
  let target: [BrokerAddress]
  let sourceAlias: String
  let targetAlias: String
  let naming: RemoteNaming
  let topics: NameSelection
  let groups: NameSelection
  let replicas: Int16?
  let compression: Compression
  let acceptsGaps: Bool
  /// Where MirrorMaker's tools look for them.
  let syncsTopic: TopicName
  let checkpointsTopic: TopicName
  let heartbeatsTopic: TopicName

  init(_ arguments: Arguments) throws(UsageError) {
    source = try Self.servers("source", arguments)
    target = try Self.servers("target", arguments)
    guard Set(source).isDisjoint(with: target) else {
      throw UsageError("--source and --target have a broker in common: a cluster is not mirrored into itself")
    }
    sourceAlias = arguments.text("source-alias") ?? "source"
    targetAlias = arguments.text("target-alias") ?? "target"
    guard sourceAlias != targetAlias else {
      throw UsageError("--source-alias and --target-alias are both \(sourceAlias)")
    }
    let policy = arguments.text("replication-policy") ?? RemoteNaming.prefixed.rawValue
    guard let naming = RemoteNaming(rawValue: policy) else {
      throw UsageError("--replication-policy \(policy): default or identity is needed")
    }
    self.naming = naming
    topics = NameSelection(arguments.text("topics") ?? "*")
    groups = NameSelection(arguments.text("groups") ?? "*")
    replicas = try arguments.number("replication-factor", in: 1...Int16.max)
    let codec = arguments.text("compression") ?? "none"
    guard let compression = Compression.allCases.first(where: { "\($0)" == codec }) else {
      throw UsageError("--compression \(codec): one of none, gzip, snappy, lz4, zstd is needed")
    }
    self.compression = compression
    let gaps = arguments.text("gap-policy") ?? "halt"
    guard gaps == "halt" || gaps == "accept" else { throw UsageError("--gap-policy \(gaps): halt or accept is needed") }
    acceptsGaps = gaps == "accept"
    guard let syncs = TopicName("mm2-offset-syncs.\(sourceAlias).internal"),
      let checkpoints = TopicName("\(sourceAlias).checkpoints.internal"), let heartbeats = TopicName("heartbeats")
    else { throw UsageError("--source-alias \(sourceAlias): letters, digits, '_' and '-' are needed") }
    syncsTopic = syncs
    checkpointsTopic = checkpoints
    heartbeatsTopic = heartbeats
  }

  private static func servers(_ option: String, _ arguments: Arguments) throws(UsageError) -> [BrokerAddress] {
    guard let text = arguments.text(option) else { throw UsageError("mirror needs --\(option) HOST:PORT[,…]") }
    guard let list = BrokerAddress.list(text) else {
      throw UsageError("--\(option) \(text): HOST:PORT is needed, with commas between several")
    }
    return list
  }

  /// What the topic is called at the target; nil for one that is not copied.
  func remote(of topic: TopicView) -> TopicName? {
    guard !topic.isInternal, !RemoteNaming.isInternal(topic.name), topics.contains(topic.name.text),
      !naming.isCircle(topic.name, into: targetAlias),
      // The mirror writes into it itself.
      !(naming == .same && topic.name == heartbeatsTopic)
    else { return nil }
    return naming.remoteName(of: topic.name, from: sourceAlias)
  }
}

private func mirror(_ arguments: Arguments, _ console: Console) async throws {
  let plan = try StandalonePlan(arguments)
  let loop = try EventLoop(name: "mirror")
  let pool = try BlockingPool(threads: Session.threads)
  try loop.start()
  defer {
    loop.stop()
    pool.stop()
  }
  Interruption.watch()
  var failures = 0
  while !Interruption.hasCome {
    let clusters = MirroredClusters(plan, loop: loop, pool: pool)
    defer { clusters.close() }
    do {
      let mirror = StandaloneMirror(plan, clusters, console)
      try await mirror.run { failures = 0 }
    } catch let error as ClientError {
      // What was not acknowledged is looked for at the target, as after a crash.
      failures += 1
      console.complain("\(error); it goes on from what the target has")
      try? await Task.sleep(for: .seconds(min(30, 1 << min(failures, 5))))
    }
  }
}

/// The connections of a mirror. Fetch waits, and holds up nothing else on connections of its own.
struct MirroredClusters: Sendable {
  let source: ClusterClient
  let reading: ClusterClient
  let target: ClusterClient

  init(_ plan: StandalonePlan, loop: EventLoop, pool: BlockingPool) {
    func client(_ bootstrap: [BrokerAddress], patience: TimeSpan) -> ClusterClient {
      var settings = ClientSettings(bootstrap: bootstrap)
      settings.clientID = "swiftwater-mirror"
      settings.retrySpan = patience
      settings.connectSpan = .seconds(5)
      return ClusterClient(settings, loop: loop, pool: pool)
    }
    source = client(plan.source, patience: .seconds(20))
    reading = client(plan.source, patience: .seconds(20))
    // The same batches again and again are appended once; after a new beginning that would not be certain.
    target = client(plan.target, patience: .seconds(600))
  }

  func close() { for client in [source, reading, target] { client.close() } }
}
