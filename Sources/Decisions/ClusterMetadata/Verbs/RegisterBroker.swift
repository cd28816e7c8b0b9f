public import Vocabulary

/// How the broker that registers had ended.
public enum PreviousEnd: Sendable {
  /// Its logs were closed in order: they end where they ended.
  case clean
  /// Its logs may have lost their tails.
  case crash
}

extension MetadataImage {
  /// A broker starts: it registers with a new epoch. After a crash its log may end earlier than it did, and other
  /// records may take those offsets: the leader epoch of what it leads rises, so that clients and followers notice.
  public func register(_ registration: BrokerRegistration, after end: PreviousEnd) -> [MetadataRecord] {
    var registered = registration
    registered.epoch = (brokers[registration.id]?.epoch ?? 0) + 1
    var records: [MetadataRecord] = [.brokerRegistered(registered)]
    for topic in topicsByName {
      for (index, partition) in topic.partitions.enumerated() where partition.replicas == [registration.id] {
        let mustRise = partition.leader != registration.id || end == .crash
        guard mustRise else { continue }
        records.append(
          .leaderChanged(
            topic: topic.id, PartitionIndex(Int32(index)), leader: registration.id, inSync: [registration.id]))
      }
    }
    return records
  }

  /// A block of producer ids for one broker (KIP-730): ids are never given out twice, not even over a crash.
  public func allocateProducerIDs(for broker: NodeID, count: Int64) -> Decision<Range<Int64>> {
    let first = nextProducerID.value
    let next = first + count
    return Decision(records: [.producerIDsAllocated(broker, next: ProducerID(next))], answer: first..<next)
  }
}
