import Vocabulary

extension MetadataImage {
  /// The records that replay into an image that equals this one: what a snapshot holds.
  ///
  /// The order is that of need: features first, as Kafka wants them, and topics before their partitions.
  public var records: [MetadataRecord] {
    var records: [MetadataRecord] = features.sorted { $0.key < $1.key }.map { .featureChanged(name: $0, level: $1) }
    records += lostEpoch
    records += brokers.sorted { $0.key < $1.key }.map { .brokerRegistered($0.value) }
    for topic in topicsByName {
      records.append(.topicCreated(topic.name, topic.id))
      for (index, partition) in topic.partitions.enumerated() {
        records.append(.partitionCreated(topic: topic.id, PartitionIndex(Int32(index)), partition))
      }
    }
    for (resource, values) in configs.sorted(by: { $0.key < $1.key }) {
      records += values.sorted { $0.key < $1.key }.map { .configChanged(resource, key: $0.key, value: $0.value) }
    }
    if nextProducerID > ProducerID(0) { records.append(.producerIDsAllocated(.none, next: nextProducerID)) }
    return records
  }

  /// The highest epoch may have been that of a broker that is no longer registered. It comes and goes once more, so that
  /// nobody gets its epoch again.
  private var lostEpoch: [MetadataRecord] {
    guard lastBrokerEpoch > (brokers.values.map(\.epoch).max() ?? 0) else { return [] }
    let former = BrokerRegistration(
      id: NodeID(0), epoch: lastBrokerEpoch, incarnation: .zero, endpoints: [], rack: nil, isFenced: true,
      logDirectories: [])
    return [.brokerRegistered(former), .brokerUnregistered(former.id, epoch: former.epoch)]
  }
}
