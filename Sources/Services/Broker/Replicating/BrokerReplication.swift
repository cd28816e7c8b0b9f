import ClusterMetadata
import EventLoop
import KafkaClient
import LogStorage
import Replication
import Telemetry
import Vocabulary

/// What makes a broker copy partitions, and lets others copy from it.
struct BrokerReplication: Sendable {
  let world: ReplicaWorld
  let fetchers: ReplicaFetchers
  let peers: ReplicaPeers

  /// - Parameters:
  ///   - image: the metadata as it is now; who leads, and where, is looked up in it.
  ///   - listener: the one that brokers use among themselves; the first of a broker that has none of that name.
  ///   - propose: asks the controller for another in-sync set. The answer goes to `Partition.proposalAnswered`.
  ///   - storageFailed: called once for each partition whose log takes no more writes.
  init(
    node: NodeID, epoch: BrokerEpoch, settings: SettingsReader, loop: EventLoop, pool: BlockingPool,
    listener: String?, metrics: BrokerMetrics, contact: ControllerContact, planted: BrokerMistake? = nil,
    plantedInMirroring: MirrorMistake? = nil,
    image: @escaping @Sendable () -> MetadataImage,
    propose: @escaping @Sendable (Proposal, Partition) -> Void,
    storageFailed: @escaping @Sendable (StorageError, Partition) -> Void
  ) {
    let peers = ReplicaPeers(
      timeout: settings.milliseconds("replica.socket.timeout.ms"),
      BrokerPeers(
        clientID: "broker-\(node.value)-fetcher", listener: listener, loop: loop, pool: pool, image: image))
    let throttles = ReplicationThrottles(metrics)
    let fetchers = ReplicaFetchers(
      ReplicaFetchers.World(
        node: node, brokerEpoch: epoch, settings: CopySettings(settings), loop: loop, pool: pool,
        throttle: throttles.follower, ask: { leader, request, then in peers.ask(leader, request, then: then) },
        planted: planted))
    var world = ReplicaWorld(node: node, brokerEpoch: epoch)
    world.timing = ReplicationSettings(settings)
    world.tellsFollowersOfHighWatermarks = !(settings.values["replica.selector.class"] ?? "").isEmpty
    world.planted = planted
    world.plantedInMirroring = plantedInMirroring
    world.propose = propose
    world.fetch = { fetchers.fetch($0) }
    world.stopFetching = { fetchers.stopFetching($0, $1) }
    world.controllerMayHaveGivenUp = { contact.mayHaveGivenUp(at: $0) }
    world.throttles = throttles
    world.throttleLifted = { fetchers.lookAgain() }
    world.storageFailed = storageFailed
    world.inSyncChanged = { change in
      switch change {
      case .shrunk: metrics.inSyncShrinks.add(1)
      case .expanded: metrics.inSyncExpands.add(1)
      }
    }
    self.world = world
    self.fetchers = fetchers
    self.peers = peers
  }

  func stop() {
    fetchers.stop()
    peers.close()
  }
}

extension CopySettings {
  init(_ reader: SettingsReader) {
    partitionMaxBytes = Int32(clamping: reader.int("replica.fetch.max.bytes"))
    responseMaxBytes = Int32(clamping: reader.int("replica.fetch.response.max.bytes"))
    wait = reader.milliseconds("replica.fetch.wait.max.ms")
    minBytes = Int32(clamping: reader.int("replica.fetch.min.bytes"))
    backoff = reader.milliseconds("replica.fetch.backoff.ms")
  }
}

extension ReplicationSettings {
  /// The minimum is each topic's own.
  init(_ reader: SettingsReader) {
    self.init(minimum: Minimum(replicas: 1, regions: 1))
    lagMax = reader.milliseconds("replica.lag.time.max.ms")
    fetchTimeout = reader.milliseconds("replica.socket.timeout.ms")
    fetchPause = reader.milliseconds("replica.fetch.backoff.ms")
    // Two fetches that find nothing take that long where the pauses in them are longer than a session.
    silenceMax = max(
      reader.milliseconds("broker.session.timeout.ms"),
      TimeSpan(nanoseconds: 2 * reader.milliseconds("replica.fetch.wait.max.ms").nanoseconds))
  }
}
