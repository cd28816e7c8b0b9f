import ClusterMetadata
import Coordination
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Testing
import Vocabulary
import Wire

@testable import Broker

/// A controller that does what a test says, and takes what leaders propose: one change at a time, on its own thread.
final class ScriptedController: Sendable {
  private let thread: BlockingPool
  private let state = Mutex(State())
  /// Every image, in order.
  let changes = Events<MetadataImage>()

  private struct State {
    var image = MetadataImage()
    var followers: [NodeID: MetadataFollower] = [:]
  }

  init() throws { thread = try BlockingPool(threads: 1, name: "controller") }

  var image: MetadataImage { state.withLock { $0.image } }

  func attach(_ node: NodeID, _ follower: MetadataFollower?) { state.withLock { $0.followers[node] = follower } }
  func stop() { thread.stop() }

  /// Returns when every node has followed.
  func apply(_ records: [ClusterMetadata.MetadataRecord]) throws { try decide { _ in records } }

  /// Decides on what is true at that moment: no proposal comes between.
  func decide(_ records: @escaping @Sendable (MetadataImage) -> [ClusterMetadata.MetadataRecord]) throws {
    let done = try Semaphore()
    thread.run {
      self.change(records(self.image))
      done.signal()
    }
    done.wait()
  }

  private func change(_ records: [ClusterMetadata.MetadataRecord]) {
    let (image, followers) = state.withLock { state in
      for record in records { state.image.replay(record) }
      return (state.image, state.followers.values)
    }
    for follower in followers { follower.follow(records, image) }
    changes.add(image)
  }

  func propose(_ proposal: Proposal, _ partition: Partition) {
    thread.run {
      let index = Int(partition.name.partition.value)
      guard let state = self.image.topics[partition.topicID]?.partitions[index] else { return }
      if proposal.leaderEpoch != state.leaderEpoch {
        return partition.proposalAnswered(proposal.id, .refused(.fencedLeaderEpoch))
      }
      if proposal.partitionEpoch.value != state.partitionEpoch {
        return partition.proposalAnswered(proposal.id, .refused(.invalidUpdateVersion))
      }
      self.change([
        .partitionChanged(
          topic: partition.topicID, partition.name.partition, PartitionChange(inSync: proposal.inSync.nodes))
      ])
      partition.proposalAnswered(
        proposal.id,
        .confirmed(
          leaderEpoch: proposal.leaderEpoch, partitionEpoch: PartitionEpoch(state.partitionEpoch + 1),
          inSync: proposal.inSync))
    }
  }
}

/// What a broker is made of as far as copying goes, with a server on loopback that answers Fetch.
final class RigNode {
  let id: NodeID
  let storage: Storage
  let replication: BrokerReplication
  let groups: Groups
  let server: FrameServer
  private let loops: [EventLoop]
  private let pool: BlockingPool
  private let controller: ScriptedController
  private let ticking = Atomic(true)

  init(
    _ id: Int32, rack: String, folder: TemporaryFolder, _ controller: ScriptedController, _ more: [String: String]
  ) throws {
    self.id = NodeID(id)
    self.controller = controller
    let settings = try BrokerSettings(
      [
        "node.id": "\(id)", "log.dirs": "\(folder.path)/data-\(id)", "replica.lag.time.max.ms": "400",
        "replica.fetch.wait.max.ms": "50", "replica.fetch.backoff.ms": "20",
      ].merging(more) { $1 })
    loops = [try EventLoop(name: "rig-\(id)")]
    for loop in loops { try loop.start() }
    pool = try BlockingPool(threads: 6, name: "rig-\(id)")
    let directory = try LogDirectory.open(
      disk: FileDisk(), openFiles: OpenFiles(limit: 128), path: settings.logDirectories[0],
      expected: DirectoryIdentity(
        clusterID: "rig", nodeID: self.id, directoryID: UniqueID(high: 1, low: UInt64(UInt32(id)))))
    let storage = Storage(LogDirectories(directory), pool: pool) { _, _ in }
    self.storage = storage
    let follower = MetadataFollower(settings: settings, storage: storage, loop: loops[0], log: Start.log)
    let service = RigService()
    server = try FrameServer(loops: loops, pool: pool, limits: ConnectionLimits(), service: service)
    let port = try server.listen(host: "127.0.0.1", port: 0, name: "PLAINTEXT")
    let catalogue = TopicCatalogueCache { controller.image }
    groups = Groups(
      settings: .init(settings.reader),
      world: GroupWorld(
        loop: loops[0], pool: pool, topics: { catalogue.current }, namesMatching: { _ in [] }, report: { _, _ in }))
    follower.attach(groups: groups, transactions: .idle(loops[0], pool), catalogue: catalogue)
    controller.attach(self.id, follower)
    let epoch = controller.image.lastBrokerEpoch + 1
    let registered = BrokerRegistration(
      id: self.id, epoch: epoch, incarnation: .random(),
      endpoints: [Endpoint(name: "PLAINTEXT", host: "127.0.0.1", port: port)], rack: rack, isFenced: false,
      logDirectories: [directory.identity.directoryID])
    // A leader that comes back leads in a new epoch.
    try controller.decide { image in
      [.brokerRegistered(registered)]
        + image.topics.values.filter { $0.partitions.first?.leader == registered.id }.map {
          .partitionChanged(topic: $0.id, PartitionIndex(0), PartitionChange(leader: registered.id))
        }
    }
    replication = BrokerReplication(
      node: self.id, epoch: BrokerEpoch(epoch), settings: settings.reader, loop: loops[0], pool: pool, listener: nil,
      metrics: BrokerMetrics(), contact: ControllerContact(session: .seconds(2)), image: { controller.image },
      propose: { controller.propose($0, $1) },
      storageFailed: { _, _ in })
    try storage.open({ controller.image }, as: replication.world) { follower.settings(of: $0, in: $1) }
    follower.adoptRates(controller.image)
    let throttle = replication.world.throttles.leader
    service.server.withLock {
      [pool] in
      $0 = FetchServer(
        node: self.id, table: storage.table, sessions: FetchSessions(limit: 10), pool: pool, bytesMax: 1 << 20,
        waitMax: .seconds(10), selectsReplicas: true, throttle: throttle, metrics: BrokerMetrics(),
        image: { controller.image })
    }
    tick()
  }

