import ClusterMetadata
import Coordination
import EventLoop
import HTTP
import KafkaProtocol
package import LogStorage
import Synchronization
public import Telemetry
import Vocabulary

/// A node of a cluster: a broker, a controller, or both in one process. Its parts, and how they are put together.
///
/// Follow a request: `FrameServer` → `RequestService` → `Routes` → a handler in `Handlers/`, which asks `partitions`,
/// `groups` or the controller and answers through its `Call`. Follow a change: a handler → `Controller` →
/// `MetadataQuorum` → `MetadataPublisher` → `MetadataFollower`.
public final class Broker: Sendable {
  let settings: BrokerSettings
  let planted: BrokerMistake?
  let plantedInMirroring: MirrorMistake?
  let clusterID: String
  let identity: DirectoryIdentity
  let quorum: MetadataQuorum
  /// Nil on a node that is no controller.
  let controller: Controller?
  let publisher: MetadataPublisher
  let follower: MetadataFollower
  /// For what is about records and in-sync sets.
  let channel: ControllerChannel
  /// For heartbeats, which must not wait behind anything else.
  let lifeline: ControllerChannel
  let contact: ControllerContact
  let forwarding: Forwarding
  let proposals: InSyncProposals
  let assignments = Mutex(AssignmentTurn.idle)
  let lifelines = Lifelines()
  let storage: Storage
  let groups: Groups
  let transactions: Transactions
  /// What is asked before a transaction begins in a partition.
  let checks: TransactionChecks
  let markers: MarkerSender
  let catalogue: TopicCatalogueCache
  let producerIDs: ProducerIDs
  /// Made when the broker's epoch is known.
  let replication = Mutex<BrokerReplication?>(nil)
  let fetchSessions: FetchSessions
  let fetchBytesMax: Int
  let loops: [EventLoop]
  let pool: BlockingPool
  let metrics = BrokerMetrics()
  let log: Log
  let metadataLog: PartitionLog
  let server: FrameServer
  /// Called when the node cannot go on, with the reason.
  let ended: @Sendable (String) -> Void
  let lifecycle = Mutex<BrokerLifecycle?>(nil)
  let pages = Mutex<HTTPServer?>(nil)
  /// What copies topics from other clusters.
  var mirrors: Mirrors {
    mirroring.withLock { made in
      if let made { return made }
      let new = Mirrors(self)
      made = new
      return new
    }
  }
  private let mirroring = Mutex<Mirrors?>(nil)
  private let phase = Atomic(Phase.starting.rawValue)

  enum Phase: UInt8 { case starting, ready, stopping }
  /// Whether requests are answered: what `/readyz` says.
  var isReady: Bool { phase.load(ordering: .relaxed) == Phase.ready.rawValue }
  func enter(_ new: Phase) { phase.store(new.rawValue, ordering: .relaxed) }

  var partitions: PartitionTable { storage.table }
  /// Whether it decides what the cluster agrees on, as far as it knows: a simulation aims at it.
  package var isActiveController: Bool { controller?.isActive == true }
  /// What the cluster has agreed on, as far as this node has followed it.
  var image: MetadataImage { publisher.image }
  /// Whether this node tells clients that it is a broker that serves.
  package var isAmongLiveBrokers: Bool { image.liveBrokers.contains { $0.id == settings.nodeID } }
  var connectionCount: Int { server.connectionCount }

  /// The topic of a name as a request has it.
  func heldTopic(_ text: String) -> PartitionTable.HeldTopic? { TopicName(text).flatMap { partitions.topic($0) } }

  /// A partition's log takes no more writes: the controller is told that its directory has failed, so that others lead
  /// what lies there (KIP-858).
  func partitionFailed(_ partition: Partition, _ error: StorageError) {
    log.error("a partition's disk failed", ["partition": "\(partition.name)", "reason": "\(error)"])
    guard let folder = storage.folder(of: partition), folder.fail() else { return }
    log.error("nothing new is put into a folder whose disk failed, until the next start", ["folder": folder.path])
    lifecycle.withLock { $0 }?.directoryFailed(folder.id)
  }

  /// Says that a disk failed. The log that met it takes no more writes; what was durable stays readable.
  func storageFailed(_ error: StorageError) {
    log.log(.error, atMostEvery: .seconds(1), "storage failed", ["reason": "\(error)"])
  }

  /// Checks everything, then opens or creates the data folder and reads the metadata that is in it.
  /// Until the folder is known to be this node's, nothing on disk changes.
  /// - Parameter ended: called once, from any thread, when the node cannot go on; whoever started it stops it then.
  public convenience init(
    settings: BrokerSettings, log: Log, ended: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    try self.init(settings: settings, disk: FileDisk(), planted: nil, log: log, ended: ended)
  }

