import ClusterMetadata
import KafkaProtocol
import Vocabulary

/// Between what the cluster agrees on and Kafka's bytes in `__cluster_metadata`.
enum MetadataRecordFormat {
  typealias Bytes = KafkaProtocol.MetadataRecord
  typealias Fact = ClusterMetadata.MetadataRecord

  static func encode(_ fact: Fact) -> Bytes {
    switch fact {
    case .brokerRegistered(let broker): .registerBroker(encode(broker))
    case .brokerFencing(let id, let epoch, let isFenced):
      .brokerRegistrationChange(fencing(id, epoch, isFenced))
    case .brokerShutdownBegan(let id, let epoch): .brokerRegistrationChange(shutdown(id, epoch))
    case .brokerDirectoriesChanged(let id, let epoch, let online):
      .brokerRegistrationChange(directories(id, epoch, online))
    case .brokerUnregistered(let id, let epoch): .unregisterBroker(unregistration(id, epoch))
    case .topicCreated(let name, let id): .topic(topic(name, id))
    case .partitionCreated(let topic, let index, let state): .partition(partition(topic, index, state))
    case .partitionChanged(let topic, let index, let change):
      .partitionChange(partitionChange(topic, index, change))
    case .topicRemoved(let id): .removeTopic(removal(id))
    case .configChanged(let resource, let key, let value): .config(config(resource, key, value))
    case .producerIDsAllocated(let broker, let next): .producerIDs(producerIDs(broker, next))
    case .featureChanged(let name, let level): .featureLevel(feature(name, level))
    }
  }

  private static func encode(_ broker: BrokerRegistration) -> RegisterBrokerRecord {
    var record = RegisterBrokerRecord()
    record.brokerID = broker.id.value
    record.incarnationID = broker.incarnation
    record.brokerEpoch = broker.epoch
    record.endPoints = broker.endpoints.map { endpoint in
      var entry = RegisterBrokerRecord.Endpoint()
      entry.name = endpoint.name
      entry.host = endpoint.host
      entry.port = endpoint.port
      return entry
    }
    record.rack = broker.rack
    record.fenced = broker.isFenced
    record.inControlledShutdown = broker.isShuttingDown
    record.logDirs = broker.logDirectories
    return record
  }

  private static func fencing(_ id: NodeID, _ epoch: Int64, _ isFenced: Bool) -> BrokerRegistrationChangeRecord {
    var record = BrokerRegistrationChangeRecord()
    record.brokerID = id.value
    record.brokerEpoch = epoch
    record.fenced = isFenced ? 1 : -1
    return record
  }

  private static func shutdown(_ id: NodeID, _ epoch: Int64) -> BrokerRegistrationChangeRecord {
    var record = BrokerRegistrationChangeRecord()
    record.brokerID = id.value
    record.brokerEpoch = epoch
    record.inControlledShutdown = 1
    return record
  }

  private static func directories(
    _ id: NodeID, _ epoch: Int64, _ online: [UniqueID]
  ) -> BrokerRegistrationChangeRecord {
    var record = BrokerRegistrationChangeRecord()
    record.brokerID = id.value
    record.brokerEpoch = epoch
    record.logDirs = online
    return record
  }

  private static func unregistration(_ id: NodeID, _ epoch: Int64) -> UnregisterBrokerRecord {
    var record = UnregisterBrokerRecord()
    record.brokerID = id.value
    record.brokerEpoch = epoch
    return record
  }

  private static func topic(_ name: TopicName, _ id: UniqueID) -> TopicRecord {
    var record = TopicRecord()
    record.name = name.text
    record.topicID = id
    return record
  }

  private static func partition(_ topic: UniqueID, _ index: PartitionIndex, _ state: PartitionState) -> PartitionRecord
  {
    var record = PartitionRecord()
    record.partitionID = index.value
    record.topicID = topic
    record.replicas = state.replicas.map(\.value)
    record.isr = state.inSync.map(\.value)
    record.leader = state.leader.value
    record.leaderEpoch = state.leaderEpoch.value
    record.partitionEpoch = state.partitionEpoch
    record.directories = state.directories
    record.addingReplicas = state.adding.map(\.value)
    record.removingReplicas = state.removing.map(\.value)
    record.leaderRecoveryState = state.recovery.rawValue
    if !state.eligible.isEmpty { record.eligibleLeaderReplicas = state.eligible.map(\.value) }
    if !state.observers.isEmpty { record.observers = state.observers.map(\.value) }
    return record
  }

  private static func partitionChange(
    _ topic: UniqueID, _ index: PartitionIndex, _ change: PartitionChange
  ) -> PartitionChangeRecord {
    var record = PartitionChangeRecord()
    record.partitionID = index.value
    record.topicID = topic
    if let leader = change.leader { record.leader = leader.value }
    record.isr = change.inSync?.map(\.value)
    record.eligibleLeaderReplicas = change.eligible?.map(\.value)
    if let recovery = change.recovery { record.leaderRecoveryState = recovery.rawValue }
    record.replicas = change.replicas?.map(\.value)
    record.addingReplicas = change.adding?.map(\.value)
    record.removingReplicas = change.removing?.map(\.value)
    record.observers = change.observers?.map(\.value)
    record.directories = change.directories
    return record
  }

  private static func removal(_ id: UniqueID) -> RemoveTopicRecord {
    var record = RemoveTopicRecord()
    record.topicID = id
    return record
  }

  private static func config(_ resource: ConfigResource, _ key: String, _ value: String?) -> ConfigRecord {
    var record = ConfigRecord()
    switch resource {
    case .topic(let name):
      record.resourceType = ConfigResourceType.topic.rawValue
      record.resourceName = name
    case .broker(let id):
      record.resourceType = ConfigResourceType.broker.rawValue
      record.resourceName = String(id.value)
    case .allBrokers:
      record.resourceType = ConfigResourceType.broker.rawValue
      record.resourceName = ""
    case .mirror(let name):
      record.resourceType = ConfigResourceType.mirror.rawValue
      record.resourceName = name
    }
    record.name = key
    record.value = value
    return record
  }

  private static func producerIDs(_ broker: NodeID, _ next: ProducerID) -> ProducerIDsRecord {
    var record = ProducerIDsRecord()
    record.brokerID = broker.value
    record.nextProducerID = next.value
    return record
  }

  private static func feature(_ name: String, _ level: Int16) -> FeatureLevelRecord {
    var record = FeatureLevelRecord()
    record.name = name
    record.featureLevel = level
    return record
  }
}
