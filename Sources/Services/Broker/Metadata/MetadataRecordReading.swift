import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension MetadataRecordFormat {
  /// Nil for a record of another kind: one that a node may not pass over, since it would decide without knowing it.
  static func decode(_ bytes: Bytes) -> Fact? {
    switch bytes {
    case .registerBroker(let record): return .brokerRegistered(broker(record))
    case .brokerRegistrationChange(let record):
      guard record.fenced != 0 else { return nil }
      return .brokerFencing(NodeID(record.brokerID), epoch: record.brokerEpoch, isFenced: record.fenced > 0)
    case .topic(let record): return TopicName(record.name).map { .topicCreated($0, record.topicID) }
    case .partition(let record):
      return .partitionCreated(topic: record.topicID, PartitionIndex(record.partitionID), state(record))
    case .partitionChange(let record):
      // Both can be left out where they do not change, which this version never writes.
      guard record.leader != -2, let inSync = record.isr else { return nil }
      return .leaderChanged(
        topic: record.topicID, PartitionIndex(record.partitionID), leader: NodeID(record.leader),
        inSync: inSync.map { NodeID($0) })
    case .removeTopic(let record): return .topicRemoved(record.topicID)
    case .config(let record):
      return resource(record).map { .configChanged($0, key: record.name, value: record.value) }
    case .producerIDs(let record):
      return .producerIDsAllocated(NodeID(record.brokerID), next: ProducerID(record.nextProducerID))
    case .featureLevel(let record): return .featureChanged(name: record.name, level: record.featureLevel)
    case .unregisterBroker, .clientQuota, .accessControlEntry, .removeAccessControlEntry, .noOp, .userScramCredential,
      .removeUserScramCredential, .beginTransaction, .endTransaction, .abortTransaction, .registerController:
      return nil
    }
  }

  private static func broker(_ record: RegisterBrokerRecord) -> BrokerRegistration {
    BrokerRegistration(
      id: NodeID(record.brokerID), epoch: record.brokerEpoch, incarnation: record.incarnationID,
      endpoints: record.endPoints.map { Endpoint(name: $0.name, host: $0.host, port: $0.port) }, rack: record.rack,
      isFenced: record.fenced, logDirectories: record.logDirs)
  }

  private static func state(_ record: PartitionRecord) -> PartitionState {
    PartitionState(
      replicas: record.replicas.map { NodeID($0) }, inSync: record.isr.map { NodeID($0) },
      leader: NodeID(record.leader), leaderEpoch: LeaderEpoch(record.leaderEpoch),
      partitionEpoch: record.partitionEpoch, directories: record.directories)
  }

  private static func resource(_ record: ConfigRecord) -> ConfigResource? {
    switch ConfigResourceType(rawValue: record.resourceType) {
    case .topic: .topic(record.resourceName)
    case .broker where record.resourceName.isEmpty: .allBrokers
    case .broker: Int32(record.resourceName).map { .broker(NodeID($0)) }
    case nil: nil
    }
  }
}
