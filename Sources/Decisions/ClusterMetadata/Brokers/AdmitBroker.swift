public import Vocabulary

extension MetadataImage {
  /// BrokerRegistration in a cluster (KIP-631): the broker becomes known, fenced until its heartbeats say that it has
  /// read what it must know. The answer is its epoch.
  ///
  /// The same process that registers again keeps its epoch and whether it is fenced. Another process gets the id only
  /// once the session of the first has ended. What a former process led or had in sync is settled as if it had been
  /// fenced, or had crashed.
  public func admit(
    _ registration: BrokerRegistration, after end: PreviousEnd, session: BrokerSession,
    inherited: ConfigResolution = ConfigResolution(fixed: [:])
  ) -> Decision<Result<Int64, Refusal>> {
    do throws(Refusal) {
      let former = brokers[registration.id]
      var admitted = registration
      if let former, former.incarnation == registration.incarnation {
        admitted.epoch = former.epoch
        admitted.isFenced = former.isFenced
        admitted.isShuttingDown = former.isShuttingDown
        try check(admitted, inherited: inherited)
        let registered = MetadataRecord.brokerRegistered(admitted)
        return Decision(
          records: [registered] + after([registered]).leaveLostDirectories(of: admitted.id, inherited),
          answer: .success(admitted.epoch))
      }
      if former != nil, session == .alive {
        throw Refusal(
          .duplicateBrokerRegistration,
          "Broker \(registration.id.value) is already registered by another process, which is still in touch; each "
            + "broker needs an id of its own.")
      }
      try check(admitted, inherited: inherited)
      admitted.epoch = lastBrokerEpoch + 1
      admitted.isFenced = true
      admitted.isShuttingDown = false
      let id = admitted.id
      let registered = MetadataRecord.brokerRegistered(admitted)
      let changes = after([registered]).settle(inherited) { partition in
        partition.inSync.contains(id) || partition.eligible.contains(id)
      } _: { transition in
        if end == .crash { transition.crash(id) } else { transition.leave(id) }
      }
      return Decision(records: [registered] + changes, answer: .success(admitted.epoch))
    } catch {
      return Decision(records: [], answer: .failure(error))
    }
  }

  private func check(_ broker: BrokerRegistration, inherited: ConfigResolution) throws(Refusal) {
    let id = broker.id.value
    guard id >= 0 else {
      throw Refusal(.invalidRegistration, "The broker id \(id) is negative; it must be 0 or more.")
    }
    let directories = broker.logDirectories
    guard !directories.isEmpty, !directories.contains(.zero), !directories.contains(.unassignedDirectory),
      Set(directories).count == directories.count
    else {
      throw Refusal(
        .invalidRegistration, "Broker \(id) must name one or more log directories, each once and with an id.")
    }
    for other in brokers.values.sorted(by: { $0.id < $1.id }) where other.id != broker.id {
      if let shared = directories.first(where: other.logDirectories.contains) {
        throw Refusal(
          .invalidRegistration,
          "Broker \(id) names the log directory \(shared), which belongs to broker \(other.id.value).")
      }
    }
    let region = broker.location.region
    guard RegionNames.isNameable(region), region.isEmpty == (broker.rack ?? "").isEmpty else {
      throw Refusal(
        .invalidRegistration,
        "The rack '\(broker.rack ?? "")' of broker \(id) must be a Region or a Region, a slash and a zone; a Region's "
          + "name has neither ',' nor ':' nor blanks.")
    }
    if self.region(of: broker.id) != region { try checkMayStand(broker.id, in: region) }
  }

  /// A broker that comes back in another Region must not carry replicas to where they may not be.
  private func checkMayStand(_ broker: NodeID, in region: String) throws(Refusal) {
    for topic in topicsByName {
      let rules = try PlacementRules(configs(of: .topic(topic.name.text)))
      guard let allowed = rules.allowedRegions, !allowed.contains(region) else { continue }
      if let index = topic.partitions.firstIndex(where: { $0.replicas.contains(broker) }) {
        throw Refusal(
          .invalidRegistration,
          "Broker \(broker.value) in \(BrokerLocation.title(region)) holds a replica of \(topic.name)-\(index), whose "
            + "placement.allowed.regions is \(allowed.joined(separator: ",")).")
      }
    }
  }
}
