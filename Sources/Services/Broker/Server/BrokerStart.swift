import ClusterMetadata
import EventLoop
import KafkaProtocol
import LogStorage
import Replication
import Synchronization
import Telemetry
import Vocabulary

extension Broker {
  /// Begins to work. A node that is its own cluster is ready when this returns. In a cluster of several it becomes ready
  /// when the controller lets it serve: `ready` is called then, once.
  public func start(ready: @escaping @Sendable () -> Void = {}) throws {
    for loop in loops { try loop.start() }
    if let address = settings.metrics {
      let pages = try MetricsPage.serve(self, at: address)
      self.pages.withLock { $0 = pages }
    }
    for listener in settings.controllerListeners { try listen(listener) }
    quorum.start(QuorumFollower(self))
    if controller != nil { ControllerUpkeep(self).start() }
    switch (settings.quorum, settings.roles.contains(.broker)) {
    case (.alone, _): try startAlone(ready)
    case (.voters, true), (.found, true): startInCluster(ready)
    case (.voters, false), (.found, false):
      mirrors.start()
      enter(.ready)
      ready()
    }
  }

  private func listen(_ listener: BrokerSettings.Listener) throws {
    _ = try server.listen(host: listener.bind.host, port: listener.bind.port, name: listener.name)
  }

  // MARK: Alone

  /// Nobody else leads the quorum, and nobody has to wait until this broker's session ends.
  private func startAlone(_ ready: @escaping @Sendable () -> Void) throws {
    let outcome = Outcome<Result<Int64, Refusal>>()
    let previousEpoch = storage.directories.previousEpoch
    let registration = BrokerRegistration(
      id: settings.nodeID, epoch: 0, incarnation: .random(), endpoints: endpoints, rack: settings.rack,
      isFenced: false, logDirectories: storage.folders.map(\.id))
    whenActive { [self] in
      change { draft in
        draft.add(draft.image.register(registration, after: previousEpoch == nil ? .crash : .clean))
        self.setFeatures(&draft)
        return draft.image.brokers[registration.id]?.epoch ?? -1
      } then: {
        outcome.set($0)
      }
    }
    let epoch = try outcome.wait().get()
    let opened = Outcome<Result<Void, StartRefusal>>()
    open(epoch: epoch) { opened.set($0) }
    try opened.wait().get()
    for listener in settings.listeners { try listen(listener) }
    begin(ready)
  }

  /// A quorum of one elects itself as soon as it starts, but not before `start` returns.
  private func whenActive(_ job: @escaping @Sendable () -> Void) {
    if controller?.isActive == true { return job() }
    quorum.run {
      if self.controller?.isActive == true { return job() }
      self.loops[0].schedule(after: .milliseconds(1)) { self.whenActive(job) }
    }
  }

  // MARK: In a cluster

  private func startInCluster(_ ready: @escaping @Sendable () -> Void) {
    let reader = settings.reader
    let lifecycle = BrokerLifecycle(
      registration: registrationRequest(), channel: lifeline, publisher: publisher, loop: loops[0],
      times: .init(
        heartbeat: reader.milliseconds("broker.heartbeat.interval.ms"),
        session: contact.session),
      contact: contact,
      events: .init(
        open: { epoch, opened in self.openInCluster(epoch, opened) },
        serves: { self.beginWhenKnown(ready) },
        ended: { self.ended($0) },
        report: { self.log.log(.warning, atMostEvery: .seconds(5), $0) }))
    self.lifecycle.withLock { $0 = lifecycle }
    log.info("registering", ["node": settings.nodeID.value, "cluster": clusterID])
    lifecycle.start()
  }

  /// The answer to a heartbeat is quicker than the log that it is about: until that has come too, clients would be told
  /// of a cluster without this broker, or without any.
  private func beginWhenKnown(_ ready: @escaping @Sendable () -> Void) {
    if planted == .isReadyBeforeItKnows { return begin(ready) }
    publisher.when({ image, _ in image.brokers[self.settings.nodeID]?.isFenced == false }) { self.begin(ready) }
  }

  private func openInCluster(_ epoch: Int64, _ opened: @escaping @Sendable () -> Void) {
    open(epoch: epoch) { result in
      do {
        try result.get()
        for listener in self.settings.listeners { try self.listen(listener) }
        opened()
      } catch {
        self.ended("\(error)")
      }
    }
  }

  private var endpoints: [Endpoint] {
    settings.listeners.map { Endpoint(name: $0.name, host: $0.advertised.host, port: $0.advertised.port) }
  }

