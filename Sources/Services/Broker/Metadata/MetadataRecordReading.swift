import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension MetadataRecordFormat {
  /// Nil for a record of another kind: one that a node may not pass over, since it would decide without knowing it.
  static func decode(_ bytes: Bytes) -> Fact? {
    switch bytes {
    case .registerBroker(let record): return .brokerRegistered(broker(record))
    case .brokerRegistrationChange(let record):
      return brokerChange(record)
    case .unregisterBroker(let record):
      return .brokerUnregistered(NodeID(record.brokerID), epoch: record.brokerEpoch)
    case .topic(let record): return TopicName(record.name).map { .topicCreated($0, record.topicID) }
    case .partition(let record):
      return state(record).map {
        .partitionCreated(topic: record.topicID, PartitionIndex(record.partitionID), $0)
      }
    case .partitionChange(let record):
      return change(record).map {
        .partitionChanged(topic: record.topicID, PartitionIndex(record.partitionID), $0)
      }
    case .removeTopic(let record): return .topicRemoved(record.topicID)
    case .config(let record):
      return resource(record).map { .configChanged($0, key: record.name, value: record.value) }
    case .producerIDs(let record):
      return .producerIDsAllocated(NodeID(record.brokerID), next: ProducerID(record.nextProducerID))
    case .featureLevel(let record): return .featureChanged(name: record.name, level: record.featureLevel)
    case .clientQuota, .accessControlEntry, .removeAccessControlEntry, .noOp, .userScramCredential,
      .removeUserScramCredential, .beginTransaction, .endTransaction, .abortTransaction, .registerController:
      return nil
    }
  }

  private static func broker(_ record: RegisterBrokerRecord) -> BrokerRegistration {
    BrokerRegistration(
      id: NodeID(record.brokerID), epoch: record.brokerEpoch, incarnation: record.incarnationID,
      endpoints: record.endPoints.map { Endpoint(name: $0.name, host: $0.host, port: $0.port) }, rack: record.rack,
      isFenced: record.fenced,
      isShuttingDown: record.inControlledShutdown, logDirectories: record.logDirs)
  }

  /// Nil for a record that changes nothing, or several things at once, which this version never writes.
  private static func brokerChange(_ record: BrokerRegistrationChangeRecord) -> Fact? {
    let id = NodeID(record.brokerID)
    switch (record.fenced, record.inControlledShutdown, record.logDirs.isEmpty) {
    case (1, 0, true), (-1, 0, true):
      return .brokerFencing(id, epoch: record.brokerEpoch, isFenced: record.fenced == 1)
    case (0, 1, true): return .brokerShutdownBegan(id, epoch: record.brokerEpoch)
    case (0, 0, false): return .brokerDirectoriesChanged(id, epoch: record.brokerEpoch, online: record.logDirs)
    default: return nil
    }
  }

  /// Nil for a recovery state that does not exist, and for what Kafka keeps of the last known leader: here the in-sync
  /// set is never empty, and says so itself.
  private static func state(_ record: PartitionRecord) -> PartitionState? {
    guard let recovery = LeaderRecovery(rawValue: record.leaderRecoveryState), (record.lastKnownElr ?? []).isEmpty
    else { return nil }
    var state = PartitionState(
      replicas: nodes(record.replicas), inSync: nodes(record.isr), leader: NodeID(record.leader),
      leaderEpoch: LeaderEpoch(record.leaderEpoch), partitionEpoch: record.partitionEpoch,
      directories: record.directories)
    state.adding = nodes(record.addingReplicas)
    state.removing = nodes(record.removingReplicas)
    state.recovery = recovery
    state.eligible = nodes(record.eligibleLeaderReplicas ?? [])
    state.observers = nodes(record.observers ?? [])
    return state
  }

  private static func change(_ record: PartitionChangeRecord) -> PartitionChange? {
    guard record.lastKnownElr == nil else { return nil }
    var change = PartitionChange()
    // -2 and -1 are Kafka's words for what does not change.
    if record.leader != -2 { change.leader = NodeID(record.leader) }
    if record.leaderRecoveryState != -1 {
      guard let recovery = LeaderRecovery(rawValue: record.leaderRecoveryState) else { return nil }
      change.recovery = recovery
    }
    change.inSync = record.isr.map(nodes)
    change.eligible = record.eligibleLeaderReplicas.map(nodes)
    change.replicas = record.replicas.map(nodes)
    change.adding = record.addingReplicas.map(nodes)
    change.removing = record.removingReplicas.map(nodes)
    change.observers = record.observers.map(nodes)
    change.directories = record.directories
    return change.isEmpty ? nil : change
  }

  private static func nodes(_ values: [Int32]) -> [NodeID] { values.map { NodeID($0) } }

  private static func resource(_ record: ConfigRecord) -> ConfigResource? {
    switch ConfigResourceType(rawValue: record.resourceType) {
    case .topic: .topic(record.resourceName)
    case .mirror: .mirror(record.resourceName)
    case .broker where record.resourceName.isEmpty: .allBrokers
    case .broker: Int32(record.resourceName).map { .broker(NodeID($0)) }
    case nil: nil
    }
  }
}
