import ClusterMetadata
import EventLoop
import LogStorage
import Synchronization
import Telemetry
import Vocabulary

/// Makes the broker do what the metadata says: partitions come, go and change their settings.
///
/// Runs on the controller's thread, one change at a time, after the change is durable and before it is answered.
final class MetadataFollower: Sendable {
  private let brokerSettings: BrokerSettings
  private let storage: Storage
  private let loop: EventLoop
  private let log: Log
  private let attached = Mutex<Attached?>(nil)

  private struct Attached: Sendable {
    let groups: Groups
    let catalogue: TopicCatalogueCache
  }

  init(settings: BrokerSettings, storage: Storage, loop: EventLoop, log: Log) {
    brokerSettings = settings
    self.storage = storage
    self.loop = loop
    self.log = log
  }

  func attach(groups: Groups, catalogue: TopicCatalogueCache) {
    attached.withLock { $0 = Attached(groups: groups, catalogue: catalogue) }
  }

  func settings(of topic: TopicState, in image: MetadataImage) -> TopicSettings {
    TopicSettings(
      image.configs(of: .topic(topic.name.text)),
      inherited: ConfigResolution(
        fixed: brokerSettings.fixed, broker: image.configs(of: .broker(brokerSettings.nodeID)),
        allBrokers: image.configs(of: .allBrokers)),
      producerExpiry: brokerSettings.producerExpiry)
  }

  func follow(_ records: [MetadataRecord], _ image: MetadataImage) {
    var changed: [UniqueID] = []
    var removed: [UniqueID] = []
    var reconfigured: Set<UniqueID> = []
    for record in records {
      switch record {
      case .partitionCreated(let topic, _, _): if changed.last != topic { changed.append(topic) }
      case .topicRemoved(let topic): removed.append(topic)
      case .configChanged(.topic(let name), _, _):
        if let id = TopicName(name).flatMap({ image.topicIDs[$0] }) { reconfigured.insert(id) }
      case .configChanged: reconfigured.formUnion(image.topics.keys)
      case .brokerRegistered, .brokerFencing, .brokerShutdownBegan, .brokerDirectoriesChanged, .brokerUnregistered,
        .topicCreated, .partitionChanged, .producerIDsAllocated, .featureChanged:
        break
      }
    }
    if !removed.isEmpty { remove(removed) }
    for id in changed { create(id, image) }
    for id in reconfigured.subtracting(changed).sorted() {
      if let topic = image.topics[id] { storage.configure(id, settings(of: topic, in: image)) }
    }
    attached.withLock { $0 }?.catalogue.topicsChanged()
  }

  /// Tries again to open what could not be opened when it was created, such as for want of room or descriptors.
  /// Only on the controller's thread.
  func openMissing(_ image: MetadataImage) {
    for topic in image.topicsByName where storage.table.topic(topic.id)?.partitions.count != topic.partitions.count {
      create(topic.id, image)
    }
  }

  private func create(_ id: UniqueID, _ image: MetadataImage) {
    // A topic that the same change removed again.
    guard let topic = image.topics[id] else { return }
    do throws(StorageError) {
      try storage.follow(topic, settings(of: topic, in: image))
    } catch {
      log.error("a partition cannot be opened", ["topic": topic.name.text, "reason": "\(error)"])
    }
    if topic.name == .consumerOffsets, let held = storage.table.topic(id) {
      attached.withLock { $0 }?.groups.follow(held.partitions)
    }
  }

  private func remove(_ ids: [UniqueID]) {
    let gone = storage.remove(ids, on: loop)
    // Their offsets mean nothing for a topic that may come under the same name.
    attached.withLock { $0 }?.groups.topicsDeleted(gone.map(\.name))
    if gone.contains(where: { $0.name == .consumerOffsets }) { attached.withLock { $0 }?.groups.forget() }
  }
}