  private func registrationRequest() -> BrokerRegistrationRequest {
    var request = BrokerRegistrationRequest()
    request.brokerID = settings.nodeID.value
    request.clusterID = clusterID
    request.incarnationID = .random()
    request.listeners = endpoints.map { endpoint in
      var listener = BrokerRegistrationRequest.Listener()
      listener.name = endpoint.name
      listener.host = endpoint.host
      listener.port = endpoint.port
      return listener
    }
    request.features = Features.all.map { support in
      var feature = BrokerRegistrationRequest.Feature()
      feature.name = support.name
      feature.minSupportedVersion = support.levels.lowerBound
      feature.maxSupportedVersion = support.levels.upperBound
      return feature
    }
    request.rack = settings.rack
    request.logDirs = storage.folders.map(\.id)
    request.previousBrokerEpoch = storage.directories.previousEpoch ?? -1
    return request
  }

  // MARK: Both

  /// Opens every partition that the metadata gives this broker, on the publisher's thread.
  private func open(epoch: Int64, _ done: @escaping @Sendable (Result<Void, StartRefusal>) -> Void) {
    let publisher = publisher
    let replication = BrokerReplication(
      node: settings.nodeID, epoch: BrokerEpoch(epoch), settings: settings.reader, loop: loops[0], pool: pool,
      listener: settings.interBrokerListener, metrics: metrics, contact: contact, planted: planted,
      plantedInMirroring: plantedInMirroring,
      image: { publisher.image },
      propose: { self.proposals.propose($0, for: $1) }, storageFailed: { self.partitionFailed($1, $0) })
    self.replication.withLock { $0 = replication }
    publisher.begin { image in
      do {
        try self.storage.open({ image }, as: replication.world) { self.follower.settings(of: $0, in: $1) }
        self.follower.adoptRates(image)
        if let offsets = self.storage.table.topic(.consumerOffsets) { self.groups.follow(offsets) }
        if let states = self.storage.table.topic(.transactionState) { self.transactions.follow(states) }
        self.assignReplicas(in: image)
        done(.success(()))
      } catch {
        done(.failure(StartRefusal(description: "\(error)")))
      }
    }
  }

  private func begin(_ ready: @escaping @Sendable () -> Void) {
    Upkeep(self).start()
    mirrors.start()
    enter(.ready)
    ready()
  }
}

/// What one thread waits for and another one brings.
private final class Outcome<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let ready: Semaphore?

  init() { ready = try? Semaphore() }

  func set(_ value: Value) {
    self.value.withLock { $0 = value }
    ready?.signal()
  }

  func wait() throws -> Value {
    guard let ready else { throw StartRefusal(description: "the system has no semaphore left") }
    ready.wait()
    guard let value = value.withLock({ $0 }) else {
      throw StartRefusal(description: "nothing came of what was waited for")
    }
    return value
  }
}

/// Tells the parts of the node what the quorum says.
private final class QuorumFollower: MetadataQuorumObserver {
  private unowned let broker: Broker
  init(_ broker: Broker) { self.broker = broker }

  func committed(_ records: [ClusterMetadata.MetadataRecord], _ image: MetadataImage, upTo offset: Offset) {
    broker.publisher.publish(records, image, upTo: offset)
    broker.controller?.committed(image, upTo: offset)
  }

  func replaced(by image: MetadataImage, upTo offset: Offset) {
    broker.publisher.publish([], image, upTo: offset)
    broker.controller?.committed(image, upTo: offset)
  }

  func becameLeader(_ epoch: LeaderEpoch) {
    broker.controller?.begin(epoch, broker.quorum.image, upTo: broker.quorum.appliedOffset)
    guard broker.settings.quorum != .alone else { return }
    broker.log.info("active controller", ["node": broker.settings.nodeID.value, "epoch": epoch.value])
  }

  func lostLeadership(_ epoch: LeaderEpoch) {
    broker.controller?.end()
    broker.contact.lost()
  }

  func leaderChanged(_ leader: NodeID?, _ epoch: LeaderEpoch) {
    // What waits for a controller that has stopped would wait for all of its time.
    if let leader {
      broker.lifecycle.withLock { $0 }?.controllerChanged()
      broker.proposals.leaderChanged(to: leader)
      broker.forwarding.leaderChanged(to: leader)
    }
    guard broker.settings.quorum != .alone else { return }
    broker.log.info("quorum leader", ["leader": leader.map { "\($0.value)" } ?? "none", "epoch": epoch.value])
  }
}
