import ClusterMetadata
import EventLoop
import LogStorage
import Replication
import Synchronization
import Telemetry
import Vocabulary

/// Makes the broker do what the metadata says: copies of partitions come and go, change their parts and their settings.
///
/// Runs on one thread, one change at a time in the order of the metadata log, after the change is durable and before it
/// is answered. Does nothing about partitions until the storage is open: it is opened from a whole image.
final class MetadataFollower: Sendable {
  private let brokerSettings: BrokerSettings
  private let storage: Storage
  private let loop: EventLoop
  private let log: Log
  private let attached = Mutex<Attached?>(nil)

  private struct Attached: Sendable {
    let groups: Groups
    let transactions: Transactions
    let catalogue: TopicCatalogueCache
    /// Called when a copy has been put where the metadata does not say.
    let assignReplicas: @Sendable (MetadataImage) -> Void
  }

  /// What some records come to.
  private struct Changes {
    var removed: [UniqueID] = []
    /// In the order in which they changed.
    var topics: [UniqueID] = []
    var partitions: [UniqueID: [Int]] = [:]
    var brokers: Set<NodeID> = []
    var reconfigured: Set<UniqueID> = []
  }

  init(settings: BrokerSettings, storage: Storage, loop: EventLoop, log: Log) {
    brokerSettings = settings
    self.storage = storage
    self.loop = loop
    self.log = log
  }

  func attach(
    groups: Groups, transactions: Transactions, catalogue: TopicCatalogueCache,
    assignReplicas: @escaping @Sendable (MetadataImage) -> Void = { _ in }
  ) {
    attached.withLock {
      $0 = Attached(groups: groups, transactions: transactions, catalogue: catalogue, assignReplicas: assignReplicas)
    }
  }

  func settings(of topic: TopicState, in image: MetadataImage) -> TopicSettings {
    TopicSettings(
      image.configs(of: .topic(topic.name.text)), inherited: configs(in: image),
      producerExpiry: brokerSettings.producerExpiry)
  }

  private func configs(in image: MetadataImage) -> ConfigResolution {
    ConfigResolution(
      fixed: brokerSettings.fixed, broker: image.configs(of: .broker(brokerSettings.nodeID)),
      allBrokers: image.configs(of: .allBrokers))
  }

  /// Takes the rates at which copies catch up. Comes once when the storage has been opened, and then with every change.
  func adoptRates(_ image: MetadataImage) {
    guard let world = storage.world, world.throttles.adopt(configs(in: image)) else { return }
    world.throttleLifted()
  }

  func follow(_ records: [MetadataRecord], _ image: MetadataImage) {
    let changes = changes(records, image)
    storage.exclusively { perform(changes, image) }
    attached.withLock { $0 }?.catalogue.topicsChanged()
  }

  private func perform(_ changes: Changes, _ image: MetadataImage) {
    guard storage.world != nil else { return }
    adoptRates(image)
    if !changes.removed.isEmpty { remove(changes.removed) }
    if !changes.brokers.isEmpty { tellOfBrokers(changes.brokers, image) }
    // Before the partitions: a changed minimum counts before what was decided by it.
    for id in changes.reconfigured.sorted() {
      if let topic = image.topics[id] { storage.configure(id, settings(of: topic, in: image)) }
    }
    for id in changes.topics { follow(id, changes.partitions[id], image) }
    guard storage.folders.count > 1 else { return }
    let isUnknown = changes.topics.contains { storage.hasUnassigned($0, changes.partitions[$0] ?? [], image) }
    if isUnknown { attached.withLock { $0 }?.assignReplicas(image) }
  }

  private func changes(_ records: [MetadataRecord], _ image: MetadataImage) -> Changes {
    var changes = Changes()
    for record in records {
      switch record {
      case .partitionCreated(let topic, let index, _), .partitionChanged(let topic, let index, _):
        if changes.partitions[topic] == nil { changes.topics.append(topic) }
        changes.partitions[topic, default: []].append(Int(index.value))
      case .topicRemoved(let topic): changes.removed.append(topic)
      case .configChanged(.topic(let name), _, _):
        if let id = TopicName(name).flatMap({ image.topicIDs[$0] }) { changes.reconfigured.insert(id) }
      case .configChanged(.mirror, _, _): break
      case .configChanged: changes.reconfigured.formUnion(image.topics.keys)
      case .brokerRegistered(let broker): changes.brokers.insert(broker.id)
      case .brokerFencing(let id, _, _), .brokerShutdownBegan(let id, _), .brokerUnregistered(let id, _):
        changes.brokers.insert(id)
      case .brokerDirectoriesChanged, .topicCreated, .producerIDsAllocated, .featureChanged: break
      }
    }
    return changes
  }

  /// Tries again to open what could not be opened when it was created, such as for want of room or descriptors.
  /// Only on the thread that follows the metadata.
  func openMissing(_ image: MetadataImage) {
    guard let world = storage.world else { return }
    for topic in image.topicsByName {
      let held = storage.table.topic(topic.id)
      let isLacking = topic.partitions.indices.contains { index in
        topic.partitions[index].replicas.contains(world.node) && held?.partition(Int32(index)) == nil
      }
      if isLacking { storage.exclusively { follow(topic.id, nil, image) } }
    }
  }

  private func follow(_ id: UniqueID, _ indexes: [Int]?, _ image: MetadataImage) {
    // A topic that the same change removed again.
    guard let topic = image.topics[id] else { return }
    storage.follow(topic, indexes, settings(of: topic, in: image), image, on: loop)
    guard let attached = attached.withLock({ $0 }), let held = storage.table.topic(id) else { return }
    switch topic.name {
    case .consumerOffsets: attached.groups.follow(held)
    case .transactionState: attached.transactions.follow(held)
    default: break
    }
  }

  /// Comes before what the same records say about partitions.
  private func tellOfBrokers(_ brokers: Set<NodeID>, _ image: MetadataImage) {
    for partition in storage.table.allPartitions {
      let nodes = partition.members.map(\.node)
      guard nodes.contains(where: brokers.contains) else { continue }
      partition.brokersChanged(image.statuses(of: nodes))
    }
  }

  private func remove(_ ids: [UniqueID]) {
    let gone = storage.remove(ids, on: loop)
    // Their offsets mean nothing for a topic that may come under the same name.
    attached.withLock { $0 }?.groups.topicsDeleted(gone.map(\.name))
    if gone.contains(where: { $0.name == .consumerOffsets }) { attached.withLock { $0 }?.groups.forget() }
    if gone.contains(where: { $0.name == .transactionState }) { attached.withLock { $0 }?.transactions.forget() }
  }
}
