public import Vocabulary

public struct TopicState: Sendable, Equatable {
  public let name: TopicName
  public let id: UniqueID
  /// By index, without holes.
  public internal(set) var partitions: [PartitionState]
}

/// Everything that the cluster has agreed on. A value: whoever holds one sees one moment.
public struct MetadataImage: Sendable, Equatable {
  public private(set) var brokers: [NodeID: BrokerRegistration] = [:]
  /// The highest epoch that any broker has registered with: the next one is higher, also for an id that comes back
  /// after it was unregistered.
  public private(set) var lastBrokerEpoch: Int64 = 0
  public private(set) var topics: [UniqueID: TopicState] = [:]
  public private(set) var topicIDs: [TopicName: UniqueID] = [:]
  public private(set) var configs: [ConfigResource: [String: String]] = [:]
  public private(set) var nextProducerID = ProducerID(0)
  public private(set) var features: [String: Int16] = [:]
  /// Kept, since every creation asks for it.
  public private(set) var partitionCount = 0

  package var planted: PlantedBug?

  public init() {}

  public func topic(named name: TopicName) -> TopicState? { topicIDs[name].flatMap { topics[$0] } }
  /// In the order of their names.
  public var topicsByName: [TopicState] { topics.values.sorted { $0.name < $1.name } }
  /// In the order of their ids.
  public var liveBrokers: [BrokerRegistration] {
    brokers.values.filter { !$0.isFenced }.sorted { $0.id < $1.id }
  }
  public func configs(of resource: ConfigResource) -> [String: String] { configs[resource] ?? [:] }

  public mutating func replay(_ record: MetadataRecord) {
    switch record {
    case .brokerRegistered(let registration):
      brokers[registration.id] = registration
      lastBrokerEpoch = max(lastBrokerEpoch, registration.epoch)
    case .brokerFencing(let id, let epoch, let isFenced):
      if brokers[id]?.epoch == epoch { brokers[id]?.isFenced = isFenced }
    case .brokerShutdownBegan(let id, let epoch):
      if brokers[id]?.epoch == epoch { brokers[id]?.isShuttingDown = true }
    case .brokerDirectoriesChanged(let id, let epoch, let online):
      if brokers[id]?.epoch == epoch { brokers[id]?.logDirectories = online }
    case .brokerUnregistered(let id, let epoch):
      if brokers[id]?.epoch == epoch { brokers.removeValue(forKey: id) }
    case .topicCreated(let name, let id):
      topics[id] = TopicState(name: name, id: id, partitions: [])
      topicIDs[name] = id
    case .partitionCreated(let topic, let index, let state):
      // As in Kafka, the record of a partition that is there replaces it: so its leader epoch can rise by more than one.
      if let known = topics[topic]?.partitions, known.indices.contains(Int(index.value)) {
        guard state.partitionEpoch > known[Int(index.value)].partitionEpoch else { return }
        topics[topic]?.partitions[Int(index.value)] = state
        return
      }
      // A log that names a partition before its topic, or leaves a hole, is not ours: the record says nothing.
      guard topics[topic]?.partitions.count == Int(index.value) else { return }
      topics[topic]?.partitions.append(state)
      partitionCount += 1
    case .partitionChanged(let topic, let index, let change):
      guard topics[topic]?.partitions.indices.contains(Int(index.value)) == true else { return }
      topics[topic]?.partitions[Int(index.value)].apply(change)
      if planted == .forgetsToBumpPartitionEpoch { topics[topic]?.partitions[Int(index.value)].partitionEpoch -= 1 }
    case .topicRemoved(let id):
      guard let removed = topics.removeValue(forKey: id) else { return }
      topicIDs.removeValue(forKey: removed.name)
      partitionCount -= removed.partitions.count
      configs.removeValue(forKey: .topic(removed.name.text))
    case .configChanged(let resource, let key, let value):
      configs[resource, default: [:]][key] = value
      if configs[resource]?.isEmpty == true { configs.removeValue(forKey: resource) }
    case .producerIDsAllocated(_, let next):
      nextProducerID = max(nextProducerID, next)
    case .featureChanged(let name, let level):
      features[name] = level
    }
  }
}