  /// For a simulation, which has disks of its own, and mistakes that it has to find.
  package init(
    settings: BrokerSettings, disk: any Disk, planted: BrokerMistake?, plantedInMirroring: MirrorMistake? = nil,
    log: Log, ended: @escaping @Sendable (String) -> Void
  ) throws {
    let parts = try BrokerParts(settings: settings, disk: disk, planted: planted, log: log)
    (self.planted, self.plantedInMirroring) = (planted, plantedInMirroring)
    self.settings = settings
    self.log = log
    self.ended = ended
    identity = parts.directory.identity
    clusterID = identity.clusterID
    contact = ControllerContact(settings)
    loops = parts.loops
    pool = parts.pool
    storage = parts.storage
    metadataLog = parts.metadataLog
    let follower = MetadataFollower(settings: settings, storage: parts.storage, loop: parts.loops[0], log: log)
    self.follower = follower
    let quorum = try parts.quorum(settings, log: log)
    self.quorum = quorum
    let publisher = try MetadataPublisher(image: quorum.image, upTo: quorum.appliedOffset) { records, image in
      follower.follow(records, image)
    }
    self.publisher = publisher
    controller =
      settings.roles.contains(.controller)
      ? Controller(
        quorum: quorum, sessionTimeout: settings.reader.milliseconds("broker.session.timeout.ms"), planted: planted
      ) { publisher.when($0, $1) } : nil
    let catalogue = TopicCatalogueCache { publisher.image }
    self.catalogue = catalogue
    groups = Self.groups(settings, parts, catalogue, log: log, planted: planted)
    let itself = Itself()
    let transacting = TransactionParts(settings, parts, itself: itself, log: log) { publisher.image }
    (transactions, checks, markers) = (transacting.transactions, transacting.checks, transacting.markers)
    func channel() -> ControllerChannel {
      ControllerChannel(
        quorum: quorum, clientID: "broker-\(settings.nodeID.value)", loop: parts.loops[0], pool: parts.pool,
        broker: { itself.broker })
    }
    let shared = channel()
    self.channel = shared
    lifeline = channel()
    proposals = InSyncProposals(channel(), broker: settings.nodeID, planted: planted) {
      publisher.image.brokers[settings.nodeID]?.epoch ?? -1
    }
    forwarding = Forwarding(channel(), publisher: publisher, loop: parts.loops[0])
    producerIDs = ProducerIDs { itself.broker?.orderProducerIDs($0) }
    fetchSessions = FetchSessions(limit: settings.reader.int("max.incremental.fetch.session.cache.slots"))
    fetchBytesMax = settings.reader.int("fetch.max.bytes")
    let service = RequestService(itself, settings)
    server = try FrameServer(loops: parts.loops, pool: parts.pool, limits: Self.limits(settings), service: service)
    follower.attach(groups: groups, transactions: transactions, catalogue: catalogue) {
      itself.broker?.assignReplicas(in: $0)
    }
    itself.set(self)
    metrics.addGauges(of: self)
    metrics.addMirrors(of: self)
  }

  private static func groups(
    _ settings: BrokerSettings, _ parts: BrokerParts, _ catalogue: TopicCatalogueCache, log: Log,
    planted: BrokerMistake?
  ) -> Groups {
    Groups(
      settings: GroupSettings(settings.reader),
      world: GroupWorld(
        loop: parts.loops[0], pool: parts.pool, topics: { catalogue.current },
        namesMatching: { catalogue.names(matching: $0) },
        report: { message, partition in log.error(message, ["partition": "\(partition)"]) }, planted: planted))
  }

  /// For a simulation, in which a process dies and its memory does not go with it: the parts let go of each other. Nothing
  /// of the node is performed any more.
  package func dismantle() {
    _ = lifecycle.withLock { $0.take() }
    replication.withLock { $0.take() }?.stop()
    for channel in [channel, lifeline] { channel.close() }
    forwarding.close()
    proposals.close()
    _ = mirroring.withLock { $0.take() }
    groups.forget()
    transactions.forget()
    checks.stop()
    markers.stop()
    storage.forget()
    controller?.end()
    quorum.abandon()
    publisher.abandon()
    metrics.registry.removeAll()
  }

  private static func limits(_ settings: BrokerSettings) -> ConnectionLimits {
    var limits = ConnectionLimits()
    limits.frameBytesMax = ByteCount(settings.requestBytesMax)
    limits.idleTimeMax = settings.idleLimit
    limits.connectionsMax = settings.connectionsMax
    limits.connectionsPerAddressMax = settings.connectionsPerAddressMax
    return limits
  }
}

/// How parts of a node find the node that they are parts of, without keeping it alive.
final class Itself: Sendable {
  private struct Reference: Sendable { weak let broker: Broker? }
  private let reference = Mutex(Reference(broker: nil))
  var broker: Broker? { reference.withLock { $0.broker } }
  func set(_ broker: Broker) { reference.withLock { $0 = Reference(broker: broker) } }
}