  /// Time passes for every copy, as `Upkeep` does it.
  private func tick() {
    let storage = storage
    let loop = loops[0]
    let pool = pool
    @Sendable func again() {
      loop.schedule(after: .milliseconds(10)) {
        pool.run {
          let now = monotonicNow()
          for partition in storage.table.allPartitions { partition.tick(at: now, calm: .milliseconds(50)) }
          again()
        }
      }
    }
    again()
  }

  func partition(_ topic: String = "t", _ index: Int32 = 0) throws -> Partition {
    let name = try #require(TopicName(topic))
    return try #require(storage.table.topic(name)?.partition(index))
  }

  /// As when the process dies: nothing is closed, only the page cache is left.
  func die() {
    controller.attach(id, nil)
    replication.stop()
    server.shutdown(drain: .zero)
    for loop in loops { loop.stop() }
    pool.stop()
    storage.directories.home.release()
  }
}

/// Answers what a broker needs to copy.
private final class RigService: FrameService, FrameReceiver {
  let server = Mutex<FetchServer?>(nil)

  func received(
    _ frame: UnsafeMutableRawBufferPointer, from connection: ConnectionInfo, reply: Reply
  ) -> FrameFlow {
    do {
      let bytes = UnsafeRawBufferPointer(frame)
      let opening = try RequestHeader.peek(bytes)
      let (header, start) = try RequestHeader.decode(bytes)
      let context = RequestContext(
        version: header.version, correlationID: header.correlationID, clientID: header.clientID,
        connection: connection, loop: connection.loop)
      let body = UnsafeRawBufferPointer(rebasing: bytes[start...])
      if opening.rawKey == APIKey.apiVersions.rawValue {
        let request = try ApiVersionsRequest.decode(body, version: header.version)
        var response = ApiVersionsResponse()
        response.apiKeys = Routes.broker.advertised
        Call(request: request, context: context, path: .connection(reply)).answer(response)
      } else if let server = server.withLock({ $0 }) {
        let request = try KafkaProtocol.FetchRequest.decode(body, version: header.version)
        server.fetch(Call(request: request, context: context, path: .connection(reply)))
      } else {
        reply.close(because: "not yet")
      }
    } catch {
      reply.close(because: "\(error)")
    }
    return .exclusive
  }
  func closed(_ connection: ConnectionInfo, because reason: CloseReason) {}
  func refused(_ peer: SocketAddress?, listener: String, because reason: RefusalReason) {}
}

/// Several nodes in one process.
final class ClusterRig {
  let controller: ScriptedController
  private let folder: TemporaryFolder
  private let more: [String: String]
  private(set) var nodes: [Int32: RigNode] = [:]
  static let topic = UniqueID(high: 5, low: 5)

  init(racks: [String] = ["a", "b", "c"], _ more: [String: String] = [:]) throws {
    controller = try ScriptedController()
    folder = try TemporaryFolder()
    self.more = more
    for (index, rack) in racks.enumerated() { try start(Int32(index + 1), rack: rack) }
  }

  deinit {
    for node in nodes.values { node.die() }
    controller.stop()
  }

  @discardableResult func start(_ id: Int32, rack: String = "") throws -> RigNode {
    let node = try RigNode(id, rack: rack, folder: folder, controller, more)
    nodes[id] = node
    return node
  }

