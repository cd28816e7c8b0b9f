public import Vocabulary

/// How the broker that registers had ended.
public enum PreviousEnd: Sendable {
  /// Its logs were closed in order: they end where they ended.
  case clean
  /// Its logs may have lost their tails.
  case crash
}

extension MetadataImage {
  /// A broker that is its own controller starts: it registers with a new epoch and serves at once (in a cluster of
  /// several, brokers are admitted). After a crash its log may end earlier than it did, and other records may take
  /// those offsets: the leader epoch of what it leads rises, so that clients and followers notice.
  public func register(
    _ registration: BrokerRegistration, after end: PreviousEnd,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> [MetadataRecord] {
    var registered = registration
    registered.epoch = lastBrokerEpoch + 1
    let id = registered.id
    let record = MetadataRecord.brokerRegistered(registered)
    let changes = after([record]).settle(inherited) { partition in
      partition.leader == .none || end == .crash && (partition.inSync.contains(id) || partition.eligible.contains(id))
    } _: { transition in
      if end == .crash { transition.crash(id) }
    }
    return [record] + changes
  }

  /// A block of producer ids for one broker (KIP-730): ids are never given out twice, not even over a crash.
  public func allocateProducerIDs(for broker: NodeID, count: Int64) -> Decision<Range<Int64>> {
    let first = nextProducerID.value
    let next = first + count
    return Decision(records: [.producerIDsAllocated(broker, next: ProducerID(next))], answer: first..<next)
  }
}
