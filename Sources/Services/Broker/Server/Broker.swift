import ClusterMetadata
import Coordination
import EventLoop
import Glibc
import KafkaProtocol
import HTTP
import LogStorage
import RecordCompression
import Replication
import Synchronization
public import Telemetry
import Vocabulary

/// A broker and its controller in one process: the parts, and how they are put together.
///
/// Follow a request: `FrameServer` → `RequestService` → `Routes` → a handler in `Handlers/`, which asks `partitions`,
/// `groups` or `controller` and answers through its `Call`.
public final class Broker: Sendable {
  let settings: BrokerSettings
  let clusterID: String
  let controller: Controller
  let follower: MetadataFollower
  let storage: Storage
  let groups: Groups
  let catalogue: TopicCatalogueCache
  let producerIDs: ProducerIDs
  /// Made when the broker's epoch is known.
  private let replication = Mutex<BrokerReplication?>(nil)
  let fetchSessions: FetchSessions
  let fetchBytesMax: Int
  let loops: [EventLoop]
  let pool: BlockingPool
  let metrics = BrokerMetrics()
  let log: Log
  let metadataLog: PartitionLog
  private let server = Mutex<FrameServer?>(nil)
  private let pages = Mutex<HTTPServer?>(nil)
  private let phase = Atomic(Phase.starting.rawValue)

  private enum Phase: UInt8 { case starting, ready, stopping }
  /// Whether requests are answered: what `/readyz` says.
  var isReady: Bool { phase.load(ordering: .relaxed) == Phase.ready.rawValue }

  var partitions: PartitionTable { storage.table }

  /// The topic of a name as a request has it.
  func heldTopic(_ text: String) -> PartitionTable.HeldTopic? { TopicName(text).flatMap { partitions.topic($0) } }

  /// Says that a disk failed. The log that met it takes no more writes; what was durable stays readable.
  func storageFailed(_ error: StorageError) {
    log.log(.error, atMostEvery: .seconds(1), "storage failed", ["reason": "\(error)"])
  }

  /// Checks everything, then opens or creates the data folder and recovers what is in it.
  /// Until the folder is known to be this node's, nothing on disk changes.
  public init(settings: BrokerSettings, log: Log) throws {
    let parts = try BrokerParts(settings: settings, log: log)
    self.settings = settings
    self.log = log
    clusterID = parts.directory.identity.clusterID
    loops = parts.loops
    pool = parts.pool
    let storage = parts.storage
    let metadata = MetadataLog(log: parts.metadataLog)
    metadataLog = parts.metadataLog
    self.storage = storage
    let follower = MetadataFollower(settings: settings, storage: storage, loop: parts.loops[0], log: log)
    self.follower = follower
    controller = try Controller(log: metadata, image: parts.image) { records, image in
      follower.follow(records, image)
    }
    let controller = controller
    let catalogue = TopicCatalogueCache { controller.image }
    self.catalogue = catalogue
    groups = Groups(
      settings: GroupSettings(settings.reader),
      world: GroupWorld(
        loop: parts.loops[0], pool: parts.pool, topics: { catalogue.current },
        namesMatching: { catalogue.names(matching: $0) },
        report: { message, partition in log.error(message, ["partition": "\(partition)"]) }))
    producerIDs = ProducerIDs(controller: controller, broker: settings.nodeID)
    fetchSessions = FetchSessions(limit: settings.reader.int("max.incremental.fetch.session.cache.slots"))
    fetchBytesMax = settings.reader.int("fetch.max.bytes")
    follower.attach(groups: groups, catalogue: catalogue)
    try register(after: parts.directory.wasStoppedCleanly ? .clean : .crash, parts.directory.identity.directoryID)
    let image = controller.image
    let replication = BrokerReplication(
      node: settings.nodeID, epoch: BrokerEpoch(image.brokers[settings.nodeID]?.epoch ?? -1), settings: settings.reader,
      loop: parts.loops[0], pool: parts.pool, listener: nil, metrics: metrics, image: { controller.image },
      propose: { _, _ in },
      storageFailed: { error, partition in
        log.error("a partition's disk failed", ["partition": "\(partition.name)", "reason": "\(error)"])
      })
    self.replication.withLock { $0 = replication }
    try storage.open({ controller.image }, as: replication.world) { follower.settings(of: $0, in: $1) }
    if let offsets = storage.table.topic(.consumerOffsets) { groups.follow(offsets) }
    metrics.addGauges(of: self)
    if let address = settings.metrics {
      let pages = try MetricsPage.serve(self, at: address)
      self.pages.withLock { $0 = pages }
    }
    try listen()
  }

  /// Tells the metadata that this broker is here, under which addresses, and how it had ended.
  private func register(after end: PreviousEnd, _ directory: UniqueID) throws {
    let registration = BrokerRegistration(
      id: settings.nodeID, epoch: 0, incarnation: .random(),
      endpoints: settings.listeners.map {
        Endpoint(name: $0.name, host: $0.advertised.host, port: $0.advertised.port)
      }, rack: settings.rack, isFenced: false, logDirectories: [directory])
    try controller.changeNow { draft in
      draft.add(draft.image.register(registration, after: end))
      for (name, level) in Features.all where draft.image.features[name] != level {
        draft.add([.featureChanged(name: name, level: level)])
      }
    }
  }

  private func listen() throws {
    var limits = ConnectionLimits()
    limits.frameBytesMax = ByteCount(settings.requestBytesMax)
    limits.idleTimeMax = settings.idleLimit
    limits.connectionsMax = settings.connectionsMax
    limits.connectionsPerAddressMax = settings.connectionsPerAddressMax
    let server = try FrameServer(loops: loops, pool: pool, limits: limits, service: RequestService(self))
    for listener in settings.listeners {
      _ = try server.listen(host: listener.bind.host, port: listener.bind.port, name: listener.name)
    }
    self.server.withLock { $0 = server }
  }

  var connectionCount: Int { server.withLock { $0?.connectionCount ?? 0 } }

  /// Begins to answer, and to look after the logs.
  public func start() throws {
    for loop in loops { try loop.start() }
    Upkeep(self).start()
    phase.store(Phase.ready.rawValue, ordering: .relaxed)
  }

  /// Ends in order: nothing new is accepted, what has begun is answered, every log is closed, the data
  /// folder is let go.
  public func stop() {
    phase.store(Phase.stopping.rawValue, ordering: .relaxed)
    server.withLock { $0 }?.shutdown(drain: .seconds(5))
    groups.forget()
    replication.withLock { $0 }?.stop()
    controller.stop()
    for loop in loops { loop.stop() }
    if storage.close(alsoClosing: metadataLog) {
      do {
        try storage.directory.markClean()
      } catch {
        log.warning("the clean stop could not be noted", ["reason": "\(error)"])
      }
    }
    pool.stop()
    storage.directory.release()
    pages.withLock { $0 }?.stop()
  }
}