  func die(_ id: Int32) { nodes.removeValue(forKey: id)?.die() }

  func node(_ id: Int32) throws -> RigNode { try #require(nodes[id]) }

  /// One partition, led by the first of its replicas.
  func create(
    _ name: String = "t", id: UniqueID = topic, replicas: [Int32], observers: [Int32] = [],
    _ configs: [String: String] = [:]
  ) throws {
    let topic = try #require(TopicName(name))
    let voters = replicas.filter { !observers.contains($0) }.map { NodeID($0) }
    var state = ClusterMetadata.PartitionState(
      replicas: replicas.map { NodeID($0) }, inSync: voters, leader: try #require(voters.first),
      leaderEpoch: LeaderEpoch(0), partitionEpoch: 0, directories: replicas.map { _ in .zero })
    state.observers = observers.map { NodeID($0) }
    try controller.apply(
      configs.sorted { $0.key < $1.key }.map { .configChanged(.topic(name), key: $0.key, value: $0.value) } + [
        .topicCreated(topic, id), .partitionCreated(topic: id, PartitionIndex(0), state),
      ])
  }

  /// Makes it a replica as well: it has nothing yet, and catches up.
  func add(replica new: Int32, to id: UniqueID = topic) throws {
    try controller.decide { image in
      guard let state = image.topics[id]?.partitions.first else { return [] }
      var change = PartitionChange()
      change.replicas = state.replicas + [NodeID(new)]
      change.directories = state.directories + [.zero]
      return [.partitionChanged(topic: id, PartitionIndex(0), change)]
    }
  }

  func elect(_ leader: Int32, inSync: [Int32]? = nil) throws {
    try controller.apply([
      .partitionChanged(
        topic: Self.topic, PartitionIndex(0),
        PartitionChange(leader: NodeID(leader), inSync: inSync.map { $0.map { NodeID($0) } }))
    ])
  }

  /// Lets somebody lead who is in sync and not among the dead, who leave the set.
  func elect(without dead: Int32?, preferring wanted: Int32) throws {
    try controller.decide { image in
      guard let state = image.topics[Self.topic]?.partitions.first else { return [] }
      let inSync = state.inSync.filter { $0.value != dead }
      guard let leader = inSync.first(where: { $0.value == wanted }) ?? inSync.first else { return [] }
      return [
        .partitionChanged(topic: Self.topic, PartitionIndex(0), PartitionChange(leader: leader, inSync: inSync))
      ]
    }
  }

  var inSync: Set<Int32> {
    Set((controller.image.topics[Self.topic]?.partitions.first?.inSync ?? []).map(\.value))
  }

  /// Waits for a change of the metadata that makes it true.
  func until(_ condition: (ClusterRig) -> Bool) throws { while !condition(self) { _ = try controller.changes.next() } }
}

extension Partition {
  /// Waits until it is true, looking again whenever the log or its high watermark grows.
  func until(_ node: RigNode, _ condition: (Partition) -> Bool) throws {
    while !condition(self) {
      let woken = Events<Void>()
      let waits = [Audience.consumers, .followers].map { FetchWait(partitions: [self], as: $0) { woken.add(()) } }
      for wait in waits { _ = add(wait, as: .consumers) }
      for wait in waits { _ = add(wait, as: .followers) }
      if !condition(self) { try woken.next() }
      for wait in waits { wait.finish() }
      for wait in waits {
        remove(wait)
        remove(wait)
      }
    }
  }

  /// What a producer is told.
  func write(_ values: [String], acks: Replication.Acks, timeout: TimeSpan = .seconds(20)) -> Events<AppendOutcome> {
    let outcomes = Events<AppendOutcome>()
    var bytes = batch(values)
    bytes.withUnsafeMutableBytes {
      append($0, origin: .client, acks: acks, timeout: timeout, now: Timestamp(milliseconds: 1000)) {
        outcomes.add($0)
      }
    }
    return outcomes
  }

  /// Every byte of the log.
  func bytes() throws -> [UInt8] {
    guard
      case .slice(let slice) = try log.read(
        from: log.startOffset, maxBytes: 1 << 20, upTo: log.endOffset, minimum: .oneBatch)
    else { return [] }
    return try slice.bytes()
  }
}

extension AppendOutcome {
  var refusal: ErrorCode? { if case .refused(let refusal) = self { refusal.code } else { nil } }
}

extension Transactions {
  /// Of a node that is asked for no transactions.
  fileprivate static func idle(_ loop: EventLoop, _ pool: BlockingPool) -> Transactions {
    Transactions(
      settings: .init(),
      world: TransactionWorld(
        loop: loop, pool: pool, report: { _, _ in }, allocate: { $0(nil) }, writeMarkers: { _, _ in }))
  }
}
