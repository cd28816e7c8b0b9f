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
    case .topicCreated(let name, let id): .topic(topic(name, id))
    case .partitionCreated(let topic, let index, let state): .partition(partition(topic, index, state))
    case .leaderChanged(let topic, let index, let leader, let inSync):
      .partitionChange(change(topic, index, leader, inSync))
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
    return record
  }

  private static func change(
    _ topic: UniqueID, _ index: PartitionIndex, _ leader: NodeID, _ inSync: [NodeID]
  ) -> PartitionChangeRecord {
    var record = PartitionChangeRecord()
    record.partitionID = index.value
    record.topicID = topic
    record.leader = leader.value
    record.isr = inSync.map(\.value)
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
